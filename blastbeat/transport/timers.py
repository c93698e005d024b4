"""A coarse timer wheel: deadlines that move with every byte cost an attribute, not a timer.

What is watched says by itself when it is due; the wheel only asks again at that time. Resolution TICK
seconds.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Protocol

from blastbeat.interfaces import Clock

TICK = 0.1
"""Seconds between two looks. Timeouts are late by up to this much."""


class Watched(Protocol):
    """Something with a deadline that may move."""

    wheel_due: float  # the wheel's own: when it looks next, `inf` when it does not

    def deadline(self) -> float:
        """Monotonic seconds, `inf` for none."""
        ...

    def expire(self, now: float) -> None:
        """The deadline has passed. May end what is watched, or move its deadline."""
        ...


class TimerWheel:
    """Watches until `close`. One loop timer, whatever the number of deadlines."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._now = clock.monotonic
        self._slots: dict[int, list[Watched]] = {}
        self._handle: asyncio.TimerHandle | None = None
        self._at = self._slot(self._now())

    @staticmethod
    def _slot(time: float) -> int:
        return int(time / TICK) + 1

    def watch(self, watched: Watched) -> None:
        """Call when a deadline came to be, or moved closer. Costs little when it did not."""
        due = watched.deadline()
        if due >= watched.wheel_due:
            return  # the wheel looks before that, and will ask again then
        watched.wheel_due = due
        slot = max(self._slot(due), self._at + 1)
        self._slots.setdefault(slot, []).append(watched)
        if self._handle is None:
            self._at = max(self._at, self._slot(self._now()) - 1)
            self._handle = self._loop.call_later(TICK, self._tick)

    def close(self) -> None:
        """Look no more."""
        self._slots.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _tick(self) -> None:
        now = self._now()
        current = int(now / TICK)
        due = [slot for slot in self._slots if slot <= current] if self._slots else []
        self._at = current
        for slot in due:
            for watched in self._slots.pop(slot):
                self._look(watched, now)
        self._handle = self._loop.call_later(TICK, self._tick) if self._slots else None

    def _look(self, watched: Watched, now: float) -> None:
        watched.wheel_due = inf
        if watched.deadline() <= now:
            watched.expire(now)
        self.watch(watched)
