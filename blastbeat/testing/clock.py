"""A clock that a test sets; it starts nothing and wakes nobody."""

from __future__ import annotations


class FakeClock:
    """An `interfaces.Clock` that stands still. It can be called itself, for what takes a function:
    ``make_request_view(now=clock)``."""

    def __init__(self, now: float = 1000.0, wall: float = 1_700_000_000.0) -> None:
        self.now = now
        """Seconds, monotonic."""
        self._wall_offset = wall - now

    def advance(self, seconds: float) -> float:
        """Lets time pass; returns `now`. ValueError for a negative number: it never goes back."""
        if seconds < 0:
            raise ValueError(f"a clock never goes back, not even by {-seconds} s")
        self.now += seconds
        return self.now

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self.now + self._wall_offset

    __call__ = monotonic
