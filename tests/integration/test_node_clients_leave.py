"""Clients that leave a node of the library, in every phase of an exchange and in two ways: the handler is
told, and neither side keeps anything of the session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from blastbeat.node import Disconnected, Handler, Node, Session, WebSocketClosed
from blastbeat.node.asgi import Receive, Scope, Send, asgi_handler
from blastbeat.node.errors import ClientGone
from tests.helpers.client import RawClient
from tests.helpers.node_thread import NodeThread, Watched
from tests.helpers.stage import Stage

WAYS = ("close", "reset")
BIG = b"x" * 100_000


@contextmanager
def watched_node(stage: Stage, handler: Handler) -> Iterator[Watched]:
    """A server with one node; at the end both keep nothing."""
    server = stage.serve()
    watched = Watched(handler)
    with NodeThread(Node(server.endpoint, "app", watched)) as thread:
        thread.wait_up(server)
        yield watched
        thread.wait_forgotten()
        assert watched.running == 0
    server.wait_idle()


def leave(client: RawClient, way: str) -> None:
    if way == "reset":
        client.reset()
    else:
        client.close()


# ---------------------------------------------------------------- the library's handlers


async def read_all(session: Session) -> None:
    await session.body()
    raise AssertionError("the body never came")


async def wait(session: Session) -> None:
    while session.ended is None:
        await session.wait_input()
    await session.respond(200, (), b"nobody reads this")


async def stream(session: Session) -> None:
    await session.start()
    while True:
        await session.send(BIG)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sent", [0, 1, 500_000])
def test_before_and_within_the_body(stage: Stage, way: str, sent: int) -> None:
    with watched_node(stage, read_all) as node:
        client = stage.client()
        client.send_head("/", method="POST", headers=[("Content-Length", "1000000")])
        client.send(b"x" * sent)
        node.wait_begun()
        leave(client, way)
        assert isinstance(node.wait_ended(), Disconnected)


@pytest.mark.parametrize("way", WAYS)
def test_within_a_chunked_body(stage: Stage, way: str) -> None:
    with watched_node(stage, read_all) as node:
        client = stage.client()
        client.send_head("/", method="POST", headers=[("Transfer-Encoding", "chunked")])
        client.send(b"3\r\nabc\r\n")
        node.wait_begun()
        leave(client, way)
        assert isinstance(node.wait_ended(), Disconnected)


@pytest.mark.parametrize("way", WAYS)
def test_while_the_handler_thinks(stage: Stage, way: str) -> None:
    with watched_node(stage, wait) as node:
        client = stage.client()
        client.get()
        node.wait_begun()
        leave(client, way)
        assert isinstance(node.wait_ended(), Disconnected)


@pytest.mark.parametrize("way", WAYS)
def test_within_the_response(stage: Stage, way: str) -> None:
    with watched_node(stage, stream) as node:
        client = stage.client(receive_buffer=4096)
        client.get()
        assert client.read_head().status == 200
        leave(client, way)
        assert isinstance(node.wait_ended(), Disconnected)


@pytest.mark.parametrize("way", WAYS)
def test_while_the_handler_waits_for_a_slow_client(stage: Stage, way: str) -> None:
    """It waits for credit when the client goes."""
    pieces, stood_still = 0, 0

    async def count(session: Session) -> None:
        nonlocal pieces, stood_still
        await session.start()
        while True:
            await session.send(BIG)
            pieces, stood_still = pieces + 1, 0

    def is_held_back() -> bool:
        nonlocal stood_still
        stood_still += 1
        return pieces > 0 and stood_still > 20

    with watched_node(stage, count) as node:
        client = stage.client(receive_buffer=4096)
        client.get()
        stage.server.wait_until(is_held_back, "the handler gets no further")
        leave(client, way)
        assert isinstance(node.wait_ended(), Disconnected)


@pytest.mark.parametrize("way", WAYS)
def test_after_the_response(stage: Stage, way: str) -> None:
    """A handler with something left to do sees that its exchange is over, and is not disturbed."""

    async def work_on(session: Session) -> None:
        await session.respond(200, (), b"done")
        while session.ended is None:
            await session.wait_input()

    with watched_node(stage, work_on) as node:
        client = stage.client()
        client.get()
        assert client.read_response().body == b"done"
        leave(client, way)
        assert node.wait_ended() is None


@pytest.mark.parametrize("way", WAYS)
def test_an_upload_left_unread(stage: Stage, way: str) -> None:
    """Answered before the body has come; the client goes in the middle of it."""

    async def answer(session: Session) -> None:
        await session.respond(413, (), b"too much")

    with watched_node(stage, answer) as node:
        client = stage.client()
        client.send_head("/", method="POST", headers=[("Content-Length", "1000000")])
        client.send(b"x" * 100_000)
        assert client.read_response().status == 413
        leave(client, way)
        assert node.wait_ended() is None


async def echo(session: Session) -> None:
    assert session.websocket is not None
    await session.websocket.accept()
    while True:
        await session.websocket.send(await session.websocket.receive())


async def shout(session: Session) -> None:
    assert session.websocket is not None
    await session.websocket.accept()
    while True:
        await session.websocket.send(BIG)


async def never_accept(session: Session) -> None:
    assert session.websocket is not None
    await session.websocket.receive()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("handler", [echo, shout])
def test_from_a_websocket(stage: Stage, way: str, handler: Handler) -> None:
    """Without a close frame it is code 1006."""
    with watched_node(stage, handler) as node:
        websocket = stage.websocket(receive_buffer=4096)
        websocket.handshake("/")
        leave(websocket.raw, way)
        error = node.wait_ended()
        assert isinstance(error, WebSocketClosed) and error.code == 1006


def test_from_a_websocket_with_a_word(stage: Stage) -> None:
    with watched_node(stage, echo) as node:
        websocket = stage.websocket()
        websocket.handshake("/")
        websocket.finish(3333, "bye")
        websocket.close()
        error = node.wait_ended()
        assert isinstance(error, WebSocketClosed)
        assert (error.code, error.reason) == (3333, "bye")


@pytest.mark.parametrize("way", WAYS)
def test_before_the_handshake_is_answered(stage: Stage, way: str) -> None:
    with watched_node(stage, never_accept) as node:
        websocket = stage.websocket()
        websocket.ask("/")
        node.wait_begun()
        leave(websocket.raw, way)
        error = node.wait_ended()
        assert isinstance(error, WebSocketClosed) and error.code == 1006


# ---------------------------------------------------------------- ASGI applications


class Application:
    """Does what the path says and keeps what `receive` gave last and what `send` raised."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.raised: list[type[BaseException]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
        if scope["path"] == "/stream":
            await self._stream(kind, send)
        while True:
            message = await receive()
            if message["type"].endswith(".disconnect"):
                self.received.append(message)
                break
        await self._say_once_more(kind, send)

    async def _stream(self, kind: str, send: Send) -> None:
        try:
            if kind == "http":
                await send({"type": "http.response.start", "status": 200, "headers": []})
            while kind == "http":
                await send({"type": "http.response.body", "body": BIG, "more_body": True})
            while True:
                await send({"type": "websocket.send", "bytes": BIG})
        except OSError as error:
            self.raised.append(type(error))

    async def _say_once_more(self, kind: str, send: Send) -> None:
        """Nobody hears it, which is an OSError and nothing worse (specification 2.4)."""
        try:
            if kind == "websocket":
                await send({"type": "websocket.send", "text": "x"})
            else:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
        except (OSError, RuntimeError) as error:
            self.raised.append(type(error))


@pytest.mark.parametrize("way", WAYS)
def test_an_application_sees_http_disconnect(stage: Stage, way: str) -> None:
    application = Application()
    with watched_node(stage, asgi_handler(application)) as node:
        for length, sent in ((None, b""), ("9", b""), ("9", b"half")):
            client = stage.client()
            client.send_head(method="POST", headers=[("Content-Length", length)] if length else [])
            client.send(sent)
            node.wait_begun()
            leave(client, way)
            assert node.wait_ended() is None
    assert application.received == [{"type": "http.disconnect"}] * 3


@pytest.mark.parametrize("way", WAYS)
def test_an_application_sees_it_within_its_response(stage: Stage, way: str) -> None:
    application = Application()
    with watched_node(stage, asgi_handler(application)) as node:
        client = stage.client(receive_buffer=4096)
        client.get("/stream")
        assert client.read_head().status == 200
        leave(client, way)
        assert node.wait_ended() is None
    assert application.received == [{"type": "http.disconnect"}]
    assert application.raised == [ClientGone, ClientGone]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", ["/", "/stream"])
def test_an_application_sees_websocket_disconnect(stage: Stage, way: str, path: str) -> None:
    application = Application()
    with watched_node(stage, asgi_handler(application)) as node:
        websocket = stage.websocket(receive_buffer=4096)
        websocket.handshake(path)
        leave(websocket.raw, way)
        assert node.wait_ended() is None
    assert [(message["type"], message["code"]) for message in application.received] == [
        ("websocket.disconnect", 1006)
    ]
    assert application.raised == [ClientGone] * (2 if path == "/stream" else 1)
