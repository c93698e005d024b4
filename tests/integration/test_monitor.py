"""What libzmq really tells of connections that come, go, or never become any (`transport/monitor.py`)."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import zmq

from blastbeat.config.model import ServerConfig
from blastbeat.counters import Counters
from blastbeat.transport.monitor import Monitor
from blastbeat.transport.zmq_socket import bind_endpoints, make_router_socket
from tests.helpers.router_stage import PATIENCE, on_loop
from tests.helpers.zmtp import RawPeer

PATIENCE_MS = int(PATIENCE * 1000)


class Stage:
    """A ROUTER with a monitor; `came` counts, `lost` has what each round was told."""

    def __init__(self, **settings: Any) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.counters = Counters()
        self.router = make_router_socket(self.context, ServerConfig(**settings))
        (self.endpoint,) = bind_endpoints(self.router, ["tcp://127.0.0.1:*"])
        self.came = 0
        self.lost: list[frozenset[int] | None] = []
        self.monitor = Monitor(self.router, self.counters, self._route_lost, self._peer_came)
        self._changed = asyncio.Event()

    def _route_lost(self, descriptors: frozenset[int] | None) -> None:
        self.lost.append(descriptors)
        self._changed.set()

    def _peer_came(self) -> None:
        self.came += 1
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def dealer(self, name: bytes) -> zmq.Socket[bytes]:
        dealer = self.context.socket(zmq.DEALER)
        dealer.setsockopt(zmq.IDENTITY, name)
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.connect(self.endpoint)
        return dealer

    def close(self) -> None:
        self.monitor.close()
        self.router.close(linger=0)
        self.context.term()


@asynccontextmanager
async def monitored(**settings: Any) -> AsyncIterator[Stage]:
    """`settings` are attributes of `ServerConfig`."""
    stage = Stage(**settings)
    stage.monitor.start(asyncio.get_running_loop())
    try:
        yield stage
    finally:
        stage.close()


@on_loop
async def test_who_comes_is_told_twice_and_by_then_has_a_route() -> None:
    async with monitored() as stage:
        dealer = stage.dealer(b"app")
        await stage.until(lambda: stage.came == 2)
        stage.router.send_multipart([b"app", b"", b"ping", b""], zmq.DONTWAIT)
        assert stage.lost == []
        dealer.close()
        await stage.until(lambda: len(stage.lost) == 2)


@on_loop
async def test_who_leaves_is_told_with_the_descriptor_its_messages_came_by() -> None:
    """That is how a drained instance is known to have left."""
    async with monitored() as stage:
        dealers = [stage.dealer(b"app/%d" % number) for number in range(3)]
        descriptors = []
        for dealer in dealers:
            dealer.send_multipart([b"", b"pong", b""])
            assert await asyncio.to_thread(stage.router.poll, PATIENCE_MS)
            frame = stage.router.recv(copy=False)
            descriptors.append(int(str(frame.get(zmq.SRCFD))))
            stage.router.recv_multipart()
        assert len(set(descriptors)) == 3
        dealers[1].close()
        await stage.until(lambda: stage.lost)
        assert stage.lost[0] == frozenset((descriptors[1],))
        for dealer in dealers:
            dealer.close()
        await stage.until(lambda: {each for round in stage.lost for each in round or ()} == {*descriptors})


@on_loop
async def test_by_the_last_round_the_route_of_who_left_is_gone() -> None:
    async with monitored() as stage:
        dealer = stage.dealer(b"app")
        await stage.until(lambda: stage.came)
        dealer.close()
        await stage.until(lambda: len(stage.lost) >= 2 and not stage.lost[-1])
        with pytest.raises(zmq.ZMQError) as error:
            stage.router.send(b"app", zmq.DONTWAIT + zmq.SNDMORE)
        assert error.value.errno == errno.EHOSTUNREACH


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n",
        b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"PLAIN".ljust(52, b"\0"),
    ],
)
@on_loop
async def test_what_is_not_zeromq_never_comes_and_is_counted(garbage: bytes) -> None:
    async with monitored() as stage:
        address = urlsplit(stage.endpoint)
        with socket.create_connection((address.hostname or "", address.port or 0), PATIENCE) as client:
            client.sendall(garbage)
        await stage.until(lambda: stage.lost)
        assert stage.counters["nodes.handshake-failed"] == 1
        assert stage.came == 0


@on_loop
async def test_a_peer_of_before_libzmq_4_2_that_says_nothing_is_cut() -> None:
    """It does not answer ZMTP heartbeats, so it looks like a dead link (`docs/explanation/limits.md`)."""
    async with monitored(ping_freq=0.02) as stage:
        peer = await asyncio.to_thread(RawPeer, stage.endpoint, "app")
        await stage.until(lambda: stage.came)
        await stage.until(lambda: stage.lost)
        assert stage.counters["nodes.handshake-failed"] == 0
        peer.close()


@on_loop
async def test_closed_it_hears_nothing_and_the_router_goes_on() -> None:
    async with monitored() as stage:
        stage.monitor.close()
        dealer = stage.dealer(b"app")
        dealer.send_multipart([b"", b"pong", b""])
        assert await asyncio.to_thread(stage.router.poll, PATIENCE_MS)
        assert stage.router.recv_multipart() == [b"app", b"", b"pong", b""]
        assert stage.came == 0
        dealer.close()
