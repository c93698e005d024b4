"""A plain blocking face of the library, for scripts: no `async`, no `await`, no handler.

    from blastbeat.node.blocking import serve

    for session in serve("tcp://127.0.0.1:5000", "app"):
        session.respond(200, body=f"You asked for {session.request.path}\n")

The node runs in a thread of its own, which answers pings whatever the script does meanwhile: also while it
computes for minutes. Knows the asynchronous sessions that it wraps, nothing of messages.
"""

from __future__ import annotations

import asyncio
import atexit
import queue
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import CancelledError, Future, wait
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from blastbeat.node.errors import Disconnected, WebSocketClosed, is_departure
from blastbeat.node.head import Fields
from blastbeat.node.node import Node
from blastbeat.node.request import Request
from blastbeat.node.session import Session
from blastbeat.node.websocket import WebSocket

T = TypeVar("T")

MAX_WAITING = 1000
"""Sessions that wait for the script; more are handed back, for another instance."""

PATIENCE = 5.0
"""Seconds for the node's thread to end."""


class BlockingWebSocket:
    """`session.websocket` for scripts; see `blastbeat.node.WebSocket`. Iterating gives messages until it is
    closed."""

    def __init__(self, websocket: WebSocket, call: _Call) -> None:
        self._websocket = websocket
        self._call = call

    @property
    def protocols(self) -> list[str]:
        """The subprotocols that the client offers."""
        return self._websocket.protocols

    def accept(self, protocol: str | None = None, headers: Fields = ()) -> None:
        """Open it."""
        self._call(self._websocket.accept(protocol, headers))

    def reject(self, status: int = 403, headers: Fields = (), body: bytes | str = b"") -> None:
        """Answer the handshake with a response instead."""
        self._call(self._websocket.reject(status, headers, body))

    def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message. Raises WebSocketClosed, or TimeoutError after `timeout` seconds."""
        return self._call(self._websocket.receive(), timeout)

    def send(self, message: str | bytes) -> None:
        """One message; waits while the client does not keep up."""
        self._call(self._websocket.send(message))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it; nothing happens where it is over already."""
        self._call(self._websocket.close(code, reason))

    def __iter__(self) -> Iterator[str | bytes]:
        try:
            while True:
                yield self.receive()
        except WebSocketClosed:
            return


class BlockingSession:
    """A session for scripts; see `blastbeat.node.Session`. Iterating gives the pieces of the request's body.
    Methods raise Disconnected once the client has left; as a context it passes over that."""

    def __init__(self, session: Session, call: _Call) -> None:
        self._session = session
        self._call = call
        self.request: Request = session.request
        self.websocket = None if session.websocket is None else BlockingWebSocket(session.websocket, call)

    @property
    def ended(self) -> str | None:
        """Why the session is over, None while it is not."""
        return self._session.ended

    def read(self) -> bytes:
        """The next piece of the body; empty when there is no more."""
        return self._call(self._session.read())

    def body(self, limit: int = 16 * 1024 * 1024) -> bytes:
        """All of it; NodeUsageError where it is longer than `limit` bytes."""
        return self._call(self._session.body(limit))

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read():
            yield piece

    def respond(self, status: int = 200, headers: Fields = (), body: bytes | str = b"") -> None:
        """A whole response. Nothing happens where the client has left: there is nothing more to do."""
        try:
            self._call(self._session.respond(status, headers, body))
        except Disconnected:
            pass

    def start(self, status: int = 200, headers: Fields = ()) -> None:
        """The head of a response that is sent piece by piece."""
        self._call(self._session.start(status, headers))

    def send(self, data: bytes) -> None:
        """A piece of the response; waits while the client does not keep up."""
        self._call(self._session.send(data))

    def end(self) -> None:
        """The response is complete."""
        self._call(self._session.end())

    def inform(self, status: int, headers: Fields = ()) -> None:
        """An interim response, e.g. 103."""
        self._call(self._session.inform(status, headers))

    def retry(self) -> None:
        """Before any response: another instance shall answer."""
        self._call(self._session.retry())

    def abort(self, reason: str = "") -> None:
        """The response failed."""
        self._call.soon(partial(self._session.abort, reason))

    def send_raw(self, type: bytes | str, body: bytes = b"") -> None:
        """A message as it stands; see `Session.send_raw`."""
        self._call(self._session.send_raw(type, body))

    def finish(self, failure: str = "", code: int = 1000) -> None:
        """Ends what is left open; see `Session.finish`."""
        self._call.soon(partial(self._session.finish, failure, code))

    def __enter__(self) -> BlockingSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        is_gone = error is not None and is_departure(error)
        if error is None or is_gone:
            self.finish()
        else:
            self.finish("the script failed", 1011)
        return is_gone


class serve:
    """Sessions in turn, for a `for` loop. Several threads may loop over the same object: each session goes to
    one of them. Options are those of `Node`.

    What the loop's body leaves open is ended when the loop goes on. Leaving the loop, by `break` or by an
    exception, ends the node: sessions that nobody has taken go to another instance, the others fail.
    """

    def __init__(self, connect: str | Sequence[str], name: str, **options: Any) -> None:
        self._node = Node(connect, name, **options)
        self._queue: queue.SimpleQueue[Session | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"node {name}", daemon=True)
        self._started: Future[asyncio.AbstractEventLoop] = Future()
        self._thread.start()
        self._call = _Call(self._started.result(), self._thread)
        atexit.register(self.close)

    def __iter__(self) -> Iterator[BlockingSession]:
        try:
            while (taken := self._queue.get()) is not None:
                if taken.ended is None:
                    session = BlockingSession(taken, self._call)
                    yield session
                    session.finish()
        finally:
            self.close()

    def stop(self) -> None:
        """Take no further request; the loop ends when those that are here were served. From any thread."""
        self._call.soon(self._node.stop)

    def close(self) -> None:
        """End the node with all its sessions, and wait for that."""
        atexit.unregister(self.close)
        while not self._queue.empty() and (waiting := self._queue.get()) is not None:
            self._call.soon(waiting.hand_back)
        self._call.soon(self._end)
        if threading.current_thread() is not self._thread:
            self._thread.join(PATIENCE)
        self._queue.put(None)  # for threads that still wait

    def __enter__(self) -> serve:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------ in the node's thread

    def _run(self) -> None:
        try:
            asyncio.run(self._pass_on())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)
        finally:
            self._queue.put(None)

    async def _pass_on(self) -> None:
        sessions = self._node.sessions()
        first = asyncio.ensure_future(anext(sessions, None))
        await asyncio.sleep(0)
        if not first.done():  # else an endpoint is no endpoint
            self._started.set_result(asyncio.get_running_loop())
        session = await first
        while session is not None:
            if self._queue.qsize() < MAX_WAITING:
                self._queue.put(session)
            else:
                session.hand_back()
            session = await anext(sessions, None)

    def _end(self) -> None:
        self._node.stop()
        for link in self._node.links:
            for session in list(link.sessions.values()):
                session.finish("the script has ended", 1012)


class _Call:
    """Runs a coroutine on the node's loop and waits for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
        self._loop = loop
        self._thread = thread

    def __call__(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Its result. Raises Disconnected where the node has ended, TimeoutError after `timeout` seconds."""
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:
            coroutine.close()
            raise Disconnected("the node has ended") from None
        end = None if timeout is None else time.monotonic() + timeout
        try:
            while not wait((future,), 1.0 if end is None else min(1.0, end - time.monotonic())).done:
                if end is not None and time.monotonic() >= end:
                    raise TimeoutError(f"nothing came in {timeout:g} s")
                if not self._thread.is_alive():
                    raise Disconnected("the node has ended")
            return future.result()
        except CancelledError:
            raise Disconnected("the node has ended") from None
        finally:
            future.cancel()  # Ctrl-C, too: nobody waits for it any more

    def soon(self, function: Callable[[], None]) -> None:
        """Called on the node's loop, where that still runs."""
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            pass
