"""A coarse timer wheel: deadlines that move with every byte cost nothing at all.

What is watched says by itself when it is due. The wheel asks again at that time, and at least once per
shortest timeout there is: so a deadline that came into force since is never missed, and nobody has to tell.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Protocol

from blastbeat.interfaces import Clock

TICK = 0.1
"""Seconds between two looks. A timeout is late by up to this much, never early."""


class Watched(Protocol):
    """Something with a deadline that may move."""

    is_watched: bool  # set to False by what is watched once it wants no more looks

    def deadline(self) -> float:
        """Monotonic seconds, `inf` for none."""
        ...

    def expire(self, now: float) -> None:
        """The deadline has passed. May end what is watched, or move its deadline."""
        ...


class Expected(Watched, Protocol):
    """One of thousands that are idle: looked at when it is due and not before, because it tells when that has
    come nearer."""

    slot: int  # the wheel's own note; NOWHERE before it is expected


NOWHERE = -1


class TimerWheel:
    """Watches until `close`. `shortest`: the shortest timeout (seconds) a deadline may be made of; a deadline
    that is nearer is noticed late."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, shortest: float) -> None:
        self._loop = loop
        self._now = clock.monotonic
        self._shortest = max(shortest, TICK)
        self._slots: dict[int, list[Watched]] = {}
        self._expected: dict[int, set[Expected]] = {}
        self._handle: asyncio.TimerHandle | None = None

    def set_shortest(self, shortest: float) -> None:
        """Other timeouts hold from now on."""
        is_shorter, self._shortest = shortest < self._shortest, max(shortest, TICK)
        if is_shorter:  # those that are watched may come to have a deadline before the look that is planned
            slots, self._slots = self._slots, {}
            now = self._now()
            for watched in [each for slot in slots.values() for each in slot]:
                self._put(watched, now)

    def watch(self, watched: Watched) -> None:
        """Once, when it begins to have deadlines; it is let go when it says so."""
        self._put(watched, self._now())
        self._turn()

    def expect(self, watched: Expected) -> None:
        """Whenever its deadline may have come nearer than it was."""
        due = watched.deadline()
        if due == inf:
            return
        slot = int(max(due, self._now()) / TICK)
        if watched.slot != NOWHERE:
            if slot >= watched.slot:
                return  # it is looked at before, and asked again
            self.forget(watched)
        watched.slot = slot
        self._expected.setdefault(slot, set()).add(watched)
        self._turn()

    def forget(self, watched: Expected) -> None:
        """It is over; or no more expected where it was."""
        expected = self._expected.get(watched.slot)
        if expected is not None:
            expected.discard(watched)
            if not expected:
                del self._expected[watched.slot]
        watched.slot = NOWHERE

    def close(self) -> None:
        """Look no more."""
        self._slots.clear()
        self._expected.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _put(self, watched: Watched, now: float) -> None:
        self._put_at(min(watched.deadline(), now + self._shortest), watched, now)

    def _put_at(self, due: float, watched: Watched, now: float) -> None:
        slot = int(max(due, now) / TICK)  # the one it is due in: a look too early only looks again
        self._slots.setdefault(slot, []).append(watched)

    def _turn(self) -> None:
        if self._handle is None:
            self._handle = self._loop.call_later(TICK, self._tick)

    def _tick(self) -> None:
        self._handle = None
        now = self._now()
        current = int(now / TICK)
        try:
            for slot in [slot for slot in self._slots if slot <= current]:
                for watched in self._slots.pop(slot):
                    self._look(watched, now)
            for slot in [slot for slot in self._expected if slot <= current]:
                for expected in self._expected.pop(slot):
                    self._look_at_expected(expected, now)
        finally:  # one that fails must not end everybody's timeouts
            if self._slots or self._expected:
                self._turn()

    def _look(self, watched: Watched, now: float) -> None:
        """Asks once where nothing is due: thousands that are idle are asked all the time."""
        if not watched.is_watched:
            return
        due = watched.deadline()
        if due > now:
            self._put_at(min(due, now + self._shortest), watched, now)
            return
        watched.expire(now)
        if watched.is_watched:
            self._put(watched, now)

    def _look_at_expected(self, expected: Expected, now: float) -> None:
        expected.slot = NOWHERE
        if expected.is_watched and expected.deadline() <= now:
            expected.expire(now)
        if expected.is_watched:
            self.expect(expected)
