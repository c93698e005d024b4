"""What is to go to one client at a pace: taken from what was gathered in pieces, each asked about once.

Knows lists of buffers and nothing else; who keeps the time is the caller.
"""

from __future__ import annotations

from blastbeat.events import Buffer

PIECE = 16 * 1024
"""Bytes asked about at once. Those that share a rate take turns by pieces of this size."""

SLACK = 0.001
"""Seconds: a shorter wait is none, because no timer is that exact. The pace remembers what went early."""


def take_piece(gathered: list[Buffer], size: int = PIECE) -> list[Buffer]:
    """Up to `size` bytes from the front of `gathered`, which keeps the rest; a large buffer is split without
    being copied."""
    taken = 0
    for position, buffer in enumerate(gathered):
        length = len(buffer)
        if taken + length > size:
            room = size - taken
            piece = gathered[:position]
            if room:
                whole = memoryview(buffer)
                piece.append(whole[:room])
                gathered[position] = whole[room:]
            del gathered[:position]
            return piece
        taken += length
    piece = gathered[:]
    gathered.clear()
    return piece
