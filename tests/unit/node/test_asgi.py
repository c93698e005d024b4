"""ASGI applications over sessions: scopes, and messages both ways."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from blastbeat.node import Session
from blastbeat.node.asgi import asgi_handler
from tests.helpers.node_link import FakeLink, handshake, names, request, session_of


def test_a_response_in_one_piece_is_sent_as_one() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http" and scope["path"] == "/root/a b" and scope["root_path"] == "/root"
        assert scope["raw_path"] == b"/a%20b" and scope["state"] == {"a": 1}
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1")]})
        await send({"type": "http.response.body", "body": b"hello"})
        assert await receive() == {"type": "http.disconnect"}

    link = FakeLink()
    handler = asgi_handler(application, root_path="/root", state={"a": 1})
    anyio.run(handler, session_of(link, request("GET", "/a%20b")))
    assert link.sent[0][1].endswith(b"x-a: 1\r\ncontent-length: 5\r\n\r\n") and link.sent[1] == (
        b"body",
        b"hello",
    )


@pytest.mark.parametrize("has_begun", [False, True])
def test_an_application_that_fails(has_begun: bool) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        if has_begun:
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
        raise ValueError

    link = FakeLink()
    anyio.run(asgi_handler(application), session_of(link))
    assert names(link.sent) == (["headers", "chunk", "abort"] if has_begun else ["headers", "body"])


def test_a_websocket() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket" and scope["scheme"] == "ws" and scope["subprotocols"] == ["a"]
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept", "subprotocol": "a"})
        message = await receive()
        await send({"type": "websocket.send", "text": message["text"] + "!"})
        assert await receive() == {"type": "websocket.disconnect", "code": 1001, "reason": "bye"}

    async def serve(session: Session) -> None:
        await asgi_handler(application)(session)

    async def run() -> None:
        link = FakeLink("accept")
        session = session_of(link, handshake("Sec-WebSocket-Protocol: a"))
        assert session.websocket is not None
        session.websocket.message_received(b"hi", False)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve, session)
            while len(link.sent) < 2:
                await anyio.lowlevel.checkpoint()
            session.session_ended("1001 bye")
        assert link.sent[1] == (b"websocket", b"hi!")

    anyio.run(run)
