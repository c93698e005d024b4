"""Targets with placeholders: what they say of mistakes, and that a value stays a value."""

from __future__ import annotations

import pytest

from blastbeat.plugins.templates import Template, one_slash, rest_of, with_query

KNOWN = ("path", "rest", "query", "uri", "1")
VALUES = {
    "path": (b"/a%26b", b"/a&b"),
    "rest": (b"", b""),
    "query": (b"x=1&y=2", b"x=1&y=2"),
    "uri": (b"/a?b=c&d", b"/a?b=c&d"),
    "1": (b"v", b"v"),
}


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("/new", b"/new"),
        ("/new{path}", b"/new/a%26b"),
        ("/{1}/{1}.html", b"/v/v.html"),
        ("/new?{query}", b"/new?x=1&y=2"),
        ("/login?next={uri}", b"/login?next=/a%3Fb%3Dc%26d"),
        ("/x?of={path}&1={1}", b"/x?of=/a%26b&1=v"),
        ("{uri}", b"/a?b=c&d"),
        ("/x?{rest}", b"/x"),
    ],
)
def test_filled(written: str, filled: bytes) -> None:
    assert Template(written, KNOWN).fill(VALUES.__getitem__) == filled


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("/{pth}", r"placeholder \{pth\}; known: \{path\} \{rest\}"),
        ("/a b", "can't stand in a URL"),
        ("/{", "can't stand in a URL"),
        ("/\r\nX-A: 1", "can't stand in a URL"),
        ("/é", "write them as %XX"),
        ("/\\evil", "can't stand in a URL"),
        ("/a{query}", "without a \\? before it"),
    ],
)
def test_refused(written: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Template(written, KNOWN)


def test_whether_the_query_has_its_place() -> None:
    assert Template("{uri}", KNOWN).takes_query and Template("/?{query}", KNOWN).takes_query
    assert not Template("{path}", KNOWN).takes_query


@pytest.mark.parametrize(
    ("target", "query", "joined"),
    [
        (b"/a", b"x=1", b"/a?x=1"),
        (b"/a?y", b"x=1", b"/a?y&x=1"),
        (b"/a#f", b"x=1", b"/a?x=1#f"),
        (b"/a", b"", b"/a"),
    ],
)
def test_a_further_query(target: bytes, query: bytes, joined: bytes) -> None:
    assert with_query(target, query) == joined


def test_one_slash_keeps_the_host() -> None:
    assert [one_slash(target) for target in (b"//evil", b"/\\evil", b"x", b"/a//b")] == [
        b"/evil",
        b"/evil",
        b"/x",
        b"/a//b",
    ]


def test_the_rest_of_a_path() -> None:
    assert rest_of(b"/a/b", b"/a") == b"/b"
    assert rest_of(b"/a", b"/a") == b""
    assert rest_of(b"/a", b"/") == b"/a"
