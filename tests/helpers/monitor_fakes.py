"""A ROUTER whose socket monitor says what the test wants said, and an event loop that reads it.

Opens no socket; nothing is read but when the test has said something.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, cast

import zmq

from blastbeat.counters import Counters
from blastbeat.transport.monitor import Monitor
from tests.helpers.engine_fakes import FakeClock
from tests.helpers.transport_fakes import FakeLoop


class ReadingLoop(FakeLoop):
    """A fake loop with readers; `announce` is what a readable descriptor does."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self._readers: dict[int, Callable[[], object]] = {}

    def add_reader(self, descriptor: int, callback: Callable[[], object]) -> None:
        assert descriptor not in self._readers
        self._readers[descriptor] = callback

    def remove_reader(self, descriptor: int) -> bool:
        return self._readers.pop(descriptor, None) is not None

    @property
    def readers(self) -> int:
        return len(self._readers)

    def announce(self, descriptor: int) -> None:
        if descriptor in self._readers:
            self.call_soon(self._readers[descriptor])
        self.run()


class FakeMonitorSocket:
    """The monitor's PAIR, and the ROUTER it belongs to. `mask` is what the monitor wants to hear of."""

    DESCRIPTOR = 99

    def __init__(self) -> None:
        self.mask = 0
        self.events: list[list[bytes]] = []
        self.is_closed = False
        self.is_disabled = False

    def put(self, event: int, value: int) -> None:
        if event & self.mask:
            self.events.append([struct.pack("=Hi", event, value), b"tcp://127.0.0.1:5000"])

    def get_monitor_socket(self, events: int) -> FakeMonitorSocket:
        self.mask = events
        return self

    def disable_monitor(self) -> None:
        self.is_disabled = True

    def setsockopt(self, option: int, value: int) -> None:
        assert (option, value) == (zmq.LINGER, 0)

    def fileno(self) -> int:
        return self.DESCRIPTOR

    def recv_multipart(self, flags: int) -> list[bytes]:
        assert flags == zmq.DONTWAIT and not self.is_closed
        if not self.events:
            raise zmq.Again
        return self.events.pop(0)

    def close(self, linger: int) -> None:
        self.is_closed = True


class MonitorStage:
    """A monitor whose rounds are noted: `lost` with the time and what it was told, `came` with the time."""

    def __init__(self, *, is_started: bool = True) -> None:
        self.clock = FakeClock()
        self.loop = ReadingLoop(self.clock)
        self.counters = Counters()
        self.socket = FakeMonitorSocket()
        self.lost: list[tuple[float, set[int] | None]] = []
        self.came: list[float] = []
        self._begin = self.clock.now
        self.monitor = Monitor(cast(Any, self.socket), self.counters, self._route_lost, self._peer_came)
        if is_started:
            self.start()

    def start(self) -> None:
        self.monitor.start(self.loop.as_loop())
        self.loop.run()

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return round(self.clock.now - self._begin, 6)

    def connect(self) -> None:
        self._say(zmq.EVENT_HANDSHAKE_SUCCEEDED, 0)

    def disconnect(self, *descriptors: int) -> None:
        """All of them are read in one go."""
        for descriptor in descriptors[:-1]:
            self.socket.put(zmq.EVENT_DISCONNECTED, descriptor)
        self._say(zmq.EVENT_DISCONNECTED, descriptors[-1])

    def fail_handshake(self, event: int) -> None:
        self._say(event, 0)

    def wait(self, seconds: float) -> None:
        self.loop.advance(seconds)
        assert not self.loop.failures, self.loop.failures

    def _say(self, event: int, value: int) -> None:
        self.socket.put(event, value)
        self.loop.announce(FakeMonitorSocket.DESCRIPTOR)
        assert not self.loop.failures, self.loop.failures

    def _route_lost(self, descriptors: frozenset[int] | None) -> None:
        self.lost.append((self.now, None if descriptors is None else set(descriptors)))

    def _peer_came(self) -> None:
        self.came.append(self.now)
