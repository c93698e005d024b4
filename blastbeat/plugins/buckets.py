"""Token buckets, one per key, in a table of bounded size.

Each bucket is one number: when it will be full again. (The generic cell rate algorithm: a bucket that is full
is as good as one that was never there, so forgetting it costs nothing.) The time is passed in.
"""

from __future__ import annotations


class Buckets:
    """`rate` units per second; a bucket may be `ahead` of it by so many seconds. At most `limit` keys."""

    __slots__ = ("_ahead", "_full_at", "_interval", "_limit")

    def __init__(self, rate: float, ahead: float, limit: int) -> None:
        self._interval = 1 / rate
        self._ahead = ahead
        self._limit = limit
        self._full_at: dict[bytes, float] = {}  # in the order they were last charged

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, key: bytes, now: float) -> float:
        """Seconds until the bucket has room for one more; 0 when it has."""
        wait = self._full_at.get(key, 0.0) - self._ahead - now
        # The sums of floats: what is left of a microsecond is nobody's to wait for.
        return wait if wait > 1e-6 else 0.0

    def charge(self, key: bytes, amount: float, now: float) -> bool:
        """Take `amount` out, whether it is there or not. True when another key, still in use, had to be
        forgotten for this one."""
        full_at = self._full_at.pop(key, None)
        forgotten = full_at is None and self._make_room(now)
        self._full_at[key] = max(full_at or 0.0, now) + amount * self._interval
        return forgotten

    def take(self, key: bytes, amount: float, now: float) -> float:
        """Charge, and say how long to wait for what was taken before."""
        wait = self.wait(key, now)
        self.charge(key, amount, now)
        return wait

    def _make_room(self, now: float) -> bool:
        """Two that are full again for each new one, so that the table shrinks after a rush."""
        table = self._full_at
        for _ in range(2):
            oldest = next(iter(table), None)
            if oldest is None or table[oldest] > now:
                break
            del table[oldest]
        if len(table) < self._limit:
            return False
        del table[next(iter(table))]
        return True
