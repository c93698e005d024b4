"""The messages of an `http` scope, over one session.

Source: asgi.readthedocs.io, HTTP & WebSocket 2.5, and the extensions Early Hints and HTTP Trailers. Knows
nothing of scopes and applications.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from blastbeat.node.errors import ClientGone, Disconnected, NodeUsageError
from blastbeat.node.head import BODYLESS, declared_length, format_head, has_length, with_length
from blastbeat.node.session import MAX_PIECE, Session

Message = MutableMapping[str, Any]

_FAILED = format_head(500, [(b"content-type", b"text/plain; charset=utf-8")])


class Heads:
    """Heads whose first piece of body has not come within the same turn of the loop go without: a client may
    wait for the head of a response whose body takes long. Those in time travel in one message with it."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[HttpExchange] = []

    def add(self, exchange: HttpExchange) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._turn_over)
        self._waiting.append(exchange)

    def _turn_over(self) -> None:
        waiting, self._waiting = self._waiting, []
        for exchange in waiting:
            exchange.send_head()


class HttpExchange:
    """`receive` and `send` of one request. `send` raises ClientGone once the client has left, and
    NodeUsageError for a message that is wrong or not due."""

    __slots__ = ("_head", "_heads", "_is_read", "_left", "_session")

    def __init__(self, session: Session, heads: Heads) -> None:
        self._session = session
        self._heads = heads
        self._head: bytes | None = None  # until the first piece of the body
        self._left: int | None = None  # bytes that a declared length still wants
        self._is_read = False

    async def receive(self) -> Message:
        session = self._session
        while not session.is_complete:
            if not self._is_read:
                try:
                    data = session.read_now()
                except Disconnected:
                    break
                if data is not None:
                    self._is_read = is_last = session.is_body_read
                    return {"type": "http.request", "body": data, "more_body": not is_last}
            elif session.ended is not None:
                break
            await session.wait_input()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        try:
            if kind == "http.response.start":
                self._start(message)
            elif kind == "http.response.body":
                data = message.get("body", b"")
                if data.__class__ is not bytes:
                    data = as_body(data)
                has_more = message.get("more_body", False)
                if self._head is not None and not has_more and len(data) <= MAX_PIECE:
                    self._respond(self._head, data)
                    await self._session.link.until_room()
                else:
                    await self._send_piece(data, has_more)
            else:
                await self._send_rare(kind, message)
        except Disconnected as error:
            raise ClientGone(str(error)) from None

    def _start(self, message: Message) -> None:
        session = self._session
        if self._head is not None or session.is_started:
            if session.is_complete:
                return  # ignored, as everything behind the last piece
            raise not_due("http.response.start", "the response has begun")
        if session.ended is not None:
            raise ClientGone(session.ended)
        head = format_head(message["status"], message.get("headers", ()))
        if head[9:10] == b"1":
            raise NodeUsageError(f"{message['status']} is no status of a response: expected one from 200 on")
        length = declared_length(head)
        has_body = session.request.method != "HEAD" and head[9:12] not in BODYLESS
        self._left = length if has_body else None
        self._head = head
        self._heads.add(self)

    def _respond(self, head: bytes, data: bytes) -> None:
        if self._left is not None and self._left != len(data):
            raise _wrong_length(self._left, len(data))
        self._head = None
        self._session.write_response(head, data)

    def send_head(self) -> None:
        """The head goes without a piece of the body, if it has not gone yet."""
        head, session = self._head, self._session
        if head is not None and session.ended is None and not session.is_started:
            self._head = None
            session.write_head(head, is_sized=self._left is not None)

    async def _send_piece(self, data: bytes, has_more: bool) -> None:
        session = self._session
        if session.is_complete:
            return
        head = self._head
        if head is not None and not has_more and not has_length(head) and head[9:12] not in BODYLESS:
            self._left = len(data)  # all of it, too much for one message
            self._head = with_length(head, self._left)
        self.send_head()
        if session.ended is not None:
            raise ClientGone(session.ended)
        if not session.is_started:
            raise not_due("http.response.body", "expected 'http.response.start' first")
        if self._left is not None:
            if len(data) > self._left:
                raise _wrong_length(self._left, len(data))
            self._left -= len(data)
        await session.send(data)
        if not has_more:
            if self._left:
                raise NodeUsageError(f"the body is {self._left} bytes shorter than its Content-Length")
            await session.end()

    async def _send_rare(self, kind: str, message: Message) -> None:
        session = self._session
        if kind == "http.response.early_hint":
            # Where the head has gone it is too late; the specification lets a server ignore any.
            if not session.is_started and session.request.version != "1.0":
                await session.inform(103, [(b"link", link) for link in message["links"]])
        elif kind != "http.response.trailers":  # which the server would drop
            raise NodeUsageError(f"{kind!r} is no message of an http scope here")

    def is_left_open(self) -> bool:
        """Whether the response is not complete, and somebody waits for it."""
        return not self._session.is_complete and self._session.ended is None

    def fail(self) -> None:
        """A 500 where the response has not begun, else the client notices that it was cut."""
        session = self._session
        self._head = None
        if self.is_left_open():
            if session.is_started:
                session.abort("the application failed")
            else:
                session.write_response(_FAILED, b"Internal Server Error")


def as_body(data: object) -> bytes:
    """What an application gave as body, which may change its buffer afterwards."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise NodeUsageError(f"expected the body as bytes, got {type(data).__name__}")


def not_due(kind: str, why: str) -> NodeUsageError:
    return NodeUsageError(f"the application sent {kind!r} when it was not due: {why}")


def _wrong_length(wanted: int, got: int) -> NodeUsageError:
    return NodeUsageError(f"the Content-Length leaves {wanted} bytes, but the body has {got}")
