"""The choice itself: every node draws a number for the key of the request, and the best one wins.

Knows neither the configuration's text nor a clock of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log

from blastbeat.events import Request
from blastbeat.interfaces import InstanceView, Options
from blastbeat.request_keys import DRAW_BITS, RequestKey, draw, number_of, number_of_name
from blastbeat_rendezvous.nodes import Nodes
from blastbeat_rendezvous.spill import Spill

FIRST_SHARE = 0.01
"""The part of its weight that a fresh instance begins with: with none it would never be warm."""

_DROPPED_BITS = DRAW_BITS - 53  # a float holds the others exactly
_SCALE = 2.0**-53
_AMONG_INSTANCES = number_of(b"among the instances of a node")


def _stopped() -> float:
    return 0.0


class Rendezvous:
    """First a zone (`Spill`), then a node of it, then an instance of that node.

    A node of weight w waits -ln(u)/w for a key, u its draw from 0 to 1, and the one that would be there first
    wins: of many keys it gets its weight's part. Where a weight grows the node only gains keys, where it
    shrinks it only loses some, and those of the others stay where they are.

    `slow_start`: seconds in which the weight of an instance that became available grows to its full size, in
    proportion to the time; a node weighs what the best of its instances does. `busy`: an instance with so
    many sessions is passed over while the rule finds another; 0 for never.
    """

    def __init__(
        self,
        key: RequestKey,
        nodes: Nodes,
        *,
        spill_below: float = 0.0,
        slow_start: float = 0.0,
        busy: int = 0,
    ) -> None:
        self._key = key
        self._nodes = nodes
        self._spill = Spill(nodes, spill_below) if nodes.zones else None
        self._slow_start = slow_start
        self._busy = busy
        self._now: Callable[[], float] = _stopped

    def expect_nodes(self, nodes: Mapping[str, Options]) -> None:
        """Raises ValueError for what is no weight, no zone, or neither."""
        self._nodes.expect(nodes)

    def expect_clock(self, now: Callable[[], float]) -> None:
        self._now = now

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView | None:
        key = number_of(self._key(request) or request.remote_addr)
        if self._busy:
            idle = [each for each in candidates if each.sessions < self._busy]
            if idle and len(idle) < len(candidates):
                chosen = self._choose(key, idle)
                if chosen is not None:
                    return chosen
        return self._choose(key, candidates)

    def _choose(self, key: int, candidates: Sequence[InstanceView]) -> InstanceView | None:
        weights = self._nodes.weights
        warmth = self._warmth(candidates) if self._slow_start else {}
        present: Mapping[str, float] = {each.node: weights.get(each.node, 1) for each in candidates}
        if warmth:
            present = _grown(present, candidates, warmth)
        if self._spill is not None:
            present = self._spill.zone_of(key, present)
            if not present:
                return None
        node = first(key, present)
        instances = {each.identity: each for each in candidates if each.node == node}
        if len(instances) == 1:
            return next(iter(instances.values()))
        # Another key: an instance that is called like its node would have won with the same draw twice.
        key = draw(key, _AMONG_INSTANCES)
        return instances[first(key, {name: warmth.get(name, 1.0) for name in instances})]

    def _warmth(self, candidates: Sequence[InstanceView]) -> dict[str, float]:
        """The part of its weight that each instance has by now."""
        now, whole = self._now(), self._slow_start
        return {
            each.identity: min(1.0, max(FIRST_SHARE, (now - each.available_since) / whole))
            for each in candidates
        }


def _grown(
    weights: Mapping[str, float], candidates: Sequence[InstanceView], warmth: Mapping[str, float]
) -> dict[str, float]:
    """The weights of nodes as they are by now: the part that the best of its instances has."""
    grown: dict[str, float] = {}
    for each in candidates:
        grown[each.node] = max(grown.get(each.node, 0.0), weights[each.node] * warmth[each.identity])
    return grown


def first(key: int, weights: Mapping[str, float]) -> str:
    """Who waits the shortest time for `key`. There must be somebody."""
    best, shortest = "", float("inf")
    for name, weight in weights.items():
        drawn = (draw(key, number_of_name(name)) >> _DROPPED_BITS) + 0.5
        wait = -log(drawn * _SCALE) / weight
        if wait < shortest or wait == shortest and name < best:
            best, shortest = name, wait
    return best
