"""A node of the library in a thread of the test's process, and a handler whose every run is watched.

Knows the library's public surface, and the sessions that its links keep.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TypeVar

import anyio
from anyio.lowlevel import EventLoopToken, current_token

from blastbeat.node import Handler, Node, Session
from tests.helpers.server import PATIENCE, RunningServer
from tests.helpers.waiting import wait_until

T = TypeVar("T")


class Watched:
    """A handler that tells when it begins, and how it ends: with which exception, None for none."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._begun: queue.Queue[Session] = queue.Queue()
        self._ended: queue.Queue[BaseException | None] = queue.Queue()
        self.running = 0

    async def __call__(self, session: Session) -> None:
        self.running += 1
        self._begun.put(session)
        ending: BaseException | None = None
        try:
            await self._handler(session)
        except BaseException as error:
            ending = error
            raise
        finally:
            self.running -= 1
            self._ended.put(ending)

    def wait_begun(self) -> Session:
        return self._begun.get(timeout=PATIENCE)

    def wait_ended(self) -> BaseException | None:
        return self._ended.get(timeout=PATIENCE)


class NodeThread:
    """Runs `node` from `__enter__` to `__exit__`, which fails where its thread or a session is left over."""

    def __init__(self, node: Node, *, graceful_timeout: float = PATIENCE) -> None:
        self.node = node
        self._graceful_timeout = graceful_timeout
        self._is_ready = threading.Event()
        self._token: EventLoopToken | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="node", daemon=True)

    def __enter__(self) -> NodeThread:
        self._thread.start()
        assert self._is_ready.wait(PATIENCE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread.is_alive():
            self.call(self.node.stop)
        self.join()

    def join(self) -> None:
        """Waits for its end, and raises what ended it."""
        self._thread.join(2 * PATIENCE)
        assert not self._thread.is_alive(), "the node did not end"
        if self._failure is not None:
            raise self._failure

    def call(self, function: Callable[[], T]) -> T:
        """The result of `function`, run in the node's event loop."""
        return anyio.from_thread.run_sync(function, token=self._token)

    def wait_up(self, *servers: RunningServer) -> None:
        """Until all of them hand out sessions to it."""
        for server in servers:
            server.wait_until(partial(_has_instance, server), "the node is up")

    @property
    def session_count(self) -> int:
        """Sessions it keeps, of all servers."""
        return sum(len(link.sessions) for link in self.node.links)

    def wait_forgotten(self) -> None:
        """Until it keeps no session."""
        wait_until(lambda: self.call(lambda: self.session_count) == 0, "the node has forgotten every session")

    def _main(self) -> None:
        try:
            anyio.run(self._run)
        except BaseException as error:
            self._failure = error
        finally:
            self._is_ready.set()

    async def _run(self) -> None:
        self._token = current_token()
        self._is_ready.set()
        await self.node.run(graceful_timeout=self._graceful_timeout)


def _has_instance(server: RunningServer) -> bool:
    return server.server.figures().instances_up >= 1
