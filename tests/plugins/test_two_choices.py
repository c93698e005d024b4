"""Two random choices: the family's contract, which of two is taken, and how it spreads."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.plugins import two_choices
from blastbeat.plugins.two_choices import TwoChoices
from blastbeat.testing import SelectorContract, make_instance, make_request

REQUEST = make_request()


class TestTwoChoices(SelectorContract):
    plugin = two_choices
    name = "two-choices"


def picking(*numbers: int) -> Callable[[int], int]:
    left = list(numbers)

    def pick_below(count: int) -> int:
        number = left.pop(0)
        assert number < count
        return number

    return pick_below


@pytest.mark.parametrize(
    ("picks", "chosen"), [((0, 0), "node1"), ((0, 1), "node2"), ((2, 1), "node1"), ((1, 0), "node1")]
)
def test_of_two_different_ones_that_with_fewer_sessions(picks: tuple[int, int], chosen: str) -> None:
    candidates = [make_instance(f"node{number}", sessions=(5, 0, 3)[number]) for number in range(3)]
    assert TwoChoices(picking(*picks)).select(candidates, REQUEST).identity == chosen


def test_of_equal_ones_that_with_less_waiting() -> None:
    candidates = [make_instance("a", queued_bytes=10), make_instance("b")]
    assert TwoChoices(picking(0, 0)).select(candidates, REQUEST).identity == "b"
    candidates[1].queued_bytes = 10
    assert TwoChoices(picking(1, 0)).select(candidates, REQUEST).identity == "b", "the first picked"


def test_a_single_one_needs_no_luck() -> None:
    only = make_instance("a")
    assert TwoChoices(picking()).select([only], REQUEST) is only


@given(st.integers(0, 1 << 32), st.integers(2, 30))
def test_it_spreads_well(seed: int, count: int) -> None:
    """The most loaded of n is above the mean by log log n / log 2 and a little, however many sessions there
    are; with one choice it would be by the root of their number."""
    selector = TwoChoices(random.Random(seed).randrange)
    candidates = [make_instance(f"node{number}") for number in range(count)]
    for _ in range(50 * count):
        selector.select(candidates, REQUEST).sessions += 1
    assert max(one.sessions for one in candidates) <= 50 + 6
