"""RFC 7617 as clients write it, rightly and wrongly."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_basic_case import field
from blastbeat_auth_basic.credentials import MAX_LENGTH, Malformed, challenge, parse_credentials, realm


def coded(text: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", b"Basic " + base64.b64encode(text))]


def test_the_example_of_the_rfc() -> None:
    headers = [(b"authorization", b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")]
    assert parse_credentials(headers) == (b"Aladdin", b"open sesame")


def test_utf_8_and_colons_in_passwords() -> None:
    assert parse_credentials([(b"authorization", b"bAsIc dGVzdDoxMjPCow==")]) == (b"test", b"123\xc2\xa3")
    assert parse_credentials(coded(b"anna:a:b:")) == (b"anna", b"a:b:")
    assert parse_credentials(coded(b":")) == (b"", b"")


def test_none_were_sent() -> None:
    assert parse_credentials([]) is None
    assert parse_credentials([(b"authorization", b"Bearer abc"), (b"x", b"Basic YTpi")]) is None


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ([field("a", "b"), field("c", "d")], "more than one"),
        ([(b"authorization", b"Basic")], "colon"),
        ([(b"authorization", b"Basic YTpi YTpi")], "base64"),
        ([(b"authorization", b"Basic YTpi\xff")], "base64"),
        ([(b"authorization", b"Basic YTp")], "base64"),
        (coded(b"no colon"), "colon"),
        (coded(b"\xff:\xff"), "UTF-8"),
        (coded(b"anna\r\nX: y:p"), "control"),
        (coded(b"anna:p\0"), "control"),
        (coded(b"a:" + b"p" * MAX_LENGTH), "longer"),
    ],
)
def test_malformed_ones_are_told_apart(headers: list[tuple[bytes, bytes]], why: str) -> None:
    with pytest.raises(Malformed, match=why):
        parse_credentials(headers)


@given(st.binary(max_size=200))
def test_any_bytes_are_credentials_or_malformed(value: bytes) -> None:
    for headers in ([(b"authorization", value)], [(b"authorization", b"Basic " + value)], coded(value)):
        try:
            found = parse_credentials(headers)
        except Malformed:
            continue
        assert found is None or b":" not in found.user


def test_the_challenge_quotes_its_realm() -> None:
    assert challenge('The "shop" \\ 1') == b'Basic realm="The \\"shop\\" \\\\ 1", charset="UTF-8"'
    assert realm(" The shop ") == "The shop"
    for bad in ("", "caf\u00e9", "x" * 201, "a\x7fb", ["a", "b"]):
        with pytest.raises(ValueError, match="ASCII|once|printed"):
            realm(bad)
