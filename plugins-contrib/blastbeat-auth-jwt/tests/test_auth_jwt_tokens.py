"""Where a token is looked for, and what is not even looked at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.testing import make_request
from blastbeat_auth_jwt.tokens import Ambiguous, Malformed, find_token, sources

TOKEN = b"abc.def-1.ghi_2"


def find(places: str, target: bytes = b"/", *headers: tuple[bytes, bytes]) -> bytes | None:
    return find_token(make_request(target=target, headers=list(headers)), sources(places), 100)


def test_in_the_header() -> None:
    assert find("header", b"/", (b"authorization", b"Bearer " + TOKEN)) == TOKEN
    assert find("header", b"/", (b"authorization", b"bEARER  " + TOKEN + b" ")) == TOKEN
    assert find("header", b"/", (b"authorization", b"Basic YTpi")) is None
    assert find("header", b"/?access_token=" + TOKEN, (b"cookie", b"t=" + TOKEN)) is None


def test_in_a_cookie() -> None:
    assert find("cookie:t", b"/", (b"cookie", b'tt=1; t="' + TOKEN + b'"; u=2')) == TOKEN
    assert find("cookie:t", b"/", (b"cookie", b"a=1"), (b"cookie", b"t=" + TOKEN)) == TOKEN
    assert find("cookie:t", b"/", (b"cookie", b"T=" + TOKEN + b"; xt=" + TOKEN)) is None


def test_in_the_query() -> None:
    assert find("query:t", b"/?a=b&t=" + TOKEN) == TOKEN
    assert find("query:t", b"/t=" + TOKEN) is None


def test_the_first_place_that_has_one_counts() -> None:
    headers = ((b"authorization", b"Basic YTpi"), (b"cookie", b"t=" + TOKEN))
    assert find("header,cookie:t", b"/", *headers) == TOKEN
    assert find("query:q cookie:t", b"/?q=a.b.c", *headers) == b"a.b.c"


@pytest.mark.parametrize(
    ("places", "target", "headers"),
    [
        ("header", b"/", [(b"authorization", b"Bearer " + TOKEN)] * 2),
        ("cookie:t", b"/", [(b"cookie", b"t=a.b.c; t=d.e.f")]),
        ("query:t", b"/?t=a.b.c&t=d.e.f", []),
    ],
)
def test_two_tokens_are_none(places: str, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Ambiguous):
        find(places, target, *headers)


@pytest.mark.parametrize(
    ("places", "target", "headers"),
    [
        ("header", b"/", [(b"authorization", b"Bearer " + b"a" * 101)]),
        ("header", b"/", [(b"authorization", b"Bearer")]),
        ("header", b"/", [(b"authorization", b"Bearer a.b.")]),
        ("header", b"/", [(b"authorization", b"Bearer a.b.c.d.e")]),
        ("header", b"/", [(b"authorization", b"Bearer a.b c.d")]),
        ("header", b"/", [(b"authorization", b"Bearer a.b.c=")]),
        ("header", b"/", [(b"authorization", b"Bearer a.b.\xff")]),
        ("query:t", b"/?t=", []),
    ],
)
def test_what_is_no_token_is_refused(places: str, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Malformed):
        find(places, target, *headers)


@pytest.mark.parametrize("bad", ["", "body", "cookie", "cookie:", "cookie:a b", "query:\u00e9", "header:x"])
def test_places_that_are_none(bad: str) -> None:
    with pytest.raises(ValueError):
        sources(bad)


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_any_request_has_a_token_or_none_or_is_malformed(target: bytes, field: bytes, cookie: bytes) -> None:
    headers = ((b"authorization", b"Bearer " + field), (b"cookie", b"t=" + cookie))
    for place in ("header", "cookie:t", "query:t"):
        try:
            found = find(place, b"/?t=" + target, *headers)
        except (Ambiguous, Malformed):
            continue
        assert found is None or len(found.split(b".")) == 3
