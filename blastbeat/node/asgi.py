"""ASGI 3 applications as handlers: `http` and `websocket` scopes over sessions.

Source: asgi.readthedocs.io, specifications 2.4 (HTTP and WebSocket). Knows sessions, not how they travel.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from blastbeat.node.errors import ClientGone, Disconnected, WebSocketClosed
from blastbeat.node.node import Handler
from blastbeat.node.session import Session

log = logging.getLogger(__name__)

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_ASGI = {"version": "3.0", "spec_version": "2.4"}


def asgi_handler(
    application: Application, *, root_path: str = "", state: dict[str, Any] | None = None
) -> Handler:
    """`state`: of the lifespan; each scope gets a copy."""

    async def handle(session: Session) -> None:
        scope = _scope(session, root_path, state)
        exchange = _WebSocket(session) if session.websocket is not None else _Http(session)
        try:
            await application(scope, exchange.receive, exchange.send)
        except (ClientGone, Disconnected):
            return
        except Exception:
            request = session.request
            log.exception("the application failed: %s %s", request.method, request.path)
            await exchange.failed()
        else:
            await exchange.left()

    return handle


def _scope(session: Session, root_path: str, state: dict[str, Any] | None) -> Scope:
    request = session.request
    is_websocket = session.websocket is not None
    root = root_path + request.root_path
    scope: Scope = {
        "type": "websocket" if is_websocket else "http",
        "asgi": _ASGI,
        "http_version": request.version,
        "scheme": request.scheme,
        "path": root + request.path,
        "raw_path": request.raw_path,
        "query_string": request.query,
        "root_path": root,
        "headers": request.headers,
        "client": request.client,
        "server": request.server,
        "extensions": {"websocket.http.response": {}} if is_websocket else {"http.response.early_hint": {}},
    }
    if is_websocket:
        assert session.websocket is not None
        scope["scheme"] = "wss" if request.scheme == "https" else "ws"
        scope["subprotocols"] = session.websocket.protocols
    else:
        scope["method"] = request.method
    if state is not None:
        scope["state"] = state.copy()
    return scope


class _Http:
    """One `http` scope."""

    __slots__ = ("_head", "_is_read", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._head: Message | None = None  # `http.response.start` waits for the first piece of body
        self._is_read = False

    async def receive(self) -> Message:
        session = self._session
        if self._is_read:
            while session.ended is None and not session.is_complete:
                await session.wait_input()
            return {"type": "http.disconnect"}
        try:
            data = await session.read()
        except Disconnected:
            return {"type": "http.disconnect"}
        self._is_read = session.is_body_read
        return {"type": "http.request", "body": data, "more_body": not self._is_read}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        try:
            if kind == "http.response.body":
                await self._send_body(message)
            elif kind == "http.response.start":
                self._expect(self._head is None and not self._session.is_started, kind)
                self._head = message
            elif kind == "http.response.early_hint":
                self._expect(self._head is None, kind)
                await self._session.inform(103, [(b"link", bytes(link)) for link in message["links"]])
            elif kind != "http.response.trailers":  # dropped, as the server drops trailers
                self._expect(False, kind)
        except Disconnected as error:
            raise ClientGone(str(error)) from None

    async def _send_body(self, message: Message) -> None:
        session, head = self._session, self._head
        self._expect(head is not None or session.is_started, message["type"])
        data, has_more = message.get("body", b""), message.get("more_body", False)
        if head is not None:
            self._head = None
            status, headers = head["status"], head.get("headers", ())
            has_length = any(bytes(name).lower() == b"content-length" for name, _ in headers)
            if not has_more and not has_length:
                await session.respond(status, headers, data)
                return
            await session.start(status, headers)
        if data:
            await session.send(data)
        if not has_more:
            await session.end()
            session.wake()

    def _expect(self, is_right: bool, kind: str) -> None:
        if not is_right:
            raise RuntimeError(f"the application sent {kind!r} when it was not due")

    async def failed(self) -> None:
        """Before the response has begun a 500, else the client notices that it was cut."""
        session = self._session
        if session.is_started:
            session.abort("the application failed")
        elif session.ended is None:
            text = b"500 Internal Server Error\n"
            await session.respond(500, [(b"Content-Type", b"text/plain; charset=utf-8")], text)

    async def left(self) -> None:
        """It returned: a response that is not complete will never be."""
        session = self._session
        if not session.is_complete and session.ended is None:
            log.error("the application left %s without a whole response", session.request.path)
            await self.failed()


class _WebSocket:
    """One `websocket` scope."""

    __slots__ = ("_has_connected", "_rejection", "_session", "_websocket")

    def __init__(self, session: Session) -> None:
        assert session.websocket is not None
        self._session = session
        self._websocket = session.websocket
        self._has_connected = False
        self._rejection: Message | None = None

    async def receive(self) -> Message:
        if not self._has_connected:
            self._has_connected = True
            return {"type": "websocket.connect"}
        try:
            message = await self._websocket.receive()
        except WebSocketClosed as closed:
            return {"type": "websocket.disconnect", "code": closed.code, "reason": closed.reason}
        if isinstance(message, str):
            return {"type": "websocket.receive", "text": message, "bytes": None}
        return {"type": "websocket.receive", "text": None, "bytes": message}

    async def send(self, message: Message) -> None:
        kind, websocket = message["type"], self._websocket
        try:
            if kind == "websocket.accept":
                await websocket.accept(message.get("subprotocol"), message.get("headers", ()))
            elif kind == "websocket.send":
                text = message.get("text")
                await websocket.send(message["bytes"] if text is None else text)
            elif kind == "websocket.close" and websocket.is_accepted:
                await websocket.close(message.get("code") or 1000, message.get("reason") or "")
            elif kind == "websocket.close":
                await websocket.reject(403)
            elif kind == "websocket.http.response.start":
                self._rejection = message
            elif kind == "websocket.http.response.body" and self._rejection is not None:
                await self._reject(message)
            else:
                raise RuntimeError(f"the application sent {kind!r} when it was not due")
        except Disconnected as error:
            raise ClientGone(str(error)) from None

    async def _reject(self, message: Message) -> None:
        head, session = self._rejection, self._session
        assert head is not None
        if not session.is_started:
            if not message.get("more_body", False):
                await self._websocket.reject(
                    head["status"], head.get("headers", ()), message.get("body", b"")
                )
                return
            await session.start(head["status"], head.get("headers", ()))
        await session.send(message.get("body", b""))
        if not message.get("more_body", False):
            await session.end()

    async def failed(self) -> None:
        if self._websocket.is_accepted:
            await self._websocket.close(1011)
        elif not self._session.is_started and self._session.ended is None:
            await self._websocket.reject(500)

    async def left(self) -> None:
        if self._websocket.is_accepted:
            await self._websocket.close(1000)
        elif not self._session.is_started and self._session.ended is None:
            await self._websocket.reject(500)
