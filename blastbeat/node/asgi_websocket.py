"""The messages of a `websocket` scope, over one session.

Source: asgi.readthedocs.io, HTTP & WebSocket 2.5, and the extension Websocket Denial Response. Knows nothing
of scopes and applications.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from blastbeat.node.asgi_http import as_body, not_due
from blastbeat.node.errors import ClientGone, Disconnected, NodeUsageError, WebSocketClosed
from blastbeat.node.head import format_head, has_length
from blastbeat.node.session import Session
from blastbeat.node.websocket import WebSocket, is_sendable

Message = MutableMapping[str, Any]

NORMAL, VANISHED, INTERNAL_ERROR = 1000, 1006, 1011  # RFC 6455 §7.4.1


class WebSocketExchange:
    """`receive` and `send` of one WebSocket. `send` raises ClientGone once it is over, and NodeUsageError for
    a message that is wrong or not due."""

    __slots__ = ("_has_connected", "_rejection", "_session", "_websocket")

    def __init__(self, session: Session, websocket: WebSocket) -> None:
        self._session = session
        self._websocket = websocket
        self._has_connected = False
        self._rejection: bytes | None = None  # a head that waits for the first piece of its body

    async def receive(self) -> Message:
        if not self._has_connected:
            self._has_connected = True
            return {"type": "websocket.connect"}
        if self._session.is_complete:
            return {"type": "websocket.disconnect", "code": VANISHED, "reason": ""}
        try:
            message = await self._websocket.receive()
        except WebSocketClosed as closed:
            return {"type": "websocket.disconnect", "code": closed.code, "reason": closed.reason}
        return {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        try:
            if kind == "websocket.send":
                await self._send(message)
            elif kind == "websocket.accept":
                await self._accept(message)
            elif kind == "websocket.close":
                await self._close(message)
            elif kind == "websocket.http.response.start":
                self._start_rejection(message)
            elif kind == "websocket.http.response.body":
                await self._send_rejection(message)
            else:
                raise NodeUsageError(f"{kind!r} is no message of a websocket scope")
        except Disconnected as error:
            raise ClientGone(str(error)) from None

    async def _send(self, message: Message) -> None:
        text, data = message.get("text"), message.get("bytes")
        if text is not None:
            if not isinstance(text, str):
                raise NodeUsageError(f"websocket.send: expected `text` as str, got {type(text).__name__}")
            await self._websocket.send(text)
        elif data is not None:
            await self._websocket.send(as_body(data))
        else:
            raise NodeUsageError("websocket.send: expected `text` or `bytes`, got neither")

    async def _accept(self, message: Message) -> None:
        websocket, protocol = self._websocket, message.get("subprotocol")
        headers = [(bytes(name), bytes(value)) for name, value in message.get("headers") or ()]
        if any(name.lower() == b"sec-websocket-protocol" for name, _ in headers):
            raise NodeUsageError("websocket.accept: the subprotocol goes into `subprotocol`, not `headers`")
        if protocol is not None and protocol not in websocket.protocols:
            offered = ", ".join(map(repr, websocket.protocols)) or "none"
            raise NodeUsageError(f"websocket.accept: subprotocol {protocol!r} is not offered, but {offered}")
        if self._rejection is not None:
            raise not_due("websocket.accept", "it is being refused")
        await websocket.accept(protocol, headers)

    async def _close(self, message: Message) -> None:
        websocket = self._websocket
        code, reason = int(message.get("code") or NORMAL), message.get("reason")
        if websocket.is_accepted:
            # Applications hand on codes that they were told and that may not travel: 1005, 1006.
            websocket.close_now(code if is_sendable(code) else NORMAL, reason or "")
        elif not self._session.is_started:
            await websocket.reject(403)

    # ------------------------------------------------------------ refusing with a response

    def _start_rejection(self, message: Message) -> None:
        websocket, kind = self._websocket, "websocket.http.response.start"
        if websocket.is_accepted or self._session.is_started or self._rejection is not None:
            raise not_due(kind, "the handshake was answered already")
        if not websocket.can_reject:
            raise not_due(kind, "the server has accepted the handshake already (`websocket-accept`)")
        head = format_head(message["status"], message.get("headers", ()))
        if head[9:10] == b"1":
            raise NodeUsageError(f"{message['status']} is no status of a response: expected one from 200 on")
        self._rejection = head

    async def _send_rejection(self, message: Message) -> None:
        session, head = self._session, self._rejection
        data, has_more = as_body(message.get("body", b"")), message.get("more_body", False)
        if session.is_complete:
            return
        if head is not None:
            self._rejection = None
            if not has_more:
                session.write_response(head, data)
                return
            session.write_head(head, is_sized=has_length(head))
        elif not session.is_started:
            raise not_due(message["type"], "expected 'websocket.http.response.start' first")
        await session.send(data)
        if not has_more:
            await session.end()

    # ------------------------------------------------------------ the application is over

    def is_left_open(self) -> bool:
        """Whether the handshake was not answered to its end. What is open is closed with 1000, as the
        application has said all it wanted to say."""
        session, websocket = self._session, self._websocket
        if websocket.is_accepted:
            websocket.close_now(NORMAL)
            return False
        return not session.is_complete and session.ended is None

    def fail(self) -> None:
        """1011, or 500 where the handshake is not answered."""
        session, websocket = self._session, self._websocket
        if websocket.is_accepted or not websocket.can_reject:
            websocket.close_now(INTERNAL_ERROR)
        elif session.is_started:
            session.abort("the application failed")
        elif session.ended is None:
            session.write_response(format_head(500, ()), b"Internal Server Error")
