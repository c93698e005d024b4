"""The default selector: the family's contract, and how it spreads."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from blastbeat.interfaces import InstanceView, Selector
from blastbeat.plugins import least_connections
from blastbeat.testing import SelectorContract, make_instance, make_registered, make_request

REQUEST = make_request()


def new_selector() -> Selector:
    selector: Selector = make_registered(least_connections, "selector", "least-connections")
    return selector


def instances(*sessions: int) -> list[InstanceView]:
    return [make_instance(f"node{number}", sessions=count) for number, count in enumerate(sessions)]


def choose(selector: Selector, candidates: list[InstanceView], times: int) -> list[str]:
    chosen = (selector.select(candidates, REQUEST) for _ in range(times))
    return [one.identity for one in chosen if one is not None]


class TestLeastConnections(SelectorContract):
    plugin = least_connections
    name = "least-connections"


def test_the_fewest_sessions_win() -> None:
    assert choose(new_selector(), instances(3, 1, 2), 3) == ["node1"] * 3


def test_ties_go_round() -> None:
    assert choose(new_selector(), instances(0, 5, 0, 0), 7) == [
        "node0", "node2", "node3", "node0", "node2", "node3", "node0",
    ]  # fmt: skip


def test_ties_spread_evenly_when_every_session_is_over_at_once() -> None:
    counts = Counter(choose(new_selector(), instances(0, 0, 0), 300))
    assert counts == {"node0": 100, "node1": 100, "node2": 100}


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.integers(1, 40))
def test_it_always_takes_a_minimum(sessions: list[int], times: int) -> None:
    selector, candidates = new_selector(), instances(*sessions)
    for _ in range(times):
        chosen = selector.select(candidates, REQUEST)
        assert chosen is not None and chosen.sessions == min(one.sessions for one in candidates)
        chosen.sessions += 1
    spread = [one.sessions for one in candidates]
    assert max(spread) - min(spread) <= max(1, max(sessions) - min(sessions))


def test_it_bears_a_shrinking_and_growing_choice() -> None:
    selector = new_selector()
    for size in (5, 1, 3, 2, 8, 1):
        assert len(set(choose(selector, instances(*[0] * size), size))) == size, "each once in a round"


def test_each_virtualhost_counts_for_itself() -> None:
    first, second = new_selector(), new_selector()
    candidates = instances(0, 0)
    assert choose(first, candidates, 1) == choose(second, candidates, 1) == ["node0"]
