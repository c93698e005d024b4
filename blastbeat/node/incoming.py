"""What comes of a session: its request's body in pieces, or messages, read at the handler's pace; its end.

The half of a session that the server speaks. Knows the link it gives credit back to, nothing of responses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import anyio

from blastbeat.events import Buffer
from blastbeat.node.errors import Disconnected, NodeUsageError
from blastbeat.node.flow import Debt
from blastbeat.node.request import Request

if TYPE_CHECKING:
    from blastbeat.node.link import Link

MAX_UNREAD = 16 * 1024 * 1024
"""Bytes above its credit that a server may have sent of a session and nobody has read. One that knows credit
overshoots by a message; one that does not can't be told to wait, so the session ends here."""

SMALL = 4096
MAX_MERGED = 64 * 1024
"""Bytes. Smaller pieces of a body are put together up to so much: each alone takes memory without credit."""

PER_MESSAGE = 64
"""Bytes that a waiting message counts for beside its own: empty ones take memory too."""


class Incoming:
    """`request` is the head of what comes."""

    __slots__ = (
        "_body",
        "_body_left",
        "_debt",
        "_event",
        "_is_discarding",
        "_unread",
        "ended",
        "link",
        "request",
        "sid",
    )

    def __init__(self, link: Link, sid: bytes, request: Request) -> None:
        self.link = link
        self.sid = sid
        self.request = request
        self.ended: str | None = None
        """Why the session is over, None while it is not."""
        self._body_left = request.content_length  # None: until an empty piece
        self._body: deque[Buffer] | None = None  # made when it counts: most requests have none
        self._debt: Debt | None = None
        self._unread = 0  # bytes of body or messages
        self._event: anyio.Event | None = None  # for who waits for a piece
        self._is_discarding = False

    def break_off(self, reason: str) -> None:
        """More came than may wait."""
        raise NotImplementedError

    # ------------------------------------------------------------ the link speaks

    def body_received(self, data: Buffer) -> None:
        """A piece of the request's body; an empty one ends a body of unknown length."""
        size = len(data)
        if self._body_left is not None:
            data = data[: self._body_left]
            self._body_left -= len(data)
        elif not size:
            self._body_left = 0
        if self._is_discarding or not len(data):
            self.consumed(size)
        elif self.has_room(size):
            self._unread += size
            self._keep(data)
        self.wake()

    def _keep(self, data: Buffer) -> None:
        if self._body is None:
            self._body = deque()
        if len(data) >= SMALL:
            self._body.append(data)
        elif self._body and isinstance(last := self._body[-1], bytearray) and len(last) < MAX_MERGED:
            last += data
        else:
            self._body.append(bytearray(data))

    def has_room(self, size: int) -> bool:
        """Whether so much more may wait to be read; ends the session where it may not."""
        if self._unread + size <= MAX_UNREAD + self.link.own_window:
            return True
        self.break_off("more came than was read")
        return False

    def message_waits(self, size: int) -> bool:
        """A WebSocket's message waits to be read; False where it may not."""
        if not self.has_room(size + PER_MESSAGE):
            return False
        self._unread += size + PER_MESSAGE
        return True

    def message_read(self, size: int) -> None:
        """One was taken."""
        self._unread -= size + PER_MESSAGE
        self.consumed(size)

    def consumed(self, size: int) -> None:
        """So many bytes were read, or dropped."""
        if self._debt is None:
            self._debt = Debt(self.link.own_window, self._give_back)
        self._debt.consumed(size)

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
        """The next piece of the body, as it came; empty when there is no more. Raises Disconnected where the
        client left before it had sent everything."""
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
        self._unread -= len(data)
        self.consumed(len(data))
        return data

    async def wait_input(self) -> None:
        """Until a piece came, or the response is complete, or the session is over."""
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

    def discard_body(self) -> None:
        """Drop what has come of the body, and what comes."""
        self._is_discarding = True
        if self._body:
            self._body.clear()
            self.consumed(self._unread)
            self._unread = 0
