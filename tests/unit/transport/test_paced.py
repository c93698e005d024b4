"""Pieces of what was gathered, to go at a pace."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blastbeat.events import Buffer
from blastbeat.transport.paced import PIECE, take_piece


@given(st.lists(st.integers(0, 50)), st.integers(1, 40))
def test_every_byte_once_and_in_order(lengths: list[int], size: int) -> None:
    whole = bytes(range(256)) * 10
    gathered: list[Buffer] = []
    start = 0
    for length in lengths:
        gathered.append(whole[start : start + length])
        start += length
    pieces = []
    while gathered:
        piece = b"".join(take_piece(gathered, size))
        assert len(piece) <= size and (len(piece) == size or not gathered)
        pieces.append(piece)
    assert b"".join(pieces) == whole[:start]


def test_a_large_buffer_is_split_and_not_copied() -> None:
    data = bytearray(3 * PIECE)
    gathered: list[Buffer] = [data]
    piece = take_piece(gathered)
    assert isinstance(piece[0], memoryview) and piece[0].obj is data
    rest = gathered[0]
    assert isinstance(rest, memoryview) and rest.obj is data and len(rest) == 2 * PIECE
