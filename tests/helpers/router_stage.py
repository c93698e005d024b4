"""A real Router on the running event loop, with a sink that notes everything and DEALERs to talk to it.

Knows nothing of sessions and clients. Waiting is always for something to happen, with an end to patience.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import zmq
import zmq.asyncio

from blastbeat.config.model import ServerConfig
from blastbeat.counters import Counters
from blastbeat.events import Buffer
from blastbeat.instance import Instance
from blastbeat.transport.clock import SystemClock
from blastbeat.transport.router import Router

PATIENCE = 10.0  # seconds
NODE = "app"

Received: TypeAlias = tuple[bytes, bytes, bytes, bytes]  # routing id, sid, type, body


class NotingSink:
    """Answers `pong` and `drain` as the dispatcher would; all else is only noted."""

    def __init__(self) -> None:
        self.router: Router
        self.received: list[Received] = []
        self.buffers: list[Buffer] = []
        self.told: list[tuple[str, bytes, str]] = []
        self.admitted: list[tuple[bytes, str | None]] = []
        self.writable: list[tuple[bytes, bytes]] = []
        self.crowded: list[bytes] = []
        self.flushes = 0
        self.on_message: Callable[[Instance, bytes, bytes, Buffer], None] | None = None
        self.changed = asyncio.Event()

    def message_received(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
        self.changed.set()
        if type == b"pong":
            self.router.table.pong(instance, bytes(body).split(), SystemClock().monotonic())
        elif type == b"drain":
            self.router.table.drain(instance, SystemClock().monotonic())
        elif self.on_message is not None:
            self.on_message(instance, sid, type, body)
        else:
            self.received.append((instance.identity, sid, type, bytes(body)))
            self.buffers.append(body)

    def admit(self, instance: Instance, address: str | None) -> None:
        self.admitted.append((instance.identity, address))
        self.changed.set()

    def instance_up(self, instance: Instance, reason: str) -> None:
        self._tell("up", instance, reason)

    def instance_ready(self, instance: Instance) -> None: ...

    def instance_silent(self, instance: Instance, reason: str) -> None:
        self._tell("silent", instance, reason)

    def instance_gone(self, instance: Instance, reason: str) -> None:
        instance.sessions.clear()
        self._tell("gone", instance, reason)

    def instance_crowded(self, instance: Instance) -> None:
        self.crowded.append(instance.identity)
        self.changed.set()

    def session_writable(self, instance: Instance, sid: bytes) -> None:
        self.writable.append((instance.identity, sid))
        self.changed.set()

    def flush(self) -> None:
        self.flushes += 1
        self.changed.set()

    def states(self, identity: bytes) -> list[str]:
        return [state for state, told, _ in self.told if told == identity]

    def _tell(self, state: str, instance: Instance, reason: str) -> None:
        self.told.append((state, instance.identity, reason))
        self.changed.set()


class Dealer:
    """A node's socket. Pings are answered only with `answers`, inside `receive`."""

    def __init__(self, context: zmq.asyncio.Context, endpoint: str, name: bytes, **options: int) -> None:
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.IDENTITY, name)
        self.socket.setsockopt(zmq.LINGER, 0)
        for option, value in options.items():
            self.socket.setsockopt(getattr(zmq, option), value)
        self.socket.connect(endpoint)

    async def send(self, *frames: bytes) -> None:
        await asyncio.wait_for(self.socket.send_multipart(list(frames)), PATIENCE)

    async def pong(self, words: bytes = b"") -> None:
        await self.send(b"", b"pong", words)

    async def receive(self) -> list[bytes]:
        """The next message, whatever it is."""
        frames: list[bytes] = await asyncio.wait_for(self.socket.recv_multipart(), PATIENCE)
        return frames

    async def receive_for(self, *sids: bytes) -> list[bytes]:
        """The next message of a session (of these sessions)."""
        while True:
            frames = await self.receive()
            if frames[0] and (not sids or frames[0] in sids):
                return frames

    async def receive_type(self, type: bytes) -> list[bytes]:
        """The next message of this type; what comes before is thrown away."""
        while True:
            frames = await self.receive()
            if frames[1] == type:
                return frames

    def close(self) -> None:
        self.socket.close()


class RouterStage:
    def __init__(self, router: Router, sink: NotingSink, endpoints: list[str], counters: Counters) -> None:
        self.router = router
        self.sink = sink
        self.endpoints = endpoints
        self.counters = counters
        self._context = zmq.asyncio.Context()
        self._dealers: list[Dealer] = []

    def dealer(self, name: bytes = b"app", endpoint: str = "", **options: int) -> Dealer:
        dealer = Dealer(self._context, endpoint or self.endpoints[0], name, **options)
        self._dealers.append(dealer)
        return dealer

    async def node(self, name: bytes = b"app", words: bytes = b"", **options: int) -> tuple[Dealer, Instance]:
        """A node the router knows to be available."""
        dealer = self.dealer(name, "", **options)
        await dealer.pong(words)
        await self.until(lambda: self.instance(name) is not None and self.instance(name).has_answered)
        return dealer, self.instance(name)

    def instance(self, name: bytes = b"app") -> Any:
        return self.router.table.find(name)

    async def until(self, condition: Callable[[], object], patience: float = PATIENCE) -> None:
        """Returns when it is true; looks whenever the sink was told something, and now and then. Raises
        TimeoutError."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while not condition():
            left = deadline - loop.time()
            if left <= 0:
                raise TimeoutError
            self.sink.changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.sink.changed.wait(), min(left, 0.05))

    async def received(self, count: int) -> list[Received]:
        """Waits for so many messages in all; returns all there are."""
        await self.until(lambda: len(self.sink.received) >= count)
        return self.sink.received

    async def settled(self) -> None:
        """The router has read everything there was."""
        drained = asyncio.Event()
        self.router.after_drain(drained.set)
        await asyncio.wait_for(drained.wait(), PATIENCE)

    def close(self) -> None:
        for dealer in self._dealers:
            dealer.close()
        self.router.close()
        self._context.term()


@asynccontextmanager
async def serve(
    *endpoints: str, instances: int = 8, grace: float = 30.0, **settings: Any
) -> AsyncIterator[RouterStage]:
    """A router with the node `app`; `settings` as in ServerConfig."""
    counters = Counters()
    config = ServerConfig(**{"ping_freq": 60.0, **settings})
    router = Router("main", endpoints or ("tcp://127.0.0.1:0",), config, counters, SystemClock())
    sink = NotingSink()
    sink.router = router
    router.sink = sink
    router.table.expect(NODE, grace, instances)
    stage = RouterStage(router, sink, router.open(), counters)
    router.start(asyncio.get_running_loop())
    for _ in range(3):  # the first tick, that pings blindly, comes before any node
        await asyncio.sleep(0)
    try:
        yield stage
    finally:
        stage.close()


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs an async test on an event loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run
