"""Weights: the family's contract, the proportions, the smoothness, and what is refused."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.interfaces import ExpectsNodes, InstanceView, Selector
from blastbeat.plugins import weighted_round_robin
from blastbeat.testing import SelectorContract, make_instance, make_registered, make_request

REQUEST = make_request()


def new_selector(**weights: Any) -> Selector:
    selector: Selector = make_registered(weighted_round_robin, "selector", "weighted-round-robin")
    assert isinstance(selector, ExpectsNodes)
    selector.expect_nodes({node: {"weight": weight} for node, weight in weights.items()})
    return selector


def choose(selector: Selector, candidates: list[InstanceView], times: int) -> list[str]:
    chosen = (selector.select(candidates, REQUEST) for _ in range(times))
    return [one.identity for one in chosen if one is not None]


class TestWeightedRoundRobin(SelectorContract):
    plugin = weighted_round_robin
    name = "weighted-round-robin"


def test_the_turns_are_spread_over_the_round() -> None:
    """As nginx documents it for 5, 1, 1."""
    candidates = [make_instance(name) for name in "abc"]
    assert "".join(choose(new_selector(a=5, b=1, c=1), candidates, 14)) == "aabacaa" * 2


def test_weights_of_both_notations() -> None:
    candidates = [make_instance(name) for name in "ab"]
    assert Counter(choose(new_selector(a="3", b=1), candidates, 400)) == {"a": 300, "b": 100}


def test_without_weights_it_goes_round() -> None:
    selector: Selector = make_registered(weighted_round_robin, "selector", "weighted-round-robin")
    candidates = [make_instance(name) for name in "abc"]
    assert choose(selector, candidates, 6) == list("abcabc")


def test_each_instance_has_the_weight_of_its_node() -> None:
    candidates = [make_instance(name) for name in ("a/1", "a/2", "b")]
    assert Counter(choose(new_selector(a=2), candidates, 50)) == {"a/1": 20, "a/2": 20, "b": 10}


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.integers(1, 3))
def test_a_whole_round_is_exactly_as_the_weights_say(weights: list[int], rounds: int) -> None:
    names = [f"node{number}" for number in range(len(weights))]
    selector = new_selector(**dict(zip(names, weights, strict=True)))
    counts = Counter(choose(selector, [make_instance(name) for name in names], sum(weights) * rounds))
    assert counts == {name: weight * rounds for name, weight in zip(names, weights, strict=True)}


@given(st.lists(st.sets(st.integers(0, 4), min_size=1), min_size=1, max_size=30))
def test_whoever_comes_and_goes_a_steady_choice_is_soon_as_the_weights_say(offers: list[set[int]]) -> None:
    """What went before moves no count by more than a round."""
    weights = {f"node{number}": number + 1 for number in range(5)}
    selector = new_selector(**weights)
    views = [make_instance(name) for name in weights]
    for offered in offers:
        selector.select([views[number] for number in sorted(offered)], REQUEST)
    counts = Counter(choose(selector, views, 15 * 20))
    for name, weight in weights.items():
        assert abs(counts[name] - weight * 20) <= 15


def test_instances_that_have_gone_are_forgotten() -> None:
    selector: Any = new_selector()
    for number in range(1000):
        selector.select([make_instance(f"a/{number}"), make_instance("b")], REQUEST)
    assert len(selector._accounts) <= 70


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": 0}, "node app: weight=0: must be from 1 to 1000"),
        ({"weight": "1001"}, "node app: weight=1001: must be from 1 to 1000"),
        ({"weight": "much"}, "node app: weight=much: is not a whole number"),
        ({"weight": 1.5}, "node app: weight=1.5: is not a whole number"),
        ({"wieght": "3"}, "node app: wieght=3: no such option; a node takes weight"),
    ],
)
def test_what_is_no_weight(options: dict[str, Any], message: str) -> None:
    selector = new_selector()
    assert isinstance(selector, ExpectsNodes)
    with pytest.raises(ValueError) as caught:
        selector.expect_nodes({"other": {}, "app": options})
    assert str(caught.value) == message
