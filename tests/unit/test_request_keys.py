"""Keys of requests, and the numbers that keys and names draw."""

from __future__ import annotations

import pytest

from blastbeat.request_keys import DRAW_BITS, draw, number_of, number_of_name, parse_request_key
from blastbeat.testing import make_request


def test_the_address_is_the_clients() -> None:
    assert parse_request_key("address")(make_request(remote_addr=b"192.0.2.9")) == b"192.0.2.9"


@pytest.mark.parametrize("target", [b"/a/b?c", b"/a/b", b"/a/%62?d", b"/a//./x/../b"])
def test_one_path_has_one_key_however_it_is_spelled(target: bytes) -> None:
    assert parse_request_key("path")(make_request(target=target)) == b"/a/b"


def test_the_first_of_several_headers() -> None:
    request = make_request(headers=[(b"x-other", b"1"), (b"x-user", b"ann"), (b"x-user", b"bob")])
    assert parse_request_key("header:X-User")(request) == b"ann"
    assert parse_request_key("header:x-nobody")(request) is None


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"id=ann", b"ann"),
        (b"a=b; id=ann ;c=d", b"ann"),
        (b"id=ann; id=bob", b"ann"),
        (b"xid=bob", None),
        (b"ID=bob", None),
        (b"id", None),
        (b"id=", b""),
        (b"id=a=b", b"a=b"),
    ],
)
def test_the_value_of_a_cookie(header: bytes, value: bytes | None) -> None:
    assert parse_request_key("cookie:id")(make_request(headers=[(b"cookie", header)])) == value


@pytest.mark.parametrize("key", ["", "adress", "header:", "cookie:", "header:a b", "cookie:ü", "path:/x", 7])
def test_what_is_no_key(key: object) -> None:
    with pytest.raises(ValueError, match="write address, path, header:NAME or cookie:NAME"):
        parse_request_key(key)


def test_numbers_are_fixed_for_good() -> None:
    """Every server draws the same, whatever its version: else an upgrade would move all keys."""
    assert number_of(b"") == 0xE4A6A0577479B2B4
    assert number_of_name("node1") == number_of(b"node1")
    assert draw(number_of(b"key"), number_of_name("node1")) == 0xD40731D24677C180


def test_every_bit_of_a_draw_is_a_coin() -> None:
    draws = [draw(number_of(b"%d" % number), number_of_name("node1")) for number in range(2000)]
    for bit in range(DRAW_BITS):
        ones = sum(number >> bit & 1 for number in draws)
        assert abs(ones - 1000) < 5 * 500**0.5, f"bit {bit}: five sigma"
