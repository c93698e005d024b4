"""Rows of usage add up."""

from __future__ import annotations

from blastbeat_policy.usage import FIGURES, Usage


def test_usage_adds_up() -> None:
    one = Usage(1, 2, 3, 4, 5, 6, {"requests": 1})
    one.add(Usage(1, 1, 1, 1, 1, 1, {"requests": 1, "traffic": 2}))
    assert one == Usage(2, 3, 4, 5, 6, 7, {"requests": 2, "traffic": 2})
    assert one.traffic == 4 + 5 and one.figures() == (2, 3, 4, 5, 6, 7) and len(FIGURES) == 6


def test_usage_of_nothing_is_false() -> None:
    assert not Usage() and Usage(bytes_in=1) and Usage(refused={"traffic": 1})
