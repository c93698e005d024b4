"""A WebSocket of the node library."""

from __future__ import annotations

import anyio
import pytest

from blastbeat.node import NodeUsageError, WebSocketClosed
from tests.helpers.node_link import FakeLink, handshake, session_of

ALL = ("accept", "binary")


def test_accepted_by_the_node() -> None:
    async def test() -> None:
        link = FakeLink(*ALL)
        websocket = session_of(link, handshake("Sec-WebSocket-Protocol: a, b")).websocket
        assert websocket is not None and websocket.protocols == ["a", "b"]
        with pytest.raises(NodeUsageError):
            await websocket.send("early")
        await websocket.accept("b", [("X-A", "1")])
        ((_, head),) = link.take_sent()
        assert head == b"HTTP/1.1 101 Switching Protocols\r\nX-A: 1\r\nsec-websocket-protocol: b\r\n\r\n"
        await websocket.send("text")
        await websocket.send(b"bytes")
        assert link.take_sent() == [(b"websocket", b"text"), (b"websocket-binary", b"bytes")]
        websocket.message_received(b"in", False)
        websocket.message_received(b"in", True)
        assert [await websocket.receive(), await websocket.receive()] == ["in", b"in"]
        await websocket.close(4000, "bye")
        await websocket.close(1000)
        assert link.take_sent() == [(b"end", b"4000 bye")]
        with pytest.raises(WebSocketClosed):
            await websocket.send("late")

    anyio.run(test)


def test_accepted_by_the_server() -> None:
    async def test() -> None:
        link = FakeLink()
        websocket = session_of(link, handshake()).websocket
        assert websocket is not None
        await websocket.accept()
        await websocket.send(b"\xff")
        websocket.message_received(b"\xff", False)
        assert await websocket.receive() == b"\xff" and link.take_sent() == [(b"websocket", b"\xff")]
        rejected = session_of(link, handshake()).websocket
        assert rejected is not None
        await rejected.reject(403)
        assert link.take_sent() == [(b"end", b"1008")]

    anyio.run(test)


def test_rejected_with_a_response() -> None:
    async def test() -> None:
        link = FakeLink(*ALL)
        websocket = session_of(link, handshake()).websocket
        assert websocket is not None
        await websocket.reject(401, [], b"no")
        assert link.sent[0][1].startswith(b"HTTP/1.1 401 ") and link.sent[1] == (b"body", b"no")
        with pytest.raises(NodeUsageError):
            await websocket.accept()

    anyio.run(test)


@pytest.mark.parametrize(
    ("reason", "code", "text"),
    [("1001 going", 1001, "going"), ("1006", 1006, ""), ("client-left", 1006, "client-left")],
)
def test_the_client_closes(reason: str, code: int, text: str) -> None:
    async def test() -> None:
        session = session_of(FakeLink(*ALL), handshake())
        websocket = session.websocket
        assert websocket is not None
        await websocket.accept()
        websocket.message_received(b"last", False)
        session.session_ended(reason)
        assert await websocket.receive() == "last"
        with pytest.raises(WebSocketClosed) as caught:
            await websocket.receive()
        assert (caught.value.code, caught.value.reason) == (code, text)

    anyio.run(test)
