"""Slow start: what a fresh instance gets, and how that grows with the time that is passed in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.interfaces import InstanceView, Options
from blastbeat.testing import FakeClock, make_instance, make_request
from blastbeat_rendezvous import Rendezvous
from rendezvous_case import assert_shares, choose, instances, make, owners, relaxed


def starting(
    clock: FakeClock, options: Options | None = None, nodes: dict[str, Options] | None = None
) -> Rendezvous:
    selector = make({"slow-start": "100s", **(options or {})}, nodes)
    selector.expect_clock(clock.monotonic)
    return selector


def fresh(name: str, clock: FakeClock) -> InstanceView:
    return make_instance(name, available_since=clock.now)


@pytest.mark.parametrize("age", [0, 1, 10, 50, 99, 100, 5000])
def test_the_share_grows_with_the_age(age: int) -> None:
    clock = FakeClock()
    selector, offered = starting(clock), [*instances("old1", "old2"), fresh("new", clock)]
    clock.advance(age)
    weight = min(1.0, max(0.01, age / 100))
    share = 1 / (2 + weight)
    assert_shares(owners(selector, offered), {"old1": share, "old2": share, "new": weight * share})


@relaxed
@given(st.binary(min_size=1, max_size=20), st.floats(0, 200), st.floats(0, 200))
def test_keys_only_move_to_the_one_that_grows(address: bytes, first: float, more: float) -> None:
    clock = FakeClock()
    selector, request = starting(clock), make_request(remote_addr=address)
    offered = [*instances("old1", "old2", "old3"), fresh("new", clock)]
    clock.advance(first)
    before = choose(selector, offered, request)
    clock.advance(more)
    assert choose(selector, offered, request) in (before, "new")


def test_weights_count_besides() -> None:
    clock = FakeClock()
    selector = starting(clock, nodes={"new": {"weight": 6}, "old": {"weight": 3}})
    offered = [*instances("old"), fresh("new", clock)]
    clock.advance(50)
    assert_shares(owners(selector, offered), {"new": 1 / 2, "old": 1 / 2})


def test_a_fresh_instance_takes_from_its_own_node_only() -> None:
    clock = FakeClock()
    selector = starting(clock)
    before = owners(selector, instances("a/1", "b/1"))
    offered = [*instances("a/1", "b/1"), fresh("a/2", clock)]
    clock.advance(50)
    after = owners(selector, offered)
    assert [name[0] for name in before] == [name[0] for name in after]
    assert_shares(after, {"a/1": 1 / 3, "a/2": 1 / 6, "b/1": 1 / 2})


def test_where_all_are_fresh_each_has_its_share() -> None:
    clock = FakeClock()
    selector = starting(clock, nodes={"a": {"weight": 3}, "b": {}})
    assert_shares(owners(selector, [fresh("a", clock), fresh("b", clock)]), {"a": 3 / 4, "b": 1 / 4})


def test_a_zone_that_comes_back_gets_its_keys_slowly() -> None:
    clock = FakeClock()
    nodes: dict[str, Options] = {"a": {"zone": "a"}, "b": {"zone": "b"}}
    selector = starting(clock, {"zone": "a", "spill": "100%"}, nodes)
    offered = [fresh("a", clock), *instances("b")]
    clock.advance(30)
    assert_shares(owners(selector, offered), {"a": 0.3, "b": 0.7})


def test_without_slow_start_nobody_asks_for_the_time() -> None:
    def forbidden() -> float:
        raise AssertionError("asked")

    selector = make()
    selector.expect_clock(forbidden)
    assert_shares(owners(selector, instances("a", "b")), {"a": 1 / 2, "b": 1 / 2})
