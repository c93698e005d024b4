"""The PROXY protocol's header: the specification's examples and rules, and what breaks them."""

from __future__ import annotations

import pytest

from blastbeat.errors import GrammarError
from blastbeat.gates.proxy import MAX_V2, ProxyHeader, parse_proxy_header
from tests.helpers.proxy import SIGNATURE, TCP4, TCP6, UNIX, v1, v2, v2_raw

LONGEST_IPV6 = "ffff:f...f:ffff".replace("f...f", "ffff:ffff:ffff:ffff:ffff:ffff")
IPV4_BLOCK = bytes([192, 0, 2, 9, 203, 0, 113, 1]) + b"\xc3\x50\x01\xbb"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "addr", "port"),
    [
        # The example of section 2.1, and its longest lines.
        (b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "192.168.0.1", 56324),
        (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255", 65535),
        (v1(LONGEST_IPV6, 65535, LONGEST_IPV6, 65535), LONGEST_IPV6, 65535),
        (b"PROXY UNKNOWN\r\n", "", 0),
        (b"PROXY UNKNOWN ffff::1 what ever it says\r\n", "", 0),
        (v1("2001:DB8:0:0::9", 0), "2001:db8::9", 0),
        (v1("::ffff:192.0.2.9"), "192.0.2.9", 50000),
        (v2("192.0.2.9", 1), "192.0.2.9", 1),
        (v2("2001:db8::9"), "2001:db8::9", 50000),
        (v2("::ffff:192.0.2.9"), "192.0.2.9", 50000),
        (v2("192.0.2.9", tlvs=b"\x01\x00\x02h2\x04\x00\x00"), "192.0.2.9", 50000),
        (v2("192.0.2.9", tlvs=b"not even TLVs"), "192.0.2.9", 50000),
        # LOCAL: everything else is ignored, the family too.
        (v2_raw(0x20, 0x00, b""), "", 0),
        (v2_raw(0x20, 0xFF, b"x" * 100), "", 0),
        (v2_raw(0x20, TCP4, IPV4_BLOCK), "", 0),
        # PROXY, from where HTTP knows no clients.
        (v2_raw(0x21, 0x00, b""), "", 0),
        (v2_raw(0x21, 0x00, b"anything"), "", 0),
        (v2_raw(0x21, UNIX, b"/client".ljust(108, b"\0") + b"/server".ljust(108, b"\0")), "", 0),
        (v2_raw(0x21, 0x12, IPV4_BLOCK), "", 0),
    ],
)
def test_headers(data: bytes, addr: str, port: int) -> None:
    assert parse_proxy_header(data) == ProxyHeader(len(data), addr, port)
    assert parse_proxy_header(data + GET) == ProxyHeader(len(data), addr, port)
    for end in range(len(data)):
        assert parse_proxy_header(data[:end]) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (GET, "no PROXY"),
        (b"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "no PROXY"),
        (b"PROXYTCP4", "no PROXY"),
        (b"\r\n\r\n\x00\r\nQUIT\r", "no PROXY"),
        (b"\x16\x03\x01", "no PROXY"),
        (b"PROXY \r\n", "malformed PROXY line"),
        (b"PROXY TCP4\r\n", "malformed PROXY line"),
        (b"PROXY UNKNOWNS\r\n", "malformed PROXY line"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "malformed PROXY line"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "malformed PROXY line"),
        (b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "malformed PROXY line"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", "malformed PROXY line"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n", "malformed PROXY line"),
        (b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", "malformed PROXY line"),
        (b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "malformed address"),
        (b"PROXY TCP4 192.0.2.1\n192.0.2.2 1 2\r\n", "malformed PROXY line"),
        (b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", "malformed PROXY line"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", "beyond 65535"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 99999\r\n", "beyond 65535"),
        (b"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", "malformed address"),
        (b"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n", "malformed address"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2.2 1 2\r\n", "malformed address"),
        (b"PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n", "malformed PROXY line"),
        (b"PROXY TCP6 :::1 ::2 1 2\r\n", "malformed address"),
        (b"PROXY UNKNOWN" + b" " * 94, "without an end within 107"),
        (v2_raw(0x11, TCP4, IPV4_BLOCK), "command 0x11"),
        (v2_raw(0x22, TCP4, IPV4_BLOCK), "command 0x22"),
        (v2_raw(0x21, 0x41, IPV4_BLOCK), "family 0x41"),
        (v2_raw(0x21, 0x10, IPV4_BLOCK), "family 0x10"),
        (v2_raw(0x21, TCP4, IPV4_BLOCK[:-1]), "too short"),
        (v2_raw(0x21, TCP6, IPV4_BLOCK), "too short"),
        (v2_raw(0x21, UNIX, bytes(215)), "too short"),
        (SIGNATURE + b"\x21\x11\xff\xff", "65551 bytes; at most 4096"),
    ],
)
def test_what_is_none(data: bytes, words: str) -> None:
    with pytest.raises(GrammarError, match=words):
        parse_proxy_header(data)


def test_the_bounds_are_exact() -> None:
    line = b"PROXY UNKNOWN" + b" " * 92 + b"\r\n"
    assert len(line) == 107 and parse_proxy_header(line) == ProxyHeader(107)
    for size in (MAX_V2, MAX_V2 + 1):
        data = v2("192.0.2.9", tlvs=bytes(size - 28))
        assert len(data) == size
        if size == MAX_V2:
            assert parse_proxy_header(data) == ProxyHeader(size, "192.0.2.9", 50000)
        else:
            with pytest.raises(GrammarError):
                parse_proxy_header(data[:16])  # before any of it is waited for


def test_the_wait_for_a_line_is_bounded() -> None:
    with pytest.raises(GrammarError):
        parse_proxy_header(b"PROXY TCP4 " + b"1" * 96)
    assert parse_proxy_header(b"PROXY TCP4 " + b"1" * 95) is None
