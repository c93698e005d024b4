"""What the thread that runs an application and the event loop hand each other about one exchange.

Both sides of one lock: methods say who calls them. Knows pieces of a response, not what they mean.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from blastbeat.events import Buffer
from blastbeat.node.errors import ClientGone, Disconnected
from blastbeat.node.head import format_head
from blastbeat.node.session import MAX_PIECE, Session

log = logging.getLogger(__name__)

RESPONSE_BUFFER = 1024 * 1024
"""Bytes of one response that may wait for its client before the thread that makes it waits too."""

RESPONSE_BUFFERS = 64 * 1024 * 1024
"""Bytes of all responses. While there are more, a response may hold SMALL_BUFFER."""

SMALL_BUFFER = 64 * 1024

HELD_SECONDS = 30.0
"""A client that takes nothing for so long, or sends less than SMALL_BUFFER, loses its thread if another
request waits for one."""

LOOK_AGAIN = 1.0  # seconds


@dataclass(slots=True)
class Piece:
    """Part of a response, the first with its head. `is_last`: it completes it; `is_failed`: it never will be
    complete."""

    head: bytes | None
    data: bytes = b""
    is_last: bool = False
    is_failed: bool = False


class Budget:
    """Bytes that wait for clients, of all responses together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.used = 0

    def add(self, size: int) -> None:
        with self._lock:
            self.used += size


class Channel:
    """Made by the loop. Once it is closed whatever the thread asks for raises ClientGone. `is_short`: whether
    requests wait for a thread."""

    def __init__(
        self,
        session: Session,
        budget: Budget,
        is_short: Callable[[], bool] = lambda: False,
        *,
        held_seconds: float = HELD_SECONDS,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._session = session
        self._budget = budget
        self._is_short = is_short
        self._held_seconds = held_seconds
        self._continue: Callable[[], object] | None = None
        self._came, self._waited = 0, 0.0  # of the request's body, since it last came fast enough
        self._changed = threading.Condition(threading.Lock())
        self._pieces: deque[Piece] = deque()
        self._size = 0
        self.is_closed = False
        self._is_finished = False
        self._waiter: asyncio.Future[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._asked: concurrent.futures.Future[Buffer] | None = None

    # ------------------------------------------------------------ the thread

    @property
    def is_gone(self) -> bool:
        """Nobody waits for the response any more."""
        return self.is_closed or self._session.ended is not None

    def put(self, piece: Piece, *, waits: bool = True) -> None:
        """A piece goes on its way. Returns at once while there is room for more, or without `waits`."""
        size = len(piece.data)
        with self._changed:
            if self.is_gone:
                raise ClientGone("the client has left")
            self._pieces.append(piece)
            self._size += size
            waiter, self._waiter = self._waiter, None
            self._budget.add(size)
        if waiter is not None and not self._tell_loop(waiter):
            raise ClientGone("the node has stopped")
        if size and waits:
            self._wait_room(piece.is_last)

    def has_room(self, is_last: bool = False) -> bool:
        """What is complete is in memory already: that is no reason to wait unless it gets scarce."""
        if self._budget.used > RESPONSE_BUFFERS:
            return self._size <= SMALL_BUFFER
        return is_last or self._size <= RESPONSE_BUFFER

    def when_room(self, function: Callable[[], object]) -> None:
        """The thread goes; `function`, which must not block, is called as soon as there is room, or nobody
        waits any more."""
        with self._changed:
            if not (self.is_closed or self.has_room()):
                self._continue = function
                return
        function()

    def finish(self) -> None:
        """The thread is done with the exchange."""
        with self._changed:
            self._is_finished = True
            waiter, self._waiter = self._waiter, None
        if waiter is not None:
            self._tell_loop(waiter)

    def _wait_room(self, is_last: bool) -> None:
        taken_at, size = time.monotonic(), self._size
        with self._changed:
            while not (self.is_closed or self.has_room(is_last)):
                self._changed.wait(min(LOOK_AGAIN, self._held_seconds))
                now = time.monotonic()
                if self._size < size:
                    taken_at, size = now, self._size
                elif now - taken_at >= self._held_seconds and self._is_short():
                    self._give_up("takes")
                    break
            if self.is_closed and not is_last:
                raise ClientGone("the client has left")

    def _give_up(self, what: str) -> None:
        """Only what is idle may be taken from a slow client: the thread that another request waits for."""
        request = self._session.request
        path = request.raw_path.decode("latin-1")
        log.warning("%s %s: cut, its client %s nothing and others wait", request.method, path, what)
        self.is_closed = True
        try:
            self._loop.call_soon_threadsafe(_cut, self._session)
        except RuntimeError:
            pass  # the loop has ended, and with it the session

    def read(self) -> Buffer:
        """The next piece of the request's body, empty at its end."""
        asked: concurrent.futures.Future[Buffer] = concurrent.futures.Future()
        with self._changed:
            if self.is_closed:
                raise ClientGone("the client has left")
            self._asked = asked
        try:
            self._loop.call_soon_threadsafe(self._read_asked)
        except RuntimeError:  # the loop has ended
            raise ClientGone("the node has stopped") from None
        while True:
            begun = time.monotonic()
            try:
                piece = asked.result(min(LOOK_AGAIN, self._held_seconds))
            except TimeoutError:
                self._waited += time.monotonic() - begun
                if self._waited >= self._held_seconds and self._is_short():
                    with self._changed:
                        self._give_up("sends")
                    raise ClientGone("the client is too slow") from None
                continue
            self._came += len(piece)
            if self._came >= SMALL_BUFFER:
                self._came, self._waited = 0, 0.0
            return piece

    def _tell_loop(self, waiter: asyncio.Future[None]) -> bool:
        """False where the loop has ended."""
        try:
            self._loop.call_soon_threadsafe(_wake, waiter)
        except RuntimeError:
            return False
        return True

    # ------------------------------------------------------------ the loop

    async def get(self) -> list[Piece]:
        """Everything that was put, small pieces put together; none once the thread is done."""
        while True:
            with self._changed:
                if self._pieces:
                    pieces = [*self._pieces]
                    self._pieces.clear()
                    return _merged(pieces) if len(pieces) > 1 else pieces
                if self._is_finished:
                    return []
                self._waiter = waiter = self._loop.create_future()
            await waiter

    def sent(self, size: int) -> None:
        """So many bytes of what `get` gave are on their way, or will never be."""
        self._budget.add(-size)
        with self._changed:
            self._size -= size
            self._changed.notify_all()
            function = None
            if self._continue is not None and self._size <= RESPONSE_BUFFER // 2 and self.has_room():
                function, self._continue = self._continue, None
        if function is not None:
            function()

    def close(self) -> None:
        """The exchange is over for this side."""
        with self._changed:
            self.is_closed = True
            asked, self._asked = self._asked, None
            left, self._size = self._size, 0
            self._pieces.clear()
            self._changed.notify_all()
            function, self._continue = self._continue, None
        self._budget.add(-left)
        if function is not None:
            function()
        if self._reading is not None:
            self._reading.cancel()
        if asked is not None:
            asked.set_exception(ClientGone("the client has left"))

    def _read_asked(self) -> None:
        try:
            piece = self._session.read_now()
        except Disconnected:
            self._answer(None)
            return
        if piece is not None:
            self._answer(piece)
        else:
            self._reading = self._loop.create_task(self._read_later())

    async def _read_later(self) -> None:
        try:
            self._answer(await self._session.read())
        except Disconnected:
            self._answer(None)

    def _answer(self, piece: Buffer | None) -> None:
        with self._changed:
            asked, self._asked = self._asked, None
        if asked is None:
            return
        if piece is None:
            asked.set_exception(ClientGone("the client has left"))
        else:
            asked.set_result(piece)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _cut(session: Session) -> None:
    """In the loop: what a client that is too slow gets to see."""
    if session.is_started or session.ended is not None:
        session.abort("the client is too slow")
    else:
        head = format_head(408, [(b"Content-Type", b"text/plain; charset=utf-8")])
        session.write_response(head, b"The request came too slowly.\n")


def _merged(pieces: list[Piece]) -> list[Piece]:
    """What an application made in many small blocks goes in fewer messages, if it waits anyway."""
    groups: list[list[Piece]] = []
    size = 0
    for piece in pieces:
        if groups and not piece.is_failed and size + len(piece.data) <= MAX_PIECE:
            groups[-1].append(piece)
        else:
            groups.append([piece])
            size = 0
        size += len(piece.data)
    return [
        Piece(group[0].head, b"".join(piece.data for piece in group), group[-1].is_last, group[-1].is_failed)
        for group in groups
    ]
