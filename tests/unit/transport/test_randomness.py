"""Random bytes: from the operating system, of the size asked for, none handed out twice."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.transport.randomness import BLOCK, REQUEST_ID_BYTES, Randomness


class CountedBytes:
    """An operating system whose n-th random 4 bytes are the number n: what repeats is seen."""

    def __init__(self) -> None:
        self.handed_out = 0
        self.calls = 0

    def urandom(self, size: int) -> bytes:
        assert size % 4 == 0
        self.calls += 1
        begin, self.handed_out = self.handed_out, self.handed_out + size
        return b"".join(number.to_bytes(4, "big") for number in range(begin // 4, self.handed_out // 4))


@given(st.lists(st.integers(0, BLOCK // 4), max_size=50))
def test_every_byte_is_handed_out_once(quarters: list[int]) -> None:
    system = CountedBytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "urandom", system.urandom)
        randomness = Randomness()
        pieces = [randomness.take(4 * quarter) for quarter in quarters]
    assert [len(piece) for piece in pieces] == [4 * quarter for quarter in quarters]
    taken = b"".join(pieces)
    numbers = [taken[index : index + 4] for index in range(0, len(taken), 4)]
    assert len(set(numbers)) == len(numbers)


def test_one_call_to_the_system_is_enough_for_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    system = CountedBytes()
    monkeypatch.setattr(os, "urandom", system.urandom)
    randomness = Randomness()
    for _ in range(BLOCK // REQUEST_ID_BYTES):
        randomness.take(REQUEST_ID_BYTES)
    assert system.calls == 1
    randomness.take(1)
    assert system.calls == 2


def test_ids_are_hexadecimal_and_differ() -> None:
    randomness, other = Randomness(), Randomness()
    ids = [each.hex_id() for each in (randomness, other) for _ in range(1000)]
    assert len(set(ids)) == 2000
    assert all(re.fullmatch(rb"[0-9a-f]{32}", each) for each in ids)
