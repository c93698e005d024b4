"""A WSGI application as a handler: the loop's half of each exchange, and what its thread does.

Knows sessions, not how they travel. Back-pressure: `channel`; the letter of PEP 3333: `response`.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from wsgiref.types import WSGIApplication
from wsgiref.util import FileWrapper

from blastbeat.node.errors import ClientGone, Disconnected
from blastbeat.node.head import has_length
from blastbeat.node.session import MAX_PIECE, Session
from blastbeat.node.wsgi.channel import HELD_SECONDS, Budget, Channel, Piece
from blastbeat.node.wsgi.environ import build_environ
from blastbeat.node.wsgi.pool import ThreadPool
from blastbeat.node.wsgi.response import Response, is_about_client
from blastbeat.node.wsgi.streams import ErrorStream, body_stream

log = logging.getLogger(__name__)

DEFAULT_THREADS = 8
DEFAULT_BACKLOG = 1024

RETRIABLE = 64 * 1024
"""Bytes of request body that a server keeps by default, for another instance (`retry-buffer`)."""

_TEXT = (b"Content-Type", b"text/plain; charset=utf-8")


def wsgi_handler(
    application: WSGIApplication,
    *,
    threads: int = DEFAULT_THREADS,
    root_path: str = "",
    backlog: int = DEFAULT_BACKLOG,
    held_seconds: float = HELD_SECONDS,
) -> WsgiHandler:
    """`threads`: requests that run at once; `backlog`: those that wait for a thread, what is beyond goes to
    another instance. `root_path`: where the application is mounted (SCRIPT_NAME). `held_seconds`: how long a
    client that takes nothing may hold a thread while others wait for one."""
    return WsgiHandler(
        application, threads=threads, root_path=root_path, backlog=backlog, held_seconds=held_seconds
    )


class WsgiHandler:
    """What `wsgi_handler` makes: called with each session. `close` it when the node has stopped."""

    def __init__(
        self,
        application: WSGIApplication,
        *,
        threads: int,
        root_path: str,
        backlog: int,
        held_seconds: float,
    ) -> None:
        self.application = application
        self._root_path = root_path.rstrip("/").encode()
        self._budget = Budget()
        self._held_seconds = held_seconds
        self.pool = ThreadPool(threads, backlog)
        self._same_for_all: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.multithread": threads > 1,
            "wsgi.multiprocess": True,  # further instances of a node are further processes
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,  # reading ends by itself, also without Content-Length
        }

    async def __call__(self, session: Session) -> None:
        if session.websocket is not None:
            text = "This application is served by WSGI, which knows no WebSockets.\n"
            await session.websocket.reject(400, [_TEXT], text)
            return
        channel = Channel(session, self._budget, self._is_short, held_seconds=self._held_seconds)
        if not self.pool.submit(_Call(self, session, channel).run):
            await self._send_away(session)
            return
        try:
            while pieces := await channel.get():
                for piece in pieces:
                    await _send_piece(session, channel, piece)
        except Disconnected:
            channel.close()
            await channel.get()  # until its thread has noticed
            raise
        finally:
            channel.close()

    def close(self, timeout: float = 0.5) -> int:
        """Waits up to `timeout` seconds for threads at work; the number of those that still are. Blocks."""
        return self.pool.close(timeout)

    @property
    def waiting_bytes(self) -> int:
        """Of responses that wait for their clients."""
        return self._budget.used

    def _is_short(self) -> bool:
        return self.pool.waiting > 0

    async def _send_away(self, session: Session) -> None:
        """Too many requests wait here already. A body that the server may not have kept would make another
        try fail."""
        length = session.request.content_length
        if length is not None and length <= RETRIABLE:
            await session.retry()
        else:
            fields = [_TEXT, (b"Retry-After", b"1")]
            await session.respond(503, fields, "Too many requests wait for this application.\n")

    def environ(self, session: Session, channel: Channel, errors: ErrorStream) -> dict[str, Any]:
        request = session.request
        environ = build_environ(request, self._root_path)
        environ.update(self._same_for_all)
        environ["wsgi.input"] = io.BytesIO() if request.content_length == 0 else body_stream(channel.read)
        environ["wsgi.errors"] = errors
        return environ


class _Call:
    """One request in a thread, or several after each other: nothing it raises gets out."""

    __slots__ = ("_about", "_channel", "_errors", "_handler", "_response", "_session")

    def __init__(self, handler: WsgiHandler, session: Session, channel: Channel) -> None:
        request = session.request
        self._handler = handler
        self._session = session
        self._channel = channel
        # As the client spelled it: what is decoded may hold line breaks.
        self._about = about = f"{request.method} {request.raw_path.decode('latin-1')}"
        self._errors = ErrorStream(about)
        self._response = Response(channel, request.method, about)

    def run(self) -> None:
        """From the beginning, unless the client left while it waited."""
        if self._channel.is_gone:
            self._finish()
        else:
            self._work(self._begin)

    def _begin(self) -> bool:
        environ = self._handler.environ(self._session, self._channel, self._errors)
        return self._response.run(self._handler.application, environ)

    def _go_on(self) -> None:
        self._work(self._response.go_on)

    def _work(self, function: Callable[[], bool]) -> None:
        is_over = True
        try:
            is_over = function()
        except ClientGone:
            log.debug("%s: the client has left", self._about)
        except BaseException as error:  # SystemExit too: one request does not end the process
            if not (self._channel.is_gone and is_about_client(error)):
                log.exception("the application failed: %s", self._about)
            with suppress(ClientGone):
                self._response.fail()
        if is_over:
            self._finish()
        else:
            self._channel.when_room(lambda: self._handler.pool.submit(self._go_on, is_continued=True))

    def _finish(self) -> None:
        self._errors.close()
        self._channel.finish()


async def _send_piece(session: Session, channel: Channel, piece: Piece) -> None:
    if piece.is_failed:
        if session.is_started:
            session.abort("the application failed")
        else:
            await session.respond(500, [_TEXT], "500 Internal Server Error\n")
        return
    head, data = piece.head, piece.data
    if head is not None:
        if piece.is_last and len(data) <= MAX_PIECE:
            session.write_response(head, data)
            channel.sent(len(data))
            await session.link.until_room()
            return
        session.write_head(head, is_sized=has_length(head))
    view = memoryview(data)
    for begin in range(0, len(data), MAX_PIECE):
        part = view[begin : begin + MAX_PIECE]
        if channel.is_closed:
            raise Disconnected("the client is too slow")
        await session.send(part)
        channel.sent(len(part))
    if piece.is_last:
        await session.end()
