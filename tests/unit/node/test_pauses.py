"""Pauses before a worker is started again."""

from __future__ import annotations

from blastbeat.node.pauses import LONGEST, STEADY, Pauses


def test_they_grow_up_to_a_bound() -> None:
    pauses = Pauses()
    assert [pauses.after(0.0) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, LONGEST, LONGEST]


def test_one_that_served_for_long_is_replaced_at_once() -> None:
    pauses = Pauses()
    pauses.after(1.0)
    assert pauses.after(STEADY) == 0
    assert pauses.after(1.0) == 0.5
