"""Keeps the worker processes of a node: starts them, replaces those that die, hang, retire or are out of
date, and lets them finish when the node stops.

Knows workers, no application and no server. Every worker has a place; a place that lost its worker is filled
again, and a worker that is replaced goes only when its successor is known to the same servers.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Sequence
from functools import partial

import anyio
from anyio.abc import TaskGroup

from blastbeat.errors import StartError
from blastbeat.logs import tell
from blastbeat.node.options import Settings
from blastbeat.node.pauses import Pauses
from blastbeat.node.supervised import Supervised
from blastbeat.node.workers import Start, start_worker

log = logging.getLogger(__name__)

KNOWN = 10.0
"""Seconds for servers to answer: a new worker before the one that it replaces goes, and all of them before
the ready line says who has not."""


class Supervisor:
    """`start` starts a worker process. `ready` is called once, when all workers have started, with the
    endpoints of servers that were not heard of yet."""

    def __init__(
        self,
        settings: Settings,
        *,
        start: Start = start_worker,
        ready: Callable[[Sequence[str]], None] = lambda silent: None,
        patience: float = KNOWN,
    ) -> None:
        self.settings = settings
        self._start = start
        self._ready = ready
        self._patience = patience
        self._workers: set[Supervised] = set()
        self._current: list[Supervised | None] = [None] * settings.workers
        self._stale: set[int] = set()  # places whose worker is to be replaced
        self._is_stopping = False
        self._has_started = False
        self._failure = ""
        self._one_at_a_time = anyio.Lock()
        self._changed = anyio.Event()
        self._tasks: TaskGroup

    async def run(self) -> None:
        """Until `stop`. Raises StartError where a worker can't start at all; with `reload` it is tried again
        after the next change."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            for place in range(self.settings.workers):
                tasks.start_soon(self._keep, place)
            tasks.start_soon(self._announce)
            await self._until(lambda: self._is_stopping)
            await self._end()
            tasks.cancel_scope.cancel()
        if self._failure:
            raise StartError(self._failure)

    def stop(self) -> None:
        """Let finish what runs, then end; called again, end at once."""
        if self._is_stopping:
            for worker in self._workers:
                worker.process.signal(signal.SIGKILL)
        else:
            log.info(
                "stops: what runs may take %g s; asked again it ends at once", self.settings.graceful_timeout
            )
        self._is_stopping = True
        self._touch()

    def replace(self) -> None:
        """Every worker by another, one after the other."""
        self._stale.update(range(self.settings.workers))
        self._touch()

    # ------------------------------------------------------------ one place

    async def _keep(self, place: int) -> None:
        """Fill it, and fill it again."""
        pauses = Pauses()
        while not self._is_stopping:
            self._stale.discard(place)
            worker = await self._new_worker()
            if worker is not None and worker.is_started:
                self._current[place] = worker
                self._touch()
                worker = await self._serve(place, worker)
                self._current[place] = None
            if self._is_stopping or (worker is not None and not self._may_go_on(worker)):
                return
            pause = pauses.after(worker.served if worker is not None else 0.0)
            if pause:
                log.warning("another worker starts in %g s", pause)
            await self._until(lambda: self._is_stopping or place in self._stale, within=pause)

    async def _serve(self, place: int, worker: Supervised) -> Supervised:
        """While there is a worker; returns the last one, which has ended."""
        while True:
            await self._until(partial(self._is_news, place, worker))
            if worker.has_ended or self._is_stopping:
                return worker
            async with self._one_at_a_time:
                if worker.has_ended or not self._is_news(place, worker) or self._is_stopping:
                    continue  # settled while it waited for its turn
                self._stale.discard(place)
                retires, worker.wants_successor = worker.wants_successor, False
                successor = await self._succeed(worker)
                if successor is worker and retires:
                    self._tasks.start_soon(worker.ask_again)
                worker = self._current[place] = successor

    def _is_news(self, place: int, worker: Supervised) -> bool:
        is_due = worker.wants_successor or place in self._stale
        return worker.has_ended or is_due or self._is_stopping

    async def _succeed(self, worker: Supervised) -> Supervised:
        """Who serves from now on: a new worker, or the same where there can't be one."""
        successor = await self._new_worker()
        if successor is not None and successor.is_started:
            await self._until(
                lambda: worker.up <= successor.up or successor.has_ended or self._is_stopping,
                within=self._patience,
            )
        if successor is None or not successor.is_started:
            if not self._is_stopping:
                if successor is not None:
                    self._tell(successor)
                self._stale.clear()
                log.error("what ran before goes on")
            return worker
        self._tasks.start_soon(worker.leave, self.settings.graceful_timeout)
        return successor

    async def _new_worker(self) -> Supervised | None:
        """One that has started, or has ended instead; None where no process can be had."""
        try:
            process = await self._start(self.settings)
        except OSError as error:
            log.error("no process can be started: %s", error)
            return None
        worker = Supervised(process, self._touch)
        self._workers.add(worker)
        self._tasks.start_soon(self._follow, worker)
        timeout = self.settings.start_timeout
        if not await self._until(
            lambda: worker.is_started or worker.has_ended or self._is_stopping, within=timeout
        ):
            worker.failure = f"the application has not started within {timeout:g} s (start-timeout)"
            worker.process.signal(signal.SIGABRT)
            worker.process.signal(signal.SIGKILL)
            await self._until(lambda: worker.has_ended)
        return worker

    async def _follow(self, worker: Supervised) -> None:
        try:
            await worker.follow(self.settings.hang_timeout)
        finally:
            self._workers.discard(worker)

    # ------------------------------------------------------------ all of them

    def _may_go_on(self, worker: Supervised) -> bool:
        """Tells why it has ended. False where that ends the node: none would start the next time either."""
        if worker.started_at is None and not self._has_started and not self.settings.reload:
            if not self._failure:
                self._show_trace(worker)
                self._failure = worker.why()
            self._is_stopping = True
            self._touch()
            return False
        self._tell(worker)
        return True

    def _tell(self, worker: Supervised) -> None:
        self._show_trace(worker)
        log.log(logging.ERROR if worker.code or worker.failure else logging.INFO, "%s", worker.why())

    def _show_trace(self, worker: Supervised) -> None:
        if worker.trace and self.settings.log_format == "json":
            log.error("the application failed: %s", worker.trace)
        elif worker.trace:
            tell(worker.trace.rstrip())

    async def _announce(self) -> None:
        await self._until(lambda: all(worker is not None and worker.is_started for worker in self._current))
        self._has_started = True
        wanted = set(self.settings.connect)
        await self._until(
            lambda: all(worker is not None and worker.up >= wanted for worker in self._current),
            within=self._patience,
        )
        known = set.union(*(worker.up if worker is not None else set() for worker in self._current))
        self._ready([endpoint for endpoint in self.settings.connect if endpoint not in known])

    async def _end(self) -> None:
        """Ask all, wait for all, kill who is late."""
        for worker in list(self._workers):
            self._tasks.start_soon(worker.leave, self.settings.graceful_timeout)
        await self._until(lambda: not self._workers)

    async def _until(self, fulfilled: Callable[[], bool], *, within: float | None = None) -> bool:
        """Whether it came about, within so many seconds."""
        with anyio.move_on_after(within):
            while not fulfilled():
                await self._changed.wait()
        return fulfilled()

    def _touch(self) -> None:
        """Whoever waits looks again."""
        self._changed.set()
        self._changed = anyio.Event()
