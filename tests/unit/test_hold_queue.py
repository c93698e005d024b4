"""Who waits for an instance of which nodes, in which order, and how many may."""

from __future__ import annotations

from typing import Any

from blastbeat.exchange import Exchange
from blastbeat.hold_queue import HoldQueue
from tests.helpers.fakes import make_exchange


def waiting(*names: str, tried: tuple[Any, ...] = ()) -> Exchange:
    exchange = make_exchange()
    exchange.node_names = names
    exchange.tried = frozenset(tried)
    return exchange


def test_the_order_of_arrival_is_kept() -> None:
    queue = HoldQueue(10)
    exchanges = [waiting("app") for _ in range(3)]
    lanes = [queue.put(exchange, number) for number, exchange in enumerate(exchanges)]
    assert lanes[0] is lanes[1] is lanes[2] and lanes[0].names == ("app",)
    assert list(lanes[0].first.items()) == list(zip(exchanges, range(3), strict=True))


def test_the_limit_counts_all_lanes() -> None:
    queue = HoldQueue(2)
    queue.put(waiting("a"), "one")
    assert not queue.is_full()
    exchange = waiting("b")
    lane = queue.put(exchange, "two")
    assert queue.is_full() and queue.size == 2
    assert queue.remove(lane, exchange) and not queue.is_full()


def test_a_lane_is_forgotten_with_its_last_request() -> None:
    queue = HoldQueue(2)
    exchange = waiting("a")
    lane = queue.put(exchange, "one")
    assert queue.has_waiting(("a",)) and not queue.has_waiting(("b",))
    assert queue.remove(lane, exchange) and not lane
    assert not queue.remove(lane, exchange), "only once"
    assert not queue.has_waiting(("a",)) and queue.size == 0
    assert queue.put(waiting("a"), "two") is not lane


def test_who_was_with_an_instance_already_holds_nobody_up() -> None:
    queue = HoldQueue(2)
    exchange = waiting("a", tried=("an instance",))
    lane = queue.put(exchange, "again")
    assert not queue.has_waiting(("a",)) and list(lane.again) == [exchange] and not lane.first
    assert queue.remove(lane, exchange) and queue.size == 0
