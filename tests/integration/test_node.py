"""The node library with a real server: requests, streams, WebSockets, and a stop that loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

from blastbeat.node import Node, Session
from tests.helpers.stage import Stage


@contextmanager
def running(node: Node) -> Iterator[Callable[[], None]]:
    """Runs it in a thread; what is yielded stops it."""
    loop_ready = threading.Event()
    tokens: list[anyio.lowlevel.EventLoopToken] = []

    async def main() -> None:
        tokens.append(anyio.lowlevel.current_token())
        loop_ready.set()
        await node.run(graceful_timeout=5.0)

    thread = threading.Thread(target=anyio.run, args=(main,))
    thread.start()
    loop_ready.wait(5)

    def stop() -> None:
        anyio.from_thread.run_sync(node.stop, token=tokens[0])

    try:
        yield stop
    finally:
        stop() if thread.is_alive() else None
        thread.join(10)
        assert not thread.is_alive()


async def serve(session: Session) -> None:
    websocket = session.websocket
    if websocket is not None:
        await websocket.accept()
        while True:
            await websocket.send(await websocket.receive())
    if session.request.method == "POST":
        size = 0
        async for piece in session:
            size += len(piece)
        await session.respond(200, (), str(size))
    elif session.request.path == "/stream":
        await session.start()
        for _ in range(100):
            await session.send(b"x" * 100_000)
        await session.end()
    else:
        await session.respond(200, (), b"hello")


def test_requests_streams_uploads_and_websockets(stage: Stage) -> None:
    server = stage.serve()
    with running(Node(server.endpoint, "app", serve)) as stop:
        server.wait_counter("nodes.up", 1)
        server.wait_until(lambda: server.server.figures().instances_up >= 1, "the instance is up")
        client = stage.client()
        for _ in range(3):
            client.get("/")
            assert client.read_response().body == b"hello"
        client.get("/stream")
        assert len(client.read_response().body) == 10_000_000
        client.post(b"y" * 3_000_000)
        assert client.read_response().body == b"3000000"
        websocket = stage.websocket()
        websocket.handshake("/")
        websocket.send_text("hi")
        websocket.expect_text("hi")
        stop()
        websocket.expect_close(1012)
        websocket.send_close(1012)
