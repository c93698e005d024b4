"""Hears from ZeroMQ that connections to a ROUTER began or ended, and turns that into few calls.

Knows no node: the monitor names connections by descriptor only. Rounds come at once, then at most one per
interval, the last after the last event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import zmq
from zmq.utils.monitor import parse_monitor_message

from blastbeat.counters import Counters

ROUND_INTERVAL = 0.1  # seconds
MAX_EVENTS_PER_PASS = 256
MAX_DESCRIPTORS = 1024  # remembered between two rounds; beyond that nobody is spared

_DONTWAIT = int(zmq.DONTWAIT)
_DISCONNECTED = int(zmq.EVENT_DISCONNECTED)
_CONNECTED = int(zmq.EVENT_HANDSHAKE_SUCCEEDED)
_HANDSHAKE_FAILURES = (
    int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
    + int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
    + int(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
)


class Monitor:
    """Calls `route_lost` when connections ended, with their descriptors (None when not all are known), and
    `peer_came` when there are new ones."""

    def __init__(
        self,
        router: zmq.Socket[bytes],
        counters: Counters,
        route_lost: Callable[[frozenset[int] | None], None],
        peer_came: Callable[[], None],
    ) -> None:
        self._router = router
        self._counters = counters
        self._route_lost = route_lost
        self._peer_came = peer_came
        self._socket: zmq.Socket[bytes] = router.get_monitor_socket(
            _CONNECTED + _DISCONNECTED + _HANDSHAKE_FAILURES
        )
        self._socket.setsockopt(zmq.LINGER, 0)
        self._descriptors: set[int] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_lost = False
        self._has_come = False
        self._again_lost = False  # the round that is due asks once more for what the last one asked
        self._again_come = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        loop.add_reader(self._socket.fileno(), self._receive)
        loop.call_soon(self._receive)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
        self._loop = None
        self._router.disable_monitor()
        self._socket.close(linger=0)

    def _receive(self) -> None:
        if self._loop is None:
            return
        for _ in range(MAX_EVENTS_PER_PASS):
            try:
                event = parse_monitor_message(self._socket.recv_multipart(_DONTWAIT))
            except zmq.Again:
                break
            self._count(int(event["event"]), int(event["value"]))
        else:
            self._loop.call_soon(self._receive)
        if (self._is_lost or self._has_come) and self._timer is None:
            self._round()

    def _count(self, event: int, descriptor: int) -> None:
        if event == _CONNECTED:
            self._has_come = True
            return
        if event != _DISCONNECTED:
            self._counters.add("nodes.handshake-failed")
            return
        self._is_lost = True
        if len(self._descriptors) < MAX_DESCRIPTORS:
            self._descriptors.add(descriptor)

    def _round(self) -> None:
        """Tells what there is to tell: at once, and once more an interval later even if nothing follows,
        because the event may have come before ZeroMQ gave up the route, or had it. What comes within an
        interval waits for its end."""
        is_lost, self._is_lost = self._is_lost, False
        has_come, self._has_come = self._has_come, False
        is_lost, self._again_lost = is_lost or self._again_lost, is_lost
        has_come, self._again_come = has_come or self._again_come, has_come
        descriptors = frozenset(self._descriptors)
        self._descriptors.clear()
        self._timer = None
        if (is_lost or has_come) and self._loop is not None:
            self._timer = self._loop.call_later(ROUND_INTERVAL, self._round)
        if is_lost:
            self._route_lost(descriptors if len(descriptors) < MAX_DESCRIPTORS else None)
        if has_come:
            self._peer_came()
