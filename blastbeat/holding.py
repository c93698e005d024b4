"""Requests for which no instance is available now: who waits, and what ends the waiting (`hold`).

One per server; the queues are the virtualhosts' own. Holds no byte of a request: what its client has not sent
yet stays there. How a request is placed is `placement`'s business, what a client is answered the stream's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from blastbeat.events import CloseReason
from blastbeat.exchange import Exchange
from blastbeat.hold_queue import HoldQueue, Lane
from blastbeat.instance import Instance
from blastbeat.nodes import NodeTable
from blastbeat.progress import Phase

if TYPE_CHECKING:
    from blastbeat.dispatcher import Dispatcher
    from blastbeat.stream import Stream
    from blastbeat.virtualhost import VirtualHost

MAX_PLACED_AT_ONCE = 64
"""Then everybody else has a turn, before more of those that waited are placed."""


class Holding:
    """`size`: requests that wait now, of all virtualhosts."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.size = 0
        self._dispatcher = dispatcher
        self._counters = dispatcher.counters
        self._lanes: dict[tuple[NodeTable | None, str], dict[Lane, None]] = {}  # by the nodes they wait for
        self._due: set[Instance] = set()

    # ------------------------------------------------------------ waiting

    def hold(self, stream: Stream, exchange: Exchange, queue: HoldQueue) -> None:
        """No instance is available: the request waits for one, where there is room for it."""
        virtualhost = stream.virtualhost
        assert virtualhost is not None
        if queue.is_full():
            self._counters.add("requests.held-refused")
            virtualhost.tally.hit("hold-queue")
            detail = f"no instance available, and {queue.limit} requests wait for one already"
            stream.fail(exchange.none_left, CloseReason.LIMIT, detail)
            return
        self._counters.add("requests.held")
        lane = queue.put(exchange, stream)
        self.size += 1
        for name in lane.names:
            self._lanes.setdefault((virtualhost.table, name), {})[lane] = None
        exchange.cancel = partial(self._forget, virtualhost.table, lane, exchange)
        stream.phase = Phase.HOLDING
        if exchange.head.has_body and not exchange.request_read:
            stream.leave_body()
        stream.progress.held_until = self._dispatcher.clock.monotonic() + virtualhost.config.hold

    def _forget(self, table: NodeTable, lane: Lane, exchange: Exchange) -> None:
        """It waits no more, for whatever reason: it was placed, answered, or its client left."""
        if not lane.queue.remove(lane, exchange):
            return
        self.size -= 1
        if lane:
            return
        for name in lane.names:
            lanes = self._lanes.get((table, name), {})
            lanes.pop(lane, None)
            if not lanes:
                self._lanes.pop((table, name), None)

    # ------------------------------------------------------------ the end of waiting

    def instance_ready(self, instance: Instance) -> None:
        """It may take sessions, which it could not a moment ago. Those that wait get it as soon as all that
        nodes have said by now was read: never from within this call."""
        if not self.size or instance in self._due:
            return
        if (self._dispatcher.tables.get(instance.router), instance.node) in self._lanes:
            self._due.add(instance)
            instance.router.after_drain(partial(self._release, instance))

    def _release(self, instance: Instance) -> None:
        self._due.discard(instance)
        placed = 0
        table = self._dispatcher.tables.get(instance.router)
        if table is None:
            return  # a reload has taken its ROUTER away
        for lane in tuple(self._lanes.get((table, instance.node), ())):
            for exchange, stream in self._in_order(lane, instance):
                if not self._dispatcher.placement.try_to_place(stream, exchange):
                    if exchange in lane.first:
                        break  # nor would it take those behind
                    continue
                self._forget(table, lane, exchange)
                # `response-timeout` and `body-timeout` begin now: until here it was us who waited.
                stream.progress.moved = stream.progress.read = self._dispatcher.clock.monotonic()
                placed += 1
                if placed == MAX_PLACED_AT_ONCE:
                    self._due.add(instance)
                    instance.router.after_drain(partial(self._release, instance))
                    return

    @staticmethod
    def _in_order(lane: Lane, instance: Instance) -> Iterator[tuple[Exchange, Stream]]:
        for exchange, stream in tuple(lane.again.items()):
            exchange.tried -= {instance}  # it was away since, or has begun anew
            if exchange in lane.again:
                yield exchange, stream
        while lane.first:
            yield next(iter(lane.first.items()))

    def time_over(self, stream: Stream, exchange: Exchange) -> None:
        """It has waited for `hold` seconds."""
        self._counters.add("requests.held-over")
        detail = f"no instance available for {stream.policy.hold:g} s"
        stream.fail(exchange.none_left, CloseReason.NO_INSTANCE, detail)

    def give_up(self, reason: CloseReason, detail: str, virtualhost: VirtualHost | None = None) -> None:
        """Nobody will come any more: all that wait, or those of one virtualhost, are answered now."""
        for _, exchange, stream in self._waiting(virtualhost):
            stream.fail(exchange.none_left, reason, detail)

    def move(self, old: VirtualHost, new: VirtualHost) -> None:
        """`new` has taken the place of `old`: what waits for its nodes waits for those of `new`."""
        for lane, exchange, stream in self._waiting(old):
            self._forget(old.table, lane, exchange)
            if exchange.node_names == old.node_names:  # else a filter chose them
                exchange.node_names = new.node_names
            stream.virtualhost, stream.policy = new, new.config
            stream.phase = Phase.ADMITTING
            self._dispatcher.placement.place(stream, exchange)

    def _waiting(self, virtualhost: VirtualHost | None) -> list[tuple[Lane, Exchange, Stream]]:
        """All that wait, or those of one virtualhost, in their order."""
        if not self.size:
            return []
        return [
            (lane, exchange, stream)
            for lane in {lane: None for lanes in self._lanes.values() for lane in lanes}
            if virtualhost is None or lane.queue is virtualhost.held
            for exchange, stream in (*lane.again.items(), *lane.first.items())
        ]
