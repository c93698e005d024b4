"""One session as a handler sees it: a request that comes in pieces, and its answer.

Every request is a session of its own where the server knows `exchange`; where it does not, the requests of
one connection follow each other under one sid, and each of them is a Session here. Knows no socket.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import anyio

from blastbeat.events import Buffer
from blastbeat.node.errors import Disconnected, NodeUsageError
from blastbeat.node.flow import Allowance, Debt
from blastbeat.node.head import BODYLESS, Fields, as_bytes, format_head, has_length, with_length
from blastbeat.node.request import Request
from blastbeat.node.websocket import WebSocket

if TYPE_CHECKING:
    from blastbeat.node.link import Link

MAX_PIECE = 256 * 1024
"""Bytes of a body in one message; more goes as several, each of which waits for the client."""


class Session:
    """`request` is its head. Methods raise Disconnected once the client has gone."""

    __slots__ = (
        "_body",
        "_body_left",
        "_debt",
        "_event",
        "_has_length",
        "_is_bodyless",
        "_is_complete",
        "_is_discarding",
        "_is_started",
        "allowance",
        "ended",
        "link",
        "request",
        "sid",
        "websocket",
    )

    def __init__(self, link: Link, sid: bytes, request: Request) -> None:
        self.link = link
        self.sid = sid
        self.request = request
        self.ended: str | None = None
        """Why the session is over, None while it is not."""
        self.allowance = Allowance(link.window)
        self._debt = Debt(link.own_window, self._give_back)
        self._body: deque[Buffer] = deque()
        self._body_left = request.content_length  # None: until an empty piece
        self._event: anyio.Event | None = None  # for who waits for a piece
        self._is_started = False
        self._is_complete = False
        self._has_length = False
        self._is_bodyless = False
        self._is_discarding = False
        self.websocket: WebSocket | None = WebSocket(self) if request.is_websocket else None

    # ------------------------------------------------------------ the link speaks

    def body_received(self, data: Buffer) -> None:
        """A piece of the request's body; an empty one ends a body of unknown length."""
        if self._body_left is None and not len(data):
            self._body_left = 0
        else:
            if self._body_left is not None:
                self._body_left -= len(data)
            if self._is_discarding:
                self._debt.consumed(len(data))
            else:
                self._body.append(data)
        self.wake()

    def session_ended(self, reason: str) -> None:
        """The server's `end`."""
        if self.ended is None:
            self.ended = reason
            self.wake()
            self.allowance.wake()
            if self.websocket is not None:
                self.websocket.session_ended(reason)

    def wake(self) -> None:
        """Whoever waits for the client looks again."""
        event, self._event = self._event, None
        if event is not None:
            event.set()

    def _give_back(self, size: int) -> None:
        if self.ended is None:
            self.link.send(self.sid, b"credit", b"%d" % size)

    # ------------------------------------------------------------ the request's body

    @property
    def is_body_read(self) -> bool:
        """Nothing more of it comes."""
        return not self._body and self._body_left == 0

    async def read(self) -> bytes:
        """The next piece of the body, as it came; empty when there is no more."""
        while (data := self.read_now()) is None:
            await self.wait_input()
        return data

    def read_now(self) -> bytes | None:
        """As `read`; None where that would wait."""
        if not self._body:
            if self._body_left == 0:
                return b""
            if self.ended is not None:
                raise Disconnected(self.ended)
            return None
        data = bytes(self._body.popleft())
        self._debt.consumed(len(data))
        return data

    def discard_body(self) -> None:
        """What is there of the body, and what still comes, is nobody's: it counts as read, so that the
        server has done with the request."""
        self._is_discarding = True
        while self._body:
            self._debt.consumed(len(self._body.popleft()))

    async def wait_input(self) -> None:
        """Until a piece came, or the session is over."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()

    async def body(self, limit: int = 16 * 1024 * 1024) -> bytes:
        """All of it; NodeUsageError where it is longer than `limit` bytes."""
        pieces = []
        async for piece in self:
            limit -= len(piece)
            if limit < 0:
                raise NodeUsageError("the body is longer than the limit")
            pieces.append(piece)
        return b"".join(pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.read():
            yield piece

    # ------------------------------------------------------------ the response

    async def respond(self, status: int = 200, headers: Fields = (), body: bytes | str = b"") -> None:
        """A whole response, in one message unless it is large."""
        head = format_head(status, as_bytes(headers, without_length=True))
        data = body.encode() if isinstance(body, str) else body
        if len(data) <= MAX_PIECE:
            self.write_response(head, data)
            await self.link.until_room()
        else:
            self.write_head(with_length(head, len(data)), is_sized=True)
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
        if data and not is_bodyless:
            self.allowance.take(len(data))
            self.link.send_pairs(self.sid, ((b"headers", head), (b"body", data)))
        else:
            self.link.send(self.sid, b"headers", head)
        self._complete()

    def write_head(self, head: bytes, *, is_sized: bool) -> None:
        """See `start`, for a head that `format_head` made."""
        self._begin(head)
        self._has_length = is_sized
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
            raise NodeUsageError("`send` comes between `start` and `end`")
        if data and not self._is_bodyless:
            type = b"body" if self._has_length else b"chunk"
            if len(data) <= MAX_PIECE:
                await self.send_piece(type, data)
            else:
                for begin in range(0, len(data), MAX_PIECE):
                    await self.send_piece(type, memoryview(data)[begin : begin + MAX_PIECE])

    async def send_piece(self, type: bytes, data: Buffer) -> None:
        """A message that uses credit up."""
        while self.allowance.is_used_up and self.ended is None:
            await self.allowance.wait()
        self._check_open()
        self.allowance.take(len(data))
        self.link.send(self.sid, type, data)
        await self.link.until_room()

    async def end(self) -> None:
        """The response is complete."""
        if not self._is_started or self._is_complete:
            raise NodeUsageError("`end` comes once, after `start`")
        self._check_open()
        if not (self._has_length or self._is_bodyless):
            self.link.send(self.sid, b"chunk", b"")
        self._complete()

    async def retry(self) -> None:
        """Before any response: another instance shall answer this request."""
        if self._is_started:
            raise NodeUsageError("`retry` comes before the response")
        self._check_open()
        self._is_started = self._is_complete = True
        self.link.send(self.sid, b"retry", b"")

    def abort(self, reason: str = "") -> None:
        """The response failed: the client is answered 502, or notices that it was cut."""
        if self.ended is None and not self._is_complete:
            self._is_started = self._is_complete = True
            self.link.send(self.sid, b"abort", reason.encode("ascii", "replace")[:200])

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
        self._is_bodyless = head[9:12] in BODYLESS or self.request.method == "HEAD"

    def _complete(self) -> None:
        self._is_complete = True
        self.wake()
        self.link.response_complete(self)

    def _check_open(self) -> None:
        if self.ended is not None:
            if self.websocket is not None:
                self.websocket.check_open()  # raises its own error, with the close code
            raise Disconnected(self.ended)
