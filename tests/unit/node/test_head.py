"""Response heads: what is sent, and what is said of one that can't be."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.node import NodeUsageError
from blastbeat.node.head import _NAMES, MAX_NAMES, as_bytes, declared_length, format_head, with_length


def test_a_head() -> None:
    head = format_head(200, [(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-empty", b"")])
    assert head == b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nx-empty: \r\n\r\n"
    assert declared_length(head) is None
    assert with_length(head, 5).endswith(b"x-empty: \r\ncontent-length: 5\r\n\r\n")
    assert format_head(599, []) == b"HTTP/1.1 599 \r\n\r\n"


def test_framing_is_the_servers() -> None:
    head = format_head(200, [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"12")])
    assert head == b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n" and declared_length(head) == 12


@pytest.mark.parametrize(
    ("status", "fields", "words"),
    [
        (99, [], "99 is no status"),
        (600, [], "600 is no status"),
        ("200", [], "'200' is no status"),
        (200, [("x-a", b"1")], "the name of a header as bytes, got 'x-a'"),
        (200, [(b"x-a", "1")], "the value of a header as bytes, got '1' in (b'x-a', '1')"),
        (200, [(b"x-a", 1)], "the value of a header as bytes, got 1"),
        (200, [[[b"x-a"], b"1"]], "the name of a header as bytes"),
        (200, [b"x-a"], "a pair of name and value"),
        (200, [(b"x-a", b"1\r\nx-b: 2")], "the value of the header b'x-a' holds a line break"),
        (200, [(b"x-a", b"1\n")], "holds a line break"),
        (200, [(b"x-a", b"1\r")], "holds a line break"),
        (200, [(b"x-a", b"\0")], "NUL"),
        (200, [(b"x a", b"1")], "b'x a' is no name"),
        (200, [(b"", b"1")], "b'' is no name"),
        (200, [(b"x-a:", b"1")], "is no name"),
    ],
)
def test_what_is_wrong_with_a_head(status: Any, fields: Any, words: str) -> None:
    with pytest.raises(NodeUsageError) as caught:
        format_head(status, fields)
    assert words in str(caught.value)


@pytest.mark.parametrize("values", [[b"x"], [b"-1"], [b""], [b"1", b"1"]])
def test_lengths_that_are_none(values: list[bytes]) -> None:
    with pytest.raises(NodeUsageError):
        declared_length(format_head(200, [(b"content-length", value) for value in values]))


def test_names_are_not_remembered_for_ever() -> None:
    for number in range(MAX_NAMES + 10):
        format_head(200, [(b"x-%d" % number, b"")])
    assert len(_NAMES) <= MAX_NAMES


def test_handlers_may_give_text() -> None:
    fields = as_bytes([("X-A", "\xe9"), (b"Content-Length", "1")], without_length=True)
    assert fields == [(b"X-A", b"\xe9")]
