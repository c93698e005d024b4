"""An independent little reader and writer of the uwsgi format (`protocol.md` §5), strict on purpose: what the
server writes must satisfy a reader that follows the specification.

Shares no code with the server's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable


def read_pairs(packet: bytes) -> list[tuple[bytes, bytes]]:
    """Variables in order; AssertionError when the packet isn't exactly one well-formed uwsgi packet."""
    modifier1, size, modifier2 = struct.unpack_from("<BHB", packet)
    assert (modifier1, modifier2) == (0, 0), f"modifiers {modifier1} {modifier2}"
    assert size == len(packet) - 4, f"datasize {size}, but {len(packet) - 4} bytes of variables"
    pairs: list[tuple[bytes, bytes]] = []
    offset = 4
    while offset < len(packet):
        key, offset = _read_string(packet, offset)
        value, offset = _read_string(packet, offset)
        pairs.append((key, value))
    return pairs


def read_variables(packet: bytes) -> dict[str, str]:
    """Variables by name, as latin-1 text; AssertionError when one comes twice."""
    pairs = read_pairs(packet)
    variables = {key.decode("latin-1"): value.decode("latin-1") for key, value in pairs}
    assert len(variables) == len(pairs), f"a variable comes twice: {sorted(key for key, _ in pairs)}"
    return variables


def write_packet(pairs: Iterable[tuple[bytes, bytes]], *, count_header: bool = False) -> bytes:
    """A packet as nodes write it. `count_header`: datasize counts the four bytes too, as the original did."""
    data = b"".join(struct.pack("<H", len(part)) + part for pair in pairs for part in pair)
    return struct.pack("<BHB", 0, len(data) + (4 if count_header else 0), 0) + data


def _read_string(packet: bytes, offset: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from("<H", packet, offset)
    end = offset + 2 + length
    assert end <= len(packet), "a string runs over the end of the packet"
    return packet[offset + 2 : end], end
