"""Threads that run one job after the other, started when they are needed, with a bounded queue before them.

Knows nothing of requests. Own threads, not anyio's: those are joined when the process ends, and one hung
application would keep it for ever.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger(__name__)

Job = Callable[[], None]


class ThreadPool:
    """At most `threads` jobs run at once, and `backlog` wait. Threads are daemons: one that never comes back
    does not keep the process."""

    def __init__(self, threads: int, backlog: int) -> None:
        if threads < 1 or backlog < 0:
            raise ValueError(f"threads={threads} must be at least 1, backlog={backlog} at least 0")
        self.threads = threads
        self.backlog = backlog
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._unfinished = 0  # jobs that wait or run
        self._started = 0
        self._is_closed = False

    @property
    def running(self) -> int:
        """Jobs that have a thread."""
        return min(self._unfinished, self.threads)

    @property
    def waiting(self) -> int:
        """Jobs that wait for a thread."""
        return max(0, self._unfinished - self.threads)

    def submit(self, job: Job, *, is_continued: bool = False) -> bool:
        """False where too many wait, or it is closed. What goes on with something begun is always taken."""
        with self._changed:
            if self._is_closed:
                return False
            if self._unfinished >= self.threads + self.backlog and not is_continued:
                return False
            self._unfinished += 1
            if self._started < min(self._unfinished, self.threads):
                self._started += 1
                name = f"wsgi-{self._started}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        self._jobs.put(job)
        return True

    def close(self, timeout: float = 0.0) -> int:
        """No further job; waits up to `timeout` seconds for those there are. The number that still run: they
        are left alone, nothing can end a thread."""
        deadline = time.monotonic() + timeout
        with self._changed:
            if not self._is_closed:
                self._is_closed = True
                for _ in range(self._started):
                    self._jobs.put(None)  # behind what waits
            while self._unfinished and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            return self._unfinished

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except BaseException:  # SystemExit from an application too: the thread serves others
                log.exception("a job failed")
            del job  # it holds a request
            with self._changed:
                self._unfinished -= 1
                if self._is_closed:
                    self._changed.notify_all()
