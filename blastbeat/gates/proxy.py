"""The PROXY protocol's header, versions 1 and 2: who the client is, told before anything else.

Source: "The PROXY protocol", HAProxy, 2020/03/05, sections 2.1 and 2.2. Knows bytes only; whether the one
who sent them may be believed is for others to decide.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from blastbeat.errors import GrammarError

MAX_V1 = 107
"""Bytes of a version 1 line with its CRLF (section 2.1)."""

MAX_V2 = 4096
"""Bytes of a version 2 header, its TLVs included. Its length field could say 65551 in all; what balancers
send (names of certificates, ids) is a few hundred."""

V1_BEGINS = b"PROXY "
V2_BEGINS = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_FIXED = 16
_LOCAL, _PROXY = 0x20, 0x21  # version 2 in the upper half of the byte
# Family and protocol -> bytes of both addresses with their ports. Only TCP over IPv4 and IPv6 names a client
# as HTTP knows them; the others are valid, and the real peer is kept for them (section 2.2).
_TCP4, _TCP6 = 0x11, 0x21
_ADDRESSES = {0x00: 0, _TCP4: 12, 0x12: 12, _TCP6: 36, 0x22: 36, 0x31: 216, 0x32: 216}

# No leading zeros, so that nobody reads a number as octal.
_V1_LINE = re.compile(
    rb"PROXY TCP(?:4 ([0-9.]{7,15}) ([0-9.]{7,15})|6 ([0-9A-Fa-f:.]{2,39}) ([0-9A-Fa-f:.]{2,39}))"
    rb" (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})"
)


class ProxyHeader(NamedTuple):
    """What was told. An empty `addr`: the real peer is kept, since the connection is the balancer's own (a
    health check) or its client has no address of IP. `size`: bytes of the header."""

    size: int
    addr: str = ""
    port: int = 0


def parse_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header that `data` begins with; None while too little of it is here. What was decided for some
    bytes does not change with those that follow.

    Raises GrammarError for what is no header, or a malformed one.
    """
    if data.startswith(V1_BEGINS[: len(data)]):
        return _parse_v1(data)
    if data.startswith(V2_BEGINS[: len(data)]):
        return _parse_v2(data)
    raise GrammarError(400, "no PROXY protocol header")


def _parse_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, MAX_V1)
    if end < 0:
        if len(data) >= MAX_V1:
            raise GrammarError(400, f"a PROXY line without an end within {MAX_V1} bytes")
        return None
    line, size = data[:end], end + 2
    if line == b"PROXY UNKNOWN" or line.startswith(b"PROXY UNKNOWN "):
        return ProxyHeader(size)
    match = _V1_LINE.fullmatch(line)
    if match is None:
        raise GrammarError(400, "a malformed PROXY line")
    kind: type[IPv4Address | IPv6Address] = IPv4Address if match[1] else IPv6Address
    source, target = match[1] or match[3], match[2] or match[4]
    port = int(match[5])
    if port > 0xFFFF or int(match[6]) > 0xFFFF:
        raise GrammarError(400, "a port beyond 65535 in a PROXY line")
    try:
        kind(target.decode())
        return ProxyHeader(size, _text(kind(source.decode())), port)
    except ValueError:
        raise GrammarError(400, "a malformed address in a PROXY line") from None


def _parse_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < _V2_FIXED:
        return None
    command, family, length = data[12], data[13], int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise GrammarError(400, f"a PROXY header with version and command 0x{command:02x}")
    size = _V2_FIXED + length
    if size > MAX_V2:
        raise GrammarError(400, f"a PROXY header of {size} bytes; at most {MAX_V2} are read")
    if command == _PROXY:
        if family not in _ADDRESSES:
            raise GrammarError(400, f"a PROXY header with address family 0x{family:02x}")
        if length < _ADDRESSES[family]:
            raise GrammarError(400, "a PROXY header too short for its addresses")
    if len(data) < size:
        return None
    if command == _LOCAL or family not in (_TCP4, _TCP6):
        return ProxyHeader(size)
    width = _ADDRESSES[family] // 2 - 2  # of one address, in two addresses and two ports
    ports = _V2_FIXED + 2 * width
    addr = _text(ip_address(data[_V2_FIXED : _V2_FIXED + width]))
    return ProxyHeader(size, addr, int.from_bytes(data[ports : ports + 2], "big"))


def _text(address: IPv4Address | IPv6Address) -> str:
    """As everybody writes it; IPv4 mapped into IPv6 is IPv4."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)
