"""A node: connected to one server or several, with a handler that is called for each session, or an iterator
of them.

Runs on asyncio under anyio. The composition root of the library; knows its parts, decides nothing about
requests.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import anyio
import zmq

from blastbeat.events import Buffer
from blastbeat.node.errors import NodeUsageError, is_departure
from blastbeat.node.link import Link
from blastbeat.node.session import Session

log = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Session], Awaitable[None]]
Unknown: TypeAlias = Callable[[Link, bytes, bytes, bytes], None]

NORMAL, INTERNAL_ERROR, RESTART = 1000, 1011, 1012  # close codes of WebSockets

LOOK_AFTER = 1.0
"""Seconds between two looks whether servers are still heard."""

PATIENCE = 5.0
"""Seconds for handlers that were cancelled to end."""


class Node:
    """`connect`: an endpoint, or several of different servers. `name`: the node's, as virtualhosts expect it.
    `handler` is called for each session, in a task of its own; without one take them from `sessions`.

    `credit`: body bytes per session that a server may send ahead. `silence`: seconds without a word from a
    server, after which the connection to it is made anew; more where its pings come less often.
    `max_sessions`: requests beyond so many at work are handed back, for another instance. `changed` is called
    with the link to a server that was found or lost: its `is_up` tells which. `unknown` is called with the
    link, sid, type and body of a message that this library has no word for.
    """

    def __init__(
        self,
        connect: str | Sequence[str],
        name: str,
        handler: Handler | None = None,
        *,
        credit: int = 256 * 1024,
        silence: float = 15.0,
        max_sessions: int = 10_000,
        changed: Callable[[Link], None] | None = None,
        unknown: Unknown | None = None,
    ) -> None:
        self.endpoints = (connect,) if isinstance(connect, str) else tuple(connect)
        self.name = name
        self.links: list[Link] = []
        self._handler = handler
        self._credit = credit
        self._silence = silence
        self._max_sessions = max_sessions
        self._announce = changed
        self._unknown = unknown
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: deque[Session] = deque()
        self._news: anyio.Event | None = None  # for who waits until something is different
        self._is_stopping = False
        self._is_ending = False

    async def run(self, *, graceful_timeout: float = 30.0) -> None:
        """Serves until `stop`, or until it is cancelled. After `stop` what runs may finish for
        `graceful_timeout` seconds."""
        if self._handler is None:
            raise NodeUsageError("a node without a handler has nothing to run: take its `sessions`")
        with self._connected():
            try:
                while not self._is_stopping:
                    await self._wait()
                self._drain()
                with anyio.move_on_after(graceful_timeout):
                    while self._tasks or not self._is_drained:
                        await self._wait()
            finally:
                await self._end_tasks()

    async def sessions(self, *, graceful_timeout: float = 30.0) -> AsyncIterator[Session]:
        """Each request and WebSocket in turn, until `stop`; those that are here then, too. What becomes of
        them is the caller's: serve each in a task of its own (`with session:` ends it in any case), since the
        next is waited for meanwhile. Leaving the loop ends all sessions."""
        if self._handler is not None:
            raise NodeUsageError("this node has a handler, which gets all sessions")
        with self._connected():
            deadline = None
            while True:
                while self._waiting:
                    session = self._waiting.popleft()
                    if session.ended is None:
                        yield session
                if self._is_stopping and deadline is None:
                    self._drain()
                    deadline = anyio.current_time() + graceful_timeout
                if deadline is None:
                    await self._wait()
                    continue
                if self._is_drained or anyio.current_time() >= deadline:
                    return
                with anyio.move_on_at(deadline):
                    await self._wait()

    def stop(self) -> None:
        """Take no further request, let finish what runs, end. To be called in the thread of the loop."""
        self._is_stopping = True
        self._tell()

    def send(self, sid: bytes, type: bytes | str, body: Buffer = b"") -> None:
        """A message as it stands, to the server that handed out this session; to all of them where `sid` is
        empty. Dropped where no server knows the session; see `Session.send_raw`."""
        name = type.encode("latin-1") if isinstance(type, str) else type
        for link in self.links:
            if not sid or sid in link.sessions:
                link.send(sid, name, body)

    # ------------------------------------------------------------ servers

    @contextmanager
    def _connected(self) -> Iterator[None]:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None

        def look_after() -> None:
            nonlocal timer
            for link in self.links:
                link.look_after(loop.time())
            timer = loop.call_later(min(LOOK_AFTER, self._silence / 4), look_after)

        try:
            for endpoint in self.endpoints:
                self.links.append(self._link(context, endpoint))
            look_after()
            yield
        finally:
            if timer is not None:
                timer.cancel()
            links, self.links = self.links, []
            for link in links:
                link.close()
            self._waiting.clear()
            context.destroy(500)

    def _link(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> Link:
        def unknown(sid: bytes, type: bytes, body: bytes) -> None:
            if self._unknown is not None:
                self._unknown(link, sid, type, body)

        link = Link(
            context,
            endpoint,
            self.name,
            self._begin,
            self._changed,
            own_window=self._credit,
            silence=self._silence,
            unknown=unknown,
        )
        return link

    def _changed(self, link: Link) -> None:
        if self._announce is not None and not link.is_drained:
            self._announce(link)
        self._tell()

    def _drain(self) -> None:
        for link in self.links:
            link.drain()
            for session in list(link.sessions.values()):
                if session.websocket is not None and session.websocket.is_accepted:
                    session.websocket.close_now(RESTART)

    @property
    def _is_drained(self) -> bool:
        return all(link.is_drained for link in self.links)

    async def _wait(self) -> None:
        if self._news is None:
            self._news = anyio.Event()
        await self._news.wait()

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None:
            news.set()

    # ------------------------------------------------------------ sessions

    def _begin(self, session: Session) -> None:
        tasks = self._tasks
        if len(tasks) + len(self._waiting) >= self._max_sessions:
            session.hand_back()
        elif self._handler is None:
            self._waiting.append(session)
            self._tell()
        else:
            # A task of the loop: one of anyio's task group costs as much as all the rest of a request.
            task = asyncio.create_task(self._serve(self._handler, session))
            tasks.add(task)
            task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._is_stopping:
            self._tell()

    async def _serve(self, handler: Handler, session: Session) -> None:
        """A handler that fails, with whatever exception, fails its own session and no other."""
        reason, code = "the node stops", RESTART
        try:
            await handler(session)
            reason, code = "the handler left its response incomplete", NORMAL
        except BaseException as error:  # of an application's SystemExit, too, nobody else may hear
            if self._is_ending and isinstance(error, asyncio.CancelledError):
                raise
            reason, code = "the handler failed", INTERNAL_ERROR
            if not is_departure(error):
                request = session.request
                log.error("the handler of %s %r failed", request.method, request.path, exc_info=error)
        finally:
            session.finish(reason, code)

    async def _end_tasks(self) -> None:
        """Cancels what still runs, and waits until it has ended."""
        self._is_ending = True
        for task in self._tasks:
            task.cancel()
        with anyio.CancelScope(shield=True), anyio.move_on_after(PATIENCE):
            while self._tasks:
                await asyncio.wait(self._tasks)
        if self._tasks:
            log.error("%d handlers do not end, although they were cancelled", len(self._tasks))
