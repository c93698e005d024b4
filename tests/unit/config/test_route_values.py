"""What a route asks for, as it is written: paths, header fields, cookies."""

from __future__ import annotations

import pytest

from blastbeat.config.model import FieldMatch
from blastbeat.config.route_values import FieldMatchKind, PathPrefix, path_bytes, path_text
from blastbeat.config.values import BadValue

HEADER = FieldMatchKind("header", folds_case=True)
COOKIE = FieldMatchKind("cookie", folds_case=False)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("/", "/"),
        (" /api ", "/api"),
        ("/api/", "/api"),
        ("/api/v1", "/api/v1"),
        ("/%61pi", "/api"),
        ("/a%20b", "/a b"),
        ("/a%3Fb", "/a?b"),
        ("/café", "/café"),
        ("/caf%c3%a9", "/café"),
        ("/%ff", "/\udcff"),
        ("/.well-known", "/.well-known"),
    ],
)
def test_a_path_is_kept_as_it_is_compared(written: str, kept: str) -> None:
    kind = PathPrefix()
    assert kind.parse(written) == kept
    assert kind.parse(kind.format(kept)) == kept
    assert path_text(path_bytes(kept)) == kept


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ("api", "does not begin with /", "write /api"),
        ("", "does not begin with /", "write /"),
        ("*", "does not begin with /", "write /"),
        (3, "is not a text", ""),
        ("/api/*", "needs no *", "write /api"),
        ("/*", "needs no *", "write /"),
        ("/a?x=1", "has more than a path", ""),
        ("/a#x", "has more than a path", ""),
        ("/a\tb", "cannot be printed", ""),
        ("//api", "is the same as /api", "write that"),
        ("/x/../api", "is the same as /api", "write that"),
        ("/%2e%2e/api", "is the same as /api", "write that"),
        ("/api;v=1", "is the same as /api", "write that"),
        ("/a\\b", "is the same as /a/b", "write that"),
    ],
)
def test_paths_that_no_request_has(written: object, message: str, hint: str) -> None:
    with pytest.raises(BadValue, match=message.replace("*", r"\*")) as raised:
        PathPrefix().parse(written)
    assert raised.value.hint == hint


@pytest.mark.parametrize(
    ("written", "match", "text"),
    [
        ("X-Beta", FieldMatch("x-beta"), "x-beta"),
        ("X-Beta=Yes", FieldMatch("x-beta", "Yes"), "x-beta=Yes"),
        (" X-Beta = a b ", FieldMatch("x-beta", "a b"), "x-beta=a b"),
        ("X-Beta=", FieldMatch("x-beta", ""), "x-beta="),
        ("a=b=c", FieldMatch("a", "b=c"), "a=b=c"),
    ],
)
def test_header_fields(written: str, match: FieldMatch, text: str) -> None:
    assert HEADER.parse(written) == match
    assert HEADER.format(match) == text


def test_names_of_cookies_keep_their_case() -> None:
    assert COOKIE.parse("Beta=1") == FieldMatch("Beta", "1")
    assert (HEADER.label, COOKIE.label) == ("header, or header=value", "cookie, or cookie=value")


@pytest.mark.parametrize("written", ["", "=x", "a b", "a b=c", "ä", 5, None, "a=\x00"])
def test_what_is_no_field(written: object) -> None:
    with pytest.raises(BadValue):
        HEADER.parse(written)
