"""A node: connected to one server or several, with a handler that is called for each session.

Runs on asyncio under anyio. The composition root of the library; knows its parts, decides nothing about
requests.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import anyio
import zmq
from anyio.abc import TaskGroup

from blastbeat.node.errors import is_departure
from blastbeat.node.link import Link
from blastbeat.node.session import Session

log = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Session], Awaitable[None]]

NORMAL, INTERNAL_ERROR, RESTART = 1000, 1011, 1012  # close codes of WebSockets

LOOK_AFTER = 1.0
"""Seconds between two looks whether servers are still heard."""


class Node:
    """`connect`: an endpoint, or several of different servers. `name`: the node's, as virtualhosts expect it.

    `credit`: body bytes per session that a server may send ahead. `silence`: seconds without a word from a
    server, after which the connection to it is made anew; above three of its ping periods. `changed` is
    called with the link to a server that was found or lost: its `is_up` tells which.
    """

    def __init__(
        self,
        connect: str | Sequence[str],
        name: str,
        handler: Handler,
        *,
        credit: int = 256 * 1024,
        silence: float = 15.0,
        changed: Callable[[Link], None] | None = None,
    ) -> None:
        self.endpoints = (connect,) if isinstance(connect, str) else tuple(connect)
        self.name = name
        self.links: list[Link] = []
        self._handler = handler
        self._credit = credit
        self._silence = silence
        self._changed = changed or (lambda link: None)
        self._running = 0
        self._idle: anyio.Event | None = None
        self._tasks: TaskGroup | None = None
        self._stop: anyio.Event | None = None

    async def run(self, *, graceful_timeout: float = 30.0) -> None:
        """Serves until `stop`, or until it is cancelled. After `stop` what runs may finish for
        `graceful_timeout` seconds."""
        self._stop = anyio.Event()
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                self.links = [
                    Link(
                        context,
                        endpoint,
                        self.name,
                        self._begin,
                        self._changed,
                        own_window=self._credit,
                        silence=self._silence,
                    )
                    for endpoint in self.endpoints
                ]
                tasks.start_soon(self._look_after)
                await self._stop.wait()
                await self._drain(graceful_timeout)
                tasks.cancel_scope.cancel()
        finally:
            for link in self.links:
                link.close()
            context.destroy(500)

    def stop(self) -> None:
        """Take no further request, let finish what runs, end."""
        if self._stop is not None:
            self._stop.set()

    async def _drain(self, graceful_timeout: float) -> None:
        for link in self.links:
            link.drain()
        for link in self.links:
            for session in list(link.sessions.values()):
                if session.websocket is not None and session.websocket.is_accepted:
                    await session.websocket.close(1012)
        with anyio.move_on_after(graceful_timeout):
            for link in self.links:
                if link.is_connected:
                    await link.is_drained.wait()
            if self._running:  # what a handler does behind its response
                self._idle = anyio.Event()
                await self._idle.wait()

    async def _look_after(self) -> None:
        while True:
            await anyio.sleep(LOOK_AFTER)
            now = anyio.current_time()
            for link in self.links:
                link.look_after(now)

    def _begin(self, session: Session) -> None:
        assert self._tasks is not None
        self._running += 1
        self._tasks.start_soon(self._serve, session)

    async def _serve(self, session: Session) -> None:
        """A handler that fails, with whatever exception, fails its own session and no other."""
        assert self._tasks is not None
        reason, code = "the node stops", RESTART
        try:
            await self._handler(session)
            reason, code = "the handler left its response incomplete", NORMAL
        except BaseException as error:  # of an application's SystemExit, too, nobody else may hear
            if self._tasks.cancel_scope.cancel_called:
                raise
            reason, code = "the handler failed", INTERNAL_ERROR
            if not is_departure(error):
                request = session.request
                log.error("the handler of %s %s failed", request.method, request.path, exc_info=error)
        finally:
            finish(session, reason, code)
            self._running -= 1
            if self._idle is not None and not self._running:
                self._idle.set()


def finish(session: Session, reason: str, code: int) -> None:
    """What a handler left open is closed: a WebSocket with `code`, a response that is incomplete fails. Of
    the request's body nothing more is kept."""
    websocket = session.websocket
    if websocket is not None and websocket.is_accepted:
        if session.ended is None:
            session.link.send(session.sid, b"end", b"%d" % code)
            session.session_ended(str(code))
    elif not session.is_complete:
        session.abort(reason)
    session.discard_body()
