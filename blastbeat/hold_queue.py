"""The requests of one virtualhost that wait for an instance, in the order of their arrival.

Bookkeeping only: who waits for which nodes, and how many may. Knows no time, no instance and no stream; when
somebody waits, and for how long, is `holding`'s business.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from blastbeat.exchange import Exchange


class Lane:
    """Those that wait for the same nodes. `again`: they were with an instance already, which they must not
    get twice, so one of them may have to wait while those in `first` need not. Values are the streams."""

    __slots__ = ("again", "first", "names", "queue")

    def __init__(self, queue: HoldQueue, names: tuple[str, ...]) -> None:
        self.queue = queue
        self.names = names
        self.first: OrderedDict[Exchange, Any] = OrderedDict()
        self.again: OrderedDict[Exchange, Any] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self.first or self.again)


class HoldQueue:
    """At most `limit` requests, in one lane per set of nodes that is asked for."""

    __slots__ = ("_lanes", "limit", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._lanes: dict[tuple[str, ...], Lane] = {}

    def is_full(self) -> bool:
        return self.size >= self.limit

    def has_waiting(self, names: tuple[str, ...]) -> bool:
        """Others wait for these nodes, and for nothing else: a newcomer goes behind them."""
        lane = self._lanes.get(names)
        return lane is not None and bool(lane.first)

    def put(self, exchange: Exchange, stream: Any) -> Lane:
        """At the end of its lane. The queue must not be full."""
        names = exchange.node_names
        lane = self._lanes.get(names)
        if lane is None:
            lane = self._lanes[names] = Lane(self, names)
        (lane.again if exchange.tried else lane.first)[exchange] = stream
        self.size += 1
        return lane

    def remove(self, lane: Lane, exchange: Exchange) -> bool:
        """False when it does not wait there (any more)."""
        for waiting in (lane.first, lane.again):
            if waiting.pop(exchange, None) is not None:
                self.size -= 1
                if not lane:
                    del self._lanes[lane.names]
                return True
        return False
