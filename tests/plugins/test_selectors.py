"""The built-in selectors: the family's contract, and how each spreads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.interfaces import InstanceView, Selector
from blastbeat.plugins import least_connections, round_robin
from blastbeat.testing import SelectorContract, make_instance, make_registered, make_request

REQUEST = make_request()


def new_least_connections() -> Selector:
    selector: Selector = make_registered(least_connections, "selector", "least-connections")
    return selector


def new_round_robin() -> Selector:
    selector: Selector = make_registered(round_robin, "selector", "round-robin")
    return selector


def instances(*sessions: int) -> list[InstanceView]:
    return [make_instance(f"node{number}", sessions=count) for number, count in enumerate(sessions)]


def choose(selector: Selector, candidates: Sequence[InstanceView], times: int) -> list[str]:
    chosen = (selector.select(candidates, REQUEST) for _ in range(times))
    return [one.identity for one in chosen if one is not None]


class TestLeastConnections(SelectorContract):
    new_selector = staticmethod(new_least_connections)


class TestRoundRobin(SelectorContract):
    new_selector = staticmethod(new_round_robin)


def test_the_fewest_sessions_win() -> None:
    assert choose(new_least_connections(), instances(3, 1, 2), 3) == ["node1"] * 3


def test_ties_go_round() -> None:
    assert choose(new_least_connections(), instances(0, 5, 0, 0), 7) == [
        "node0", "node2", "node3", "node0", "node2", "node3", "node0",
    ]  # fmt: skip


def test_ties_spread_evenly_when_every_session_is_over_at_once() -> None:
    counts = Counter(choose(new_least_connections(), instances(0, 0, 0), 300))
    assert counts == {"node0": 100, "node1": 100, "node2": 100}


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.integers(1, 40))
def test_least_connections_always_takes_a_minimum(sessions: list[int], times: int) -> None:
    selector, candidates = new_least_connections(), instances(*sessions)
    for _ in range(times):
        chosen = selector.select(candidates, REQUEST)
        assert chosen is not None and chosen.sessions == min(one.sessions for one in candidates)
        chosen.sessions += 1
    spread = [one.sessions for one in candidates]
    assert max(spread) - min(spread) <= max(1, max(sessions) - min(sessions))


def test_round_robin_goes_round_whatever_the_sessions() -> None:
    assert choose(new_round_robin(), instances(9, 0, 5), 4) == ["node0", "node1", "node2", "node0"]


@pytest.mark.parametrize("new_selector", [new_least_connections, new_round_robin])
def test_both_bear_a_shrinking_and_growing_choice(new_selector: Callable[[], Selector]) -> None:
    selector = new_selector()
    for size in (5, 1, 3, 2, 8, 1):
        candidates = instances(*[0] * size)
        assert len(set(choose(selector, candidates, size))) == size, "each once in a round"


@pytest.mark.parametrize("new_selector", [new_least_connections, new_round_robin])
def test_each_virtualhost_counts_for_itself(new_selector: Callable[[], Selector]) -> None:
    first, second = new_selector(), new_selector()
    candidates = instances(0, 0)
    assert choose(first, candidates, 1) == choose(second, candidates, 1) == ["node0"]
