"""Lets the time pass for a node table: a timer of the event loop, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TICKS_PER_PERIOD = 4
MIN_INTERVAL = 0.02  # seconds
MAX_INTERVAL = 1.0


class Heartbeat:
    """Calls `tick` several times per `period` (seconds), from `start` until `stop`."""

    def __init__(self, tick: Callable[[], None], period: float) -> None:
        self._tick = tick
        self.set_period(period)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set_period(self, period: float) -> None:
        """From the next tick on."""
        self._interval = min(max(period / TICKS_PER_PERIOD, MIN_INTERVAL), MAX_INTERVAL)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """The first tick comes with the next turn of the loop."""
        self._loop = loop
        self._timer = loop.call_later(0, self._run)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._loop = self._timer = None

    def _run(self) -> None:
        if self._loop is not None:
            self._timer = self._loop.call_later(self._interval, self._run)
            self._tick()
