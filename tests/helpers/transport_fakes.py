"""asyncio made by hand: an event loop, a transport, and the engine's connections on them.

Opens no socket and never waits: the test says what the operating system takes, and how much time passes.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, cast

from blastbeat.config.model import Address, ServerConfig
from blastbeat.facts import TrustedProxies
from blastbeat.interfaces import HttpLimits, WebSocketDriverFactory
from blastbeat.plugins.http1_h11 import H11DriverFactory
from blastbeat.plugins.websocket_fast import FastDriverFactory
from blastbeat.transport.connection import Connection
from blastbeat.transport.context import ConnectionContext
from blastbeat.transport.outputs import OutputAccount, Outputs
from blastbeat.transport.preface import Accepted
from blastbeat.transport.timers import TimerWheel
from blastbeat.transport.tls_preface import HandshakeTurns
from tests.helpers.engine import Engine
from tests.helpers.engine_fakes import LISTENER, FakeClock


class FakeHandle:
    """See `asyncio.TimerHandle`."""

    def __init__(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self.callback = callback
        self.arguments = arguments
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeLoop:
    """What the server uses of an event loop. Time is `clock`'s."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self._ready: list[FakeHandle] = []
        self._timers: list[tuple[float, int, FakeHandle]] = []
        self._numbers = itertools.count()
        self.failures: list[Exception] = []

    def call_soon(self, callback: Callable[..., object], *arguments: Any) -> FakeHandle:
        handle = FakeHandle(callback, arguments)
        self._ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: Any) -> FakeHandle:
        handle = FakeHandle(callback, arguments)
        heapq.heappush(self._timers, (self.clock.now + delay, next(self._numbers), handle))
        return handle

    @property
    def timers(self) -> int:
        """Timers that will fire."""
        return sum(not handle.is_cancelled for _, _, handle in self._timers)

    def run(self) -> None:
        """Everything that is due now, and what comes of it."""
        while self._ready:
            ready, self._ready = self._ready, []
            for handle in ready:
                self._call(handle)

    def advance(self, seconds: float) -> None:
        """The time passes."""
        end = self.clock.now + seconds
        self.run()
        while self._timers and self._timers[0][0] <= end:
            due, _, handle = heapq.heappop(self._timers)
            self.clock.now = max(self.clock.now, due)
            self._call(handle)
            self.run()
        self.clock.now = end

    def _call(self, handle: FakeHandle) -> None:
        """Nothing may raise into the loop: a test that ends with `failures` has failed."""
        if handle.is_cancelled:
            return
        try:
            handle.callback(*handle.arguments)
        except Exception as error:
            self.failures.append(error)

    def as_loop(self) -> asyncio.AbstractEventLoop:
        return cast(asyncio.AbstractEventLoop, self)


class FakeSocket:
    """Notes the options it is given; `state` is what the kernel would say of its TCP connection."""

    def __init__(self) -> None:
        self.options: list[tuple[int, int, object]] = []
        self.state = 1
        self.is_broken = False

    def setsockopt(self, level: int, option: int, value: object) -> None:
        if self.is_broken:
            raise OSError("bad file descriptor")
        self.options.append((level, option, value))

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        return bytes([self.state])


class FakeTransport(asyncio.Transport):
    """A socket whose peer takes `room` bytes; `output` is what it took, `pending` what waits for it."""

    def __init__(self, loop: FakeLoop, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.loop = loop
        self.protocol = protocol
        self.room = inf
        self.output = b""
        self.pending = bytearray()
        self.socket = FakeSocket()
        self.is_aborted = False
        self.is_lost = False
        self.has_sent_fin = False
        self._reading = True
        self._closing = False
        self._eof = False
        self._high, self._low = 64 * 1024, 16 * 1024
        self._is_paused = False

    # ------------------------------------------------------------ the peer

    def take(self, size: float = inf) -> None:
        """The peer reads this much more."""
        self.room += size
        self._pass_on()
        if self._is_paused and len(self.pending) <= self._low:
            self._is_paused = False
            self.protocol.resume_writing()
        self._maybe_finish()
        self.loop.run()

    def receive(self, data: bytes) -> None:
        """The peer's bytes arrive, if anybody reads."""
        assert self._reading and not self.is_lost
        self.protocol.data_received(data)
        self.loop.run()

    def receive_fin(self) -> None:
        if not self.protocol.eof_received():
            self.close()
        self.loop.run()

    def lose(self) -> None:
        """The peer resets the connection."""
        self._lose()
        self.loop.run()

    def take_output(self) -> bytes:
        """What the peer took since the last call."""
        output, self.output = self.output, b""
        return output

    # ------------------------------------------------------------ asyncio.Transport

    def write(self, data: Any) -> None:
        if self._eof:
            raise RuntimeError("cannot write after write_eof")
        self.pending += memoryview(data)
        if self._closing:
            self.pending.clear()
            return
        self._pass_on()
        self._maybe_pause()

    def _pass_on(self) -> None:
        size = int(min(self.room, len(self.pending)))
        self.output += self.pending[:size]
        del self.pending[:size]
        self.room -= size

    def _maybe_pause(self) -> None:
        if not self._is_paused and len(self.pending) > self._high:
            self._is_paused = True
            self.protocol.pause_writing()

    def _maybe_finish(self) -> None:
        if not self.pending:
            self.has_sent_fin |= self._eof or self._closing
            if self._closing:
                self.loop.call_soon(self._lose)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = cast(asyncio.Protocol, protocol)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        self._high, self._low = high, high // 4 if low is None else low
        self._maybe_pause()

    def get_write_buffer_size(self) -> int:
        return len(self.pending)

    def write_eof(self) -> None:
        self._eof = True
        self._maybe_finish()

    def pause_reading(self) -> None:
        assert self._reading or self._closing
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = not self._closing

    def is_reading(self) -> bool:
        return self._reading

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing, self._reading = True, False
            self._maybe_finish()

    def abort(self) -> None:
        self.is_aborted = True
        self._closing, self._reading = True, False
        self.pending.clear()
        self.loop.call_soon(self._lose)

    def _lose(self) -> None:
        if not self.is_lost:
            self.is_lost = self._closing = True
            self.pending.clear()
            self.protocol.connection_lost(None)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {
            "peername": ("192.0.2.1", 50000),
            "sockname": ("127.0.0.1", LISTENER.port),
            "socket": self.socket,
        }.get(name, default)


class Wire:
    """The engine with connections on a fake loop. `settings` are attributes of `ServerConfig`, the rest
    goes to `Engine`."""

    websocket_driver: WebSocketDriverFactory = FastDriverFactory({})

    def __init__(self, settings: Mapping[str, Any] | None = None, **options: Any) -> None:
        self.engine = Engine(**options)
        self.loop = FakeLoop(self.engine.clock)
        loop, engine = self.loop.as_loop(), self.engine
        config = ServerConfig(**(settings or {}))
        self.outputs = Outputs(loop)
        engine.dispatcher.flush = self.outputs.flush
        self.context = ConnectionContext(
            config=config,
            limits=HttpLimits(config.max_head, config.max_uri, config.max_headers),
            driver=H11DriverFactory({}),
            websocket_driver=self.websocket_driver,
            dispatcher=engine.dispatcher,
            clock=engine.clock,
            counters=engine.counters,
            timers=TimerWheel(loop, engine.clock, 1.0),
            outputs=self.outputs,
            account=OutputAccount(config.memory),
            trusted_proxies=TrustedProxies(config.trusted_proxies),
            date_now=lambda: b"",
            loop=loop,
            handshakes=HandshakeTurns(loop),
        )
        self.connections: set[Accepted] = set()
        self._accepted: list[FakeTransport] = []

    def connect(self, listener: Address = LISTENER) -> tuple[Connection, FakeTransport]:
        """A client."""
        number = len(self._accepted) + 1
        connection = Connection(self.context, listener, number, self.connections)
        self.connections.add(connection)
        transport = FakeTransport(self.loop, connection)
        self._accepted.append(transport)
        connection.connection_made(transport)
        return connection, transport

    def drain(self) -> None:
        """What nodes had sent was read to its end."""
        self.engine.router.drain()
        self.outputs.flush()
        self.loop.run()

    def respond(self, connection: Connection, body: bytes = b"ok") -> None:
        """The connection's node answers, whole."""
        self.engine.respond(connection.stream.session, body)
        self.drain()

    def say(self, connection: Connection, type: str, body: bytes = b"") -> None:
        self.engine.say(connection.stream.session, type, body)
        self.outputs.flush()
        self.loop.run()

    def close(self) -> None:
        """Every client leaves; nothing may be left over."""
        for transport in self._accepted:
            transport.lose()
        self.engine.close()
        self.engine.assert_settled()
        assert not self.connections
        assert not self.loop.failures, self.loop.failures
        assert self.context.account.total == 0
        counters = self.engine.counters
        assert counters["connections.accepted"] == counters["connections.closed"] == len(self._accepted)
        self.loop.advance(3600)
        assert self.loop.timers == 0, "a timer runs for ever"
