"""Floods both ways at once, and peers that mean harm: no stall, nothing lost, nobody else disturbed.

ZeroMQ's descriptor tells of news once; a router that misses one such word stands still for ever. Nothing else
wakes it in these tests: no ping is due, and nodes that wait for an answer say nothing.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import zmq
import zmq.asyncio

from blastbeat.events import Buffer
from blastbeat.instance import Instance
from tests.helpers.router_stage import RouterStage, on_loop, serve
from tests.helpers.zmtp import MORE, RawPeer

A = b"a" * 16
PATIENCE_MS = 10_000
QUIET = 60.0  # ping_freq: no ping helps


class FloodingNode(threading.Thread):
    """Sends `count` numbered messages, at most `window` of them unanswered, and reads `count` answers and
    `extra` messages besides; notes what was missing."""

    def __init__(self, endpoint: str, name: bytes, count: int, window: int, extra: int = 0) -> None:
        super().__init__()
        self.endpoint = endpoint
        self.identity = name
        self.count = count
        self.window = window
        self.extra = extra
        self.failure = "not run"
        self.start()

    def run(self) -> None:
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.setsockopt(zmq.LINGER, 0)
            dealer.setsockopt(zmq.IDENTITY, self.identity)
            dealer.connect(self.endpoint)
            dealer.send_multipart([b"", b"pong", b""])
            self.failure = self._flood(dealer)

    def _flood(self, dealer: zmq.Socket[bytes]) -> str:
        sent = answered = extra = 0
        while answered < self.count or extra < self.extra:
            while sent < self.count and sent - answered < self.window:
                dealer.send_multipart([A, b"body", b"%d" % sent])
                sent += 1
            if not dealer.poll(PATIENCE_MS):
                return f"stalled: {sent} sent, {answered} answers, {extra} other messages"
            sid, type, body = dealer.recv_multipart()
            if type == b"body":
                if body != b"%d" % answered:
                    return f"answer {answered} is {body!r}"
                answered += 1
            elif type == b"chunk":
                if body != b"%d" % extra:
                    return f"message {extra} is {body!r}"
                extra += 1
        return ""


def echo(stage: RouterStage) -> None:
    def receive(instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
        stage.router.send(instance, sid, b"body", bytes(body))

    stage.sink.on_message = receive


async def finish(nodes: list[FloodingNode]) -> None:
    for node in nodes:
        await asyncio.to_thread(node.join)
    assert [node.failure for node in nodes] == [""] * len(nodes)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("window", [1, 3, 1000])
@on_loop
async def test_no_answer_is_overlooked(window: int) -> None:
    """20,000 round trips."""
    async with serve(ping_freq=QUIET) as stage:
        echo(stage)
        await finish([FloodingNode(stage.endpoints[0], b"app/%d" % n, 5000, window) for n in range(4)])


@pytest.mark.timeout(60)
@on_loop
async def test_floods_both_ways_at_once() -> None:
    """20,000 messages from the nodes, 20,000 answers, and 20,000 that the server sends of its own accord."""
    async with serve(ping_freq=QUIET) as stage:
        echo(stage)
        nodes = [FloodingNode(stage.endpoints[0], b"app/%d" % n, 5000, 500, extra=5000) for n in range(4)]
        await stage.until(lambda: stage.counters["nodes.up"] == 4)
        instances = [stage.instance(b"app/%d" % n) for n in range(4)]
        for number in range(5000):
            for instance in instances:
                stage.router.send(instance, b"s" * 16, b"chunk", b"%d" % number)
            if number % 10 == 0:
                await asyncio.sleep(0)
        await finish(nodes)


@pytest.mark.timeout(60)
@on_loop
async def test_sending_alone_misses_no_news() -> None:
    """Sends swallow ZeroMQ's word that something came: the server sends, and a message arrives meanwhile."""
    async with serve(ping_freq=QUIET) as stage:
        node, instance = await stage.node()
        for number in range(500):
            await node.send(A, b"body", b"%d" % number)
            for _ in range(5):
                stage.router.send(instance, A, b"chunk", b"")
            await stage.received(number + 1)
            while await node.socket.poll(0):
                await node.receive()


@on_loop
async def test_a_flood_leaves_the_loop_its_turn() -> None:
    """A pass reads a bounded share: whatever else is on the loop runs between."""
    async with serve(ping_freq=QUIET) as stage:
        node, _ = await stage.node()
        per_turn = [0]

        def receive(instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
            per_turn[-1] += 1

        stage.sink.on_message = receive
        sending = asyncio.create_task(send_many(node.socket, 5000))
        while sum(per_turn) < 5000:
            per_turn.append(0)
            await asyncio.sleep(0)
        await sending
        assert max(per_turn) <= 2 * 256  # one pass for the descriptor, one that was due


async def send_many(dealer: zmq.asyncio.Socket, count: int) -> None:
    for _ in range(count):
        await dealer.send_multipart([A, b"body", b"x" * 10])


# ---------------------------------------------------------------- peers that mean harm


@contextmanager
def raw_connection(endpoint: str) -> Iterator[socket.socket]:
    address = urlsplit(endpoint)
    with socket.create_connection((address.hostname or "", address.port or 0), 10) as raw:
        yield raw


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 100, b"\xff" * 1000, b"\xff" + bytes(8) + b"\x7f\x03"],
)
@on_loop
async def test_garbage_disturbs_nobody(garbage: bytes) -> None:
    async with serve(ping_freq=QUIET) as stage:
        echo(stage)
        node, _ = await stage.node()
        for _ in range(20):
            with raw_connection(stage.endpoints[0]) as raw:
                raw.sendall(garbage)
                await node.send(A, b"body", b"x")
                assert await node.receive_for() == [A, b"body", b"x"]
        assert stage.sink.states(b"app") == ["up"]


@on_loop
async def test_what_is_not_zeromq_is_counted() -> None:
    async with serve(ping_freq=QUIET) as stage:
        with raw_connection(stage.endpoints[0]) as raw:
            raw.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"PLAIN".ljust(20, b"\0") + bytes(32))
            await stage.until(lambda: stage.counters["nodes.handshake-failed"])


@on_loop
async def test_a_message_without_end_disturbs_nobody() -> None:
    """Tens of MB of frames without a last one. libzmq keeps them (`design.md` §5); we act on none."""
    async with serve(ping_freq=QUIET) as stage:
        echo(stage)
        node, _ = await stage.node()
        peer = await asyncio.to_thread(RawPeer, stage.endpoints[0], "app/raw")
        try:
            for _ in range(20):
                await asyncio.to_thread(endless, peer)
                await node.send(A, b"body", b"x")
                assert await node.receive_for() == [A, b"body", b"x"]
            assert stage.instance(b"app/raw") is None
            assert stage.sink.states(b"app") == ["up"]
        finally:
            peer.close()


def endless(peer: RawPeer) -> None:
    """1 MB in large frames and 1 MB in empty ones."""
    for _ in range(16):
        peer.send_frame(b"x" * 65536, MORE)
    peer.send_bytes(bytes((MORE, 0)) * 500_000)


@on_loop
async def test_a_message_of_a_million_frames_is_dropped_in_steps() -> None:
    """It does end: then it is thrown away without holding up the loop, and its sender is heard again."""
    async with serve(ping_freq=QUIET) as stage:
        echo(stage)
        node, _ = await stage.node()
        peer = await asyncio.to_thread(RawPeer, stage.endpoints[0], "app/raw")
        try:
            await asyncio.to_thread(peer.send_bytes, bytes((MORE, 0)) * 1_000_000 + bytes((0, 0)))
            await asyncio.to_thread(peer.send_bytes, b"\x01\x00\x01\x04pong\x00\x00")
            while stage.instance(b"app/raw") is None:
                await node.send(A, b"body", b"x")
                assert await node.receive_for() == [A, b"body", b"x"]
            assert stage.counters["messages.dropped.frames"] == 1
        finally:
            peer.close()
