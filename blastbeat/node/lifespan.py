"""The lifespan of an ASGI application: its startup and shutdown around a worker's life, and its state.

Source: asgi.readthedocs.io, Lifespan Protocol 2.0. Knows the application, no session and no server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import anyio

from blastbeat.node.errors import LifespanFailed, NodeUsageError

log = logging.getLogger(__name__)

Message: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[..., Awaitable[None]]

MODES: Final = ("auto", "on", "off")

CANCEL_SECONDS = 5.0
"""For an application that was cancelled; one that goes on all the same is left behind."""


class Lifespan:
    """An asynchronous context manager: entered when the application has started, left when it has shut down.

    `mode`: `auto` serves an application that does not know lifespans as well, `on` refuses it, `off` asks
    nobody. `shutdown_timeout`: seconds that a shutdown may take, before it is cancelled. `state` is what
    each scope gets a shallow copy of.

    Entering raises LifespanFailed where the application says that its startup failed, or, with `on`, where it
    raises or returns instead of starting; the log has the reason. What goes wrong later is logged.
    """

    def __init__(
        self, application: Application, mode: str = "auto", *, shutdown_timeout: float = 30.0
    ) -> None:
        if mode not in MODES:
            raise NodeUsageError(f"lifespan: expected one of {', '.join(MODES)}, got {mode!r}")
        self.state: dict[str, Any] = {}
        self._application = application
        self._mode = mode
        self._shutdown_timeout = shutdown_timeout
        self._received = 0  # messages that `receive` has handed over
        self._is_running = False
        self._has_failed = False
        self._answered = asyncio.Event()  # startup or its failure, or the end
        self._shutdown_due = asyncio.Event()
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._mode == "off":
            return self
        # A task of its own, as applications keep task groups open in it.
        self._task = asyncio.create_task(self._run(), name="lifespan")
        try:
            await self._answered.wait()
        except asyncio.CancelledError:
            await self._cancel()
            raise
        if self._has_failed:
            await self._cancel()
            raise LifespanFailed("the application's startup failed")
        if not self._is_running and self._mode == "on":
            raise LifespanFailed("the application ended its lifespan before its startup was complete")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_running:
            await self._cancel()
            return
        self._shutdown_due.set()
        # Shielded: whoever cancels the worker wants it to end, not to leave the application as it stands.
        with anyio.move_on_after(self._shutdown_timeout, shield=True) as scope:
            await self._ended.wait()
        if scope.cancelled_caught:
            log.error("the application's shutdown took longer than %g seconds", self._shutdown_timeout)
        await self._cancel()

    async def _cancel(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,), timeout=CANCEL_SECONDS)

    # ------------------------------------------------------------ the application's side

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._application(scope, self._receive, self._send)
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            self._raised(error)
        finally:
            self._is_running = False
            self._answered.set()
            self._ended.set()

    def _raised(self, error: BaseException) -> None:
        if self._task is None or self._has_failed:
            return  # it was cancelled, or has said so itself
        if self._is_running or self._shutdown_due.is_set():
            log.error("the application's lifespan failed", exc_info=error)
        elif self._mode == "on":
            log.error("the application failed in its startup", exc_info=error)
        else:
            name = type(error).__name__
            log.info("the application does not know lifespans (%s: %s); it is served without", name, error)

    async def _receive(self) -> Message:
        self._received += 1
        if self._received == 1:
            return {"type": "lifespan.startup"}
        await self._shutdown_due.wait()
        if self._received == 2:
            return {"type": "lifespan.shutdown"}
        self._ended.set()  # it has done its work, and does not return
        return await asyncio.Future[Message]()

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        due = "shutdown" if self._shutdown_due.is_set() else "" if self._answered.is_set() else "startup"
        if kind == f"lifespan.{due}.failed":
            self._has_failed = True
            log.error("the application's %s failed: %s", due, message.get("message") or "it does not say why")
        elif kind != f"lifespan.{due}.complete":
            raise NodeUsageError(f"the application sent {kind!r} when it was not due")
        self._is_running = kind == "lifespan.startup.complete"
        self._answered.set()
