"""Headers of the PROXY protocol, made by hand. Knows nothing of the server's code."""

from __future__ import annotations

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
TCP4, TCP6, UNIX = 0x11, 0x21, 0x31


def v1(source: str, port: int = 50000, target: str = "203.0.113.1", target_port: int = 443) -> bytes:
    """Version 1, for TCP."""
    family = 6 if ":" in source else 4
    if family == 6 and ":" not in target:
        target = "2001:db8::1"
    return f"PROXY TCP{family} {source} {target} {port} {target_port}\r\n".encode()


def v2(source: str, port: int = 50000, *, tlvs: bytes = b"") -> bytes:
    """Version 2, command PROXY, for TCP."""
    address = ipaddress.ip_address(source)
    block = address.packed * 2 + struct.pack("!HH", port, 443) + tlvs
    return v2_raw(0x21, TCP4 if address.version == 4 else TCP6, block)


def v2_raw(command: int, family: int, block: bytes) -> bytes:
    """Version 2 with any version and command byte, family byte and block."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(block)) + block
