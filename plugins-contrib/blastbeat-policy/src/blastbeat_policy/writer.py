"""The thread that keeps the books, so that the event loop never waits for a disk.

Knows when, not what: every few seconds, at once when a month ends, and a last time when it is stopped.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("blastbeat.policy")

MAX_JOIN = 5.0
"""Seconds that a stop waits for the last write."""


class Writer:
    """`tick` is called every `seconds`, or after `seconds_left()` where that is less. `close` comes last."""

    def __init__(
        self,
        tick: Callable[[], object],
        close: Callable[[], None],
        seconds: float,
        seconds_left: Callable[[], float],
    ) -> None:
        self._tick, self._close = tick, close
        self._seconds, self._seconds_left = seconds, seconds_left
        self._asked = threading.Event()
        # A daemon: a disk that hangs must not keep the process.
        self._thread = threading.Thread(target=self._run, name="policy-usage", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Writes what there is. Waits for it, but not for ever."""
        self._asked.set()
        self._thread.join(MAX_JOIN)
        if self._thread.is_alive():
            log.error("usage of the last seconds is not written: the disk does not answer")

    def _run(self) -> None:
        try:
            while True:
                is_last = self._asked.is_set()
                try:
                    self._tick()
                except Exception:  # a defect must cost a line, not all accounting until the next start
                    log.exception("the books of usage could not be kept")
                if is_last:
                    return
                self._asked.wait(min(self._seconds, self._seconds_left()))
        finally:
            self._close()
