"""What each virtualhost and route has been asked and has answered since the server started.

Plain sums, added to when an exchange is over; knows nobody who reads them. Beside the counters (`counters`),
which are of the server as a whole.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Protocol
from weakref import WeakValueDictionary

from blastbeat.events import CloseReason

LIMIT_BEHIND_REASON = {
    CloseReason.SLOW_CLIENT: "writequeue-buffer",
    CloseReason.MEMORY: "memory",
    CloseReason.LINGER_OVER: "linger",
}
"""What tells by itself which limit was hit; the other limits are counted where they are hit."""

_COMPLETE = CloseReason.COMPLETE

MAX_LIMITS = 50
"""Limits that are counted by name in one tally; a plugin's beyond them are `other`."""

DURATION_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of what durations are sorted into, seconds: from a node next door to a long poll."""


_SHORTEST = DURATION_BOUNDS[0]


class Ended(Protocol):
    """What is read of an exchange that is over."""

    @property
    def status(self) -> int: ...
    @property
    def bytes_in(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def reason(self) -> CloseReason: ...


class Tally:
    """The sums of one virtualhost without its routes, or of one route.

    `answers` counts exchanges by the first digit of their status, those without an answer at 0; `limits` how
    often which limit was hit, by the name of its key; `messages_in` and `messages_out` are those of
    WebSockets, counted as they pass.
    """

    __slots__ = ("__weakref__", "answers", "bytes_in", "bytes_out", "limits", "messages_in", "messages_out")

    def __init__(self) -> None:
        self.answers = [0] * 10  # a status has three digits, so there is a place for each
        self.bytes_in = 0
        self.bytes_out = 0
        self.messages_in = 0
        self.messages_out = 0
        self.limits: dict[str, int] = {}

    @property
    def requests(self) -> int:
        """Exchanges that are over."""
        return sum(self.answers)

    def add(self, exchange: Ended) -> None:
        """An exchange is over."""
        status = exchange.status
        self.answers[status // 100] += 1
        self.bytes_in += exchange.bytes_in
        self.bytes_out += exchange.bytes_out
        if exchange.reason is not _COMPLETE:
            limit = LIMIT_BEHIND_REASON.get(exchange.reason)
            if limit is not None:
                self.hit(limit)

    def hit(self, limit: str, times: int = 1) -> None:
        """A limit was hit: a word of the code's or a plugin's, never a client's."""
        if limit not in self.limits and len(self.limits) >= MAX_LIMITS:
            limit = "other"
        self.limits[limit] = self.limits.get(limit, 0) + times

    def absorb(self, other: Tally) -> None:
        """Add the sums of `other`."""
        self.answers = [mine + theirs for mine, theirs in zip(self.answers, other.answers, strict=True)]
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.messages_in += other.messages_in
        self.messages_out += other.messages_out
        for limit, times in other.limits.items():
            self.hit(limit, times)


class Durations:
    """How long exchanges took, sorted by DURATION_BOUNDS; the last place of `counts` is beyond them all."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(DURATION_BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        # Nearly all are within the first bound: not worth a search.
        self.counts[0 if seconds <= _SHORTEST else bisect_left(DURATION_BOUNDS, seconds)] += 1
        self.total += seconds


class Tallies:
    """The tallies of a server. A name keeps its tally as long as anybody holds it, and so over a reload."""

    def __init__(self) -> None:
        self._by_name: WeakValueDictionary[tuple[str, str], Tally] = WeakValueDictionary()
        self.durations = Durations()
        self.unmatched = Tally()
        """Exchanges that no virtualhost could be found for."""

    def of(self, virtualhost: str, route: str = "") -> Tally:
        """The one of this virtualhost, or of this route of it."""
        tally = self._by_name.get((virtualhost, route))
        if tally is None:
            tally = self._by_name[virtualhost, route] = Tally()
        return tally
