"""One worker under supervision: what it has said, whether it still lives, and its end.

Knows its process and the time; what follows from its end is the supervisor's business.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from blastbeat.node.workers import WorkerHandle

log = logging.getLogger(__name__)

FAREWELL = 5.0
"""Seconds that a worker has to end when there is nothing left to finish."""

RETRY = 30.0
"""Seconds after which a worker that retires asks again for a successor that could not be had."""

DUMP = 2.0
"""Seconds that a worker which hangs has to write down where, before it is ended for good."""

LAST_LINES = 1.0
"""Seconds for what an ended worker had said to be read."""


@dataclass(eq=False, slots=True)
class Supervised:
    """`changed` is called whenever one of the other fields is not what it was."""

    process: WorkerHandle
    changed: Callable[[], None]
    began_at: float = field(default_factory=anyio.current_time)
    started_at: float | None = None
    heard_at: float = 0.0
    up: set[str] = field(default_factory=set)
    """Endpoints of servers that know it."""
    wants_successor: bool = False
    is_leaving: bool = False
    failure: str = ""
    trace: str = ""
    code: int | None = None
    """The exit code once it has ended."""

    @property
    def has_ended(self) -> bool:
        return self.code is not None

    @property
    def is_started(self) -> bool:
        """Its application has."""
        return self.started_at is not None and not self.has_ended

    @property
    def served(self) -> float:
        """Seconds since its application had started."""
        return 0.0 if self.started_at is None else anyio.current_time() - self.started_at

    def why(self) -> str:
        """Of an end that nobody asked for."""
        if self.failure:
            return self.failure
        code = self.code or 0
        if code < 0:
            return f"a worker (process {self.process.pid}) died of {signal.Signals(-code).name}"
        return f"a worker (process {self.process.pid}) ended with exit code {code}"

    async def follow(self, hang_timeout: float) -> None:
        """Until it has ended."""
        async with anyio.create_task_group() as tasks:
            all_read = anyio.Event()
            tasks.start_soon(self._read, all_read)
            if hang_timeout:
                tasks.start_soon(self._watch, hang_timeout)
            code = await self.process.wait()
            with anyio.move_on_after(LAST_LINES):
                await all_read.wait()
            tasks.cancel_scope.cancel()
        self.process.close()
        self.code = code
        self.changed()

    async def _read(self, all_read: anyio.Event) -> None:
        while (message := await self.process.receive()) is not None:
            self.heard_at = anyio.current_time()
            match message["type"]:
                case "started":
                    self.started_at = self.heard_at
                case "up":
                    self.up.add(message["endpoint"])
                case "lost":
                    self.up.discard(message["endpoint"])
                case "retire":
                    self.wants_successor = True
                case "failed":
                    self.failure, self.trace = message["reason"], message["trace"]
                case _:
                    continue
            self.changed()
        all_read.set()

    async def _watch(self, hang_timeout: float) -> None:
        """Ends it where its loop stands still. It is not asked before its application has started."""
        period = min(5.0, hang_timeout / 4)
        looked_at = anyio.current_time()
        while True:
            await anyio.sleep(period)
            now = anyio.current_time()
            if not self.is_started or now - looked_at > 3 * period:  # we were stopped ourselves (Ctrl-Z)
                self.heard_at = now
            looked_at = now
            if now - self.heard_at > hang_timeout:
                break
            self.process.send("ping")
        log.error(
            "a worker (process %d) hangs: its loop stands still for %g s (hang-timeout)",
            self.process.pid,
            hang_timeout,
        )
        self.process.signal(signal.SIGABRT)
        await anyio.sleep(DUMP)
        self.process.signal(signal.SIGKILL)

    async def ask_again(self) -> None:
        """It wants to retire, and there was no successor."""
        await anyio.sleep(RETRY)
        self.wants_successor = True
        self.changed()

    async def leave(self, graceful_timeout: float) -> None:
        """Ask it to end, then make it. Returns when it was made to, not when it has ended.

        `graceful_timeout` goes by twice at most: for requests, and for the application's own shutdown.
        """
        if self.is_leaving or self.has_ended:
            return
        self.is_leaving = True
        self.process.send("stop")
        await anyio.sleep((2 * graceful_timeout if self.is_started else 0.0) + FAREWELL)
        if not self.has_ended:
            log.error("a worker (process %d) did not end in time and is killed", self.process.pid)
            self.process.signal(signal.SIGKILL)
