"""The selector that goes round: the family's contract, and its order."""

from __future__ import annotations

from blastbeat.interfaces import InstanceView, Selector
from blastbeat.plugins import round_robin
from blastbeat.testing import SelectorContract, make_instance, make_registered, make_request

REQUEST = make_request()


def new_selector() -> Selector:
    selector: Selector = make_registered(round_robin, "selector", "round-robin")
    return selector


def instances(*sessions: int) -> list[InstanceView]:
    return [make_instance(f"node{number}", sessions=count) for number, count in enumerate(sessions)]


def choose(selector: Selector, candidates: list[InstanceView], times: int) -> list[str]:
    chosen = (selector.select(candidates, REQUEST) for _ in range(times))
    return [one.identity for one in chosen if one is not None]


class TestRoundRobin(SelectorContract):
    plugin = round_robin
    name = "round-robin"


def test_each_in_its_turn_whatever_the_sessions() -> None:
    assert choose(new_selector(), instances(9, 0, 5), 4) == ["node0", "node1", "node2", "node0"]


def test_it_bears_a_shrinking_and_growing_choice() -> None:
    selector = new_selector()
    for size in (5, 1, 3, 2, 8, 1):
        assert len(set(choose(selector, instances(*[0] * size), size))) == size, "each once in a round"


def test_each_virtualhost_counts_for_itself() -> None:
    first, second = new_selector(), new_selector()
    candidates = instances(0, 0)
    assert choose(first, candidates, 1) == choose(second, candidates, 1) == ["node0"]
