"""One session as a handler sees it: a request that comes in pieces, and its answer.

Every request is a session of its own where the server knows `exchange`; where it does not, the requests of
one connection follow each other under one sid, and each of them is a Session here. Knows no socket.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from blastbeat.events import Buffer
from blastbeat.messages import MAX_TYPE_FRAME
from blastbeat.node.errors import Disconnected, NodeUsageError, is_departure
from blastbeat.node.flow import Allowance
from blastbeat.node.head import (
    BODYLESS,
    Fields,
    as_bytes,
    declared_length,
    format_head,
    has_length,
    with_length,
)
from blastbeat.node.incoming import Incoming
from blastbeat.node.request import Request
from blastbeat.node.websocket import WebSocket

if TYPE_CHECKING:
    from blastbeat.node.link import Link

MAX_PIECE = 256 * 1024
"""Bytes of a body in one message; more goes as several, each of which waits for the client."""

_OF_A_RESPONSE = frozenset((b"headers", b"uwsgi", b"body", b"chunk", b"end", b"abort", b"retry"))
_USES_CREDIT = frozenset((b"body", b"chunk", b"websocket", b"websocket-binary"))


class Session(Incoming):
    """`request` is its head. Methods raise Disconnected once the client has gone, WebSocketClosed where it is
    a WebSocket, and NodeUsageError for what can't be done now. As a context it ends what its block left open
    (see `finish`), and passes over that the client has left."""

    __slots__ = (
        "_allowance",
        "_is_bodyless",
        "_is_complete",
        "_is_started",
        "_left",
        "websocket",
    )

    def __init__(self, link: Link, sid: bytes, request: Request) -> None:
        super().__init__(link, sid, request)
        self._allowance: Allowance | None = None  # made when it counts: most responses are one message
        self._left: int | None = None  # of the response's declared length
        self._is_started = self._is_complete = self._is_bodyless = False
        self.websocket: WebSocket | None = WebSocket(self) if request.is_websocket else None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        is_gone = error is not None and is_departure(error)
        if error is None or is_gone:
            self.finish()
        else:
            self.finish("the handler failed", 1011)
        return is_gone

    # ------------------------------------------------------------ the link speaks

    def credit_received(self, size: int) -> None:
        """So many bytes have left towards the client."""
        if self._allowance is not None:  # else nothing has used it up
            self._allowance.add(size)

    def session_ended(self, reason: str) -> None:
        """The server's `end`, or the end of what is known of it."""
        if self.ended is None:
            self.ended = reason
            self.wake()
            self.wake_sender()
            if self.websocket is not None:
                self.websocket.session_ended(reason)

    def wake_sender(self) -> None:
        """Who waits for credit looks whether it still matters."""
        if self._allowance is not None:
            self._allowance.wake()

    def break_off(self, reason: str) -> None:
        """What came or goes is not whole any more: both sides are told."""
        if self.ended is None:
            if self.websocket is not None and self.websocket.is_accepted:
                self.websocket.close_now(1012, reason)
            else:
                self.link.send(self.sid, b"abort", reason.encode())
            self._is_started = self._is_complete = True
            self.link.sessions.pop(self.sid, None)
            self.session_ended(reason)

    # ------------------------------------------------------------ the response

    async def respond(self, status: int = 200, headers: Fields = (), body: bytes | str = b"") -> None:
        """A whole response, in one message unless it is large. A `Content-Length` among `headers` must be
        right; to HEAD it is what GET would get."""
        head = format_head(status, as_bytes(headers))
        data = body.encode() if isinstance(body, str) else body
        declared = declared_length(head)
        if declared not in (None, len(data)) and not self._has_no_body(head):
            raise NodeUsageError(f"the body has {len(data)} bytes, Content-Length says {declared}")
        if len(data) <= MAX_PIECE:
            self.write_response(head, data)
            await self.link.until_room()
        else:
            if declared is None:
                head = with_length(head, len(data))
            self.write_head(head, is_sized=True)
            await self.send(data)
            await self.end()

    async def start(self, status: int = 200, headers: Fields = ()) -> None:
        """The head of a response that is sent piece by piece. With a `Content-Length` among `headers` exactly
        so much must follow, without one `end` tells where it ends."""
        head = format_head(status, as_bytes(headers))
        self.write_head(head, is_sized=has_length(head))
        await self.link.until_room()

    def write_response(self, head: bytes, data: Buffer) -> None:
        """A whole response of at most MAX_PIECE, with a head that `format_head` made. Where that tells no
        length yet it will."""
        self._begin(head)
        is_bodyless = self._is_bodyless
        if not has_length(head) and not (is_bodyless and (not data or head[9:12] in BODYLESS)):
            head = with_length(head, len(data))  # to HEAD too, as to GET
        self.link.send_response(self.sid, head, b"" if is_bodyless else data)
        self._complete()

    def write_head(self, head: bytes, *, is_sized: bool) -> None:
        """See `start`, for a head that `format_head` made."""
        left = declared_length(head) if is_sized else None
        self._begin(head)
        self._left = left
        self.link.send(self.sid, b"headers", head)

    async def inform(self, status: int, headers: Fields = ()) -> None:
        """An interim response (1xx), e.g. 103 Early Hints; before the response only."""
        if self._is_started or not 102 <= status <= 199:
            raise NodeUsageError(
                "an interim response comes before the final one, with a status from 102 to 199"
            )
        self._check_open()
        self.link.send(self.sid, b"headers", format_head(status, as_bytes(headers)))

    async def send(self, data: Buffer) -> None:
        """A piece of the response; waits while the client does not keep up."""
        if not self._is_started or self._is_complete:
            self._check_open()
            raise NodeUsageError("`send` comes between `start` and `end`")
        if not data or self._is_bodyless:
            return
        if self._left is not None:
            if len(data) > self._left:
                self._fail(
                    f"the body is longer than its Content-Length: {len(data)} bytes, {self._left} left"
                )
            self._left -= len(data)
        type = b"chunk" if self._left is None else b"body"
        if len(data) <= MAX_PIECE:
            await self.send_piece(type, data)
        else:
            for begin in range(0, len(data), MAX_PIECE):
                await self.send_piece(type, memoryview(data)[begin : begin + MAX_PIECE])

    async def send_piece(self, type: bytes, data: Buffer) -> None:
        """A message that uses credit up."""
        allowance = self._allowance
        if allowance is None:
            allowance = self._allowance = Allowance(self.link.window)
        while allowance.is_used_up and self.ended is None:
            await allowance.wait()
            if self.websocket is not None:
                self.websocket.check_open()  # closed by this side meanwhile
        self._check_open()
        allowance.take(len(data))
        self.link.send(self.sid, type, data)
        if self.link.is_full:
            await self.link.until_room()

    async def end(self) -> None:
        """The response is complete."""
        if not self._is_started or self._is_complete:
            self._check_open()
            raise NodeUsageError("`end` comes once, after `start`")
        self._check_open()
        if not self._is_bodyless:
            if self._left is None:
                self.link.send(self.sid, b"chunk", b"")
            elif self._left:
                self._fail(f"the body is shorter than its Content-Length: {self._left} bytes are missing")
        self._complete()

    async def send_raw(self, type: bytes | str, body: Buffer = b"") -> None:
        """A message as it stands, for what this library has no word for. With the first one that belongs to a
        response (`headers`, `body`, `chunk`, `end`, …) the whole response is the caller's: nothing is
        checked or completed here any more."""
        name = type.encode("latin-1") if isinstance(type, str) else type
        self._check_open()
        plain = name.rpartition(b":")[2]
        if not plain or len(name) > MAX_TYPE_FRAME:
            raise NodeUsageError(f"{name!r} is no type of a message: expected 1 to 32 characters")
        if name in _OF_A_RESPONSE:
            self._is_started = self._is_complete = True
        if name in _USES_CREDIT:
            await self.send_piece(name, body)
        else:
            self.link.send(self.sid, name, body)

    async def retry(self) -> None:
        """Before any response: another instance shall answer this request, or the client gets 503."""
        if self._is_started or (self.websocket is not None and self.websocket.is_accepted):
            raise NodeUsageError("`retry` comes before the response")
        self._check_open()
        self.hand_back()

    def hand_back(self) -> None:
        """The same, for a session that nobody has seen yet."""
        self._is_started = self._is_complete = True
        self.link.send(self.sid, b"retry", b"")
        self.discard_body()

    def abort(self, reason: str = "") -> None:
        """The response failed: the client is answered 502, or notices that it was cut."""
        if self.ended is None and not self._is_complete:
            self._is_started = self._is_complete = True
            self.link.send(self.sid, b"abort", reason.encode("ascii", "replace")[:200])

    def finish(self, failure: str = "", code: int = 1000) -> None:
        """Nobody cares for it any more. A response that is incomplete fails, for `failure`; a WebSocket is
        closed with `code`; what still comes of the request is dropped, and counts as read."""
        if self.websocket is not None and self.websocket.is_accepted:
            self.websocket.close_now(code)
        else:
            self.abort(failure or "the handler left its response incomplete")
        self.discard_body()

    @property
    def is_started(self) -> bool:
        """A response has begun, or was asked of somebody else."""
        return self._is_started

    @property
    def is_complete(self) -> bool:
        """The response is complete, as far as it is up to this side."""
        return self._is_complete

    def _begin(self, head: bytes) -> None:
        if self._is_started:
            raise NodeUsageError("this request was answered already")
        if self.websocket is not None and self.websocket.is_accepted:
            raise NodeUsageError("this is a WebSocket, which gets no response")
        self._check_open()
        self._is_started = True
        self._is_bodyless = self._has_no_body(head)

    def _has_no_body(self, head: bytes) -> bool:
        return head[9:12] in BODYLESS or self.request.method == "HEAD"

    def _complete(self) -> None:
        self._is_complete = True
        if self._event is not None:
            self.wake()

    def _fail(self, reason: str) -> NoReturn:
        self.abort("the response is not as long as it said")
        raise NodeUsageError(reason)

    def _check_open(self) -> None:
        if self.ended is not None:
            if self.websocket is not None:
                self.websocket.check_open()  # raises its own error, with the close code
            raise Disconnected(self.ended)
