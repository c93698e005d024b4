"""Random bytes from the operating system, fetched in blocks: a system call per request costs too much.

Every byte is handed out once.
"""

from __future__ import annotations

import os

BLOCK = 4096  # bytes
REQUEST_ID_BYTES = 16


class Randomness:
    """Bytes fit for identifiers nobody may guess."""

    __slots__ = ("_block", "_used")

    def __init__(self) -> None:
        self._block = b""
        self._used = 0

    def take(self, size: int) -> bytes:
        """`size` bytes, at most BLOCK."""
        begin = self._used
        if begin + size > len(self._block):
            self._block = os.urandom(BLOCK)
            begin = 0
        self._used = begin + size
        return self._block[begin : self._used]

    def hex_id(self) -> bytes:
        """REQUEST_ID_BYTES of them in hexadecimal, as ASCII."""
        return self.take(REQUEST_ID_BYTES).hex().encode()
