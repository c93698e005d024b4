"""Long bodies: so many bytes in pieces that all differ, and their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

MIB = 1024 * 1024
BLOCK = bytes(range(256)) * 256


def blocks(total: int) -> Iterator[bytes]:
    """`total` bytes in pieces of 64 KiB, each piece different."""
    for number in range(total // len(BLOCK)):
        yield number.to_bytes(8, "big") + BLOCK[8:]


def digest(pieces: Iterator[bytes]) -> str:
    value = hashlib.sha256()
    for piece in pieces:
        value.update(piece)
    return value.hexdigest()
