"""A WebSocket as a handler sees it: accept or reject it, messages both ways, close codes.

Where the server has accepted it already (it does not know `accept`), accepting is nothing but a word. Knows
no frames: the server keeps them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import anyio

from blastbeat.events import Buffer
from blastbeat.node.errors import NodeUsageError, WebSocketClosed
from blastbeat.node.head import Fields, as_bytes, format_head

if TYPE_CHECKING:
    from blastbeat.node.session import Session

MAX_REASON = 123  # bytes (RFC 6455 §5.5)


class WebSocket:
    """`session.websocket`. Methods raise WebSocketClosed once it is over; `async for` gives its messages
    until then."""

    __slots__ = ("_closed", "_event", "_messages", "_session", "can_reject", "is_accepted")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._messages: deque[tuple[str | bytes, int]] = deque()  # with their size on the wire
        self._event: anyio.Event | None = None
        self._closed: WebSocketClosed | None = None
        self.can_reject = session.link.knows("accept")
        """The handshake is this side's to answer. Else the server has accepted it already."""
        self.is_accepted = False

    @property
    def protocols(self) -> list[str]:
        """The subprotocols that the client offers."""
        offered = self._session.request.header("sec-websocket-protocol") or ""
        return [item.strip() for item in offered.split(",") if item.strip()]

    @property
    def closed(self) -> WebSocketClosed | None:
        """How it ended, None while it is open."""
        return self._closed

    async def accept(self, protocol: str | None = None, headers: Fields = ()) -> None:
        """Open it, with one of `protocols`. Where the server has accepted it already, what is said here comes
        too late."""
        if self.is_accepted or self._session.is_started:
            raise NodeUsageError("this handshake was answered already")
        self.check_open()
        fields = as_bytes(headers)
        if protocol is not None:
            fields.append((b"sec-websocket-protocol", protocol.encode("latin-1")))
        head = format_head(101, fields)
        self.is_accepted = True
        if self.can_reject:
            self._session.link.send(self._session.sid, b"headers", head)
        if self._session.link.is_draining:
            self.close_now(1012)

    async def reject(self, status: int = 403, headers: Fields = (), body: bytes | str = b"") -> None:
        """Answer the handshake with a response instead. Where the server has accepted it already it is closed
        with 1008."""
        if self.can_reject:
            await self._session.respond(status, headers, body)
        else:
            self.is_accepted = True
            self.close_now(1008)

    async def receive(self) -> str | bytes:
        """The next message; a text as str, where the server tells them apart. Without `binary` in force
        whatever is UTF-8 is a text."""
        while not self._messages:
            self.check_open()
            if self._event is None:
                self._event = anyio.Event()
            await self._event.wait()
        message, size = self._messages.popleft()
        self._session.message_read(size)
        return message

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while True:
            try:
                message = await self.receive()
            except WebSocketClosed:
                return
            yield message

    async def send(self, message: str | bytes) -> None:
        """One message; waits while the client does not keep up."""
        self.check_open()
        if not self.is_accepted:
            raise NodeUsageError("`accept` comes first")
        session = self._session
        if isinstance(message, str):
            await session.send_piece(b"websocket", message.encode())
        else:
            type = b"websocket-binary" if session.link.knows("binary") else b"websocket"
            await session.send_piece(type, message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it; nothing happens where it is over already. `code`: 1000 to 1003, 1007 to 1014, or 3000 to
        4999 (RFC 6455 §7.4); `reason`: what fits into 123 bytes of UTF-8."""
        if not is_sendable(code):
            raise NodeUsageError(
                f"{code!r} is no close code: expected 1000 to 1003, 1007 to 1014, or 3000 to 4999"
            )
        self.close_now(code, reason)

    def close_now(self, code: int = 1000, reason: str = "") -> None:
        """The same, for a code that is one."""
        if self._closed is None:
            text = reason.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")
            body = f"{code} {text}" if text else str(code)
            self._session.link.send(self._session.sid, b"end", body.encode())
            self._end(WebSocketClosed(code, text))

    def message_received(self, data: Buffer, is_binary: bool) -> None:
        """The link hands it over."""
        size = len(data)
        if self._closed is not None or not self._session.message_waits(size):
            return
        message: str | bytes = bytes(data)
        if not is_binary:
            try:
                message = str(data, "utf-8")
            except UnicodeDecodeError:
                pass  # binary, from a server that does not tell
        self._messages.append((message, size))
        self._wake()

    def session_ended(self, reason: str) -> None:
        """The server's `end`: `<code> <reason>`."""
        digits, _, text = reason.partition(" ")
        is_code = digits.isascii() and digits.isdigit() and len(digits) == 4
        self._end(WebSocketClosed(int(digits), text) if is_code else WebSocketClosed(1006, reason))

    def _end(self, closed: WebSocketClosed) -> None:
        if self._closed is None:
            self._closed = closed
            self._wake()
            self._session.wake_sender()

    def _wake(self) -> None:
        event, self._event = self._event, None
        if event is not None:
            event.set()

    def check_open(self) -> None:
        """Raises WebSocketClosed where it is over."""
        if self._closed is not None:
            raise WebSocketClosed(self._closed.code, self._closed.reason)


def is_sendable(code: int) -> bool:
    """Whether a close frame may carry it (RFC 6455 §7.4, and the codes registered since)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999
