"""What one customer's limits are kept with: token buckets and counts of sessions, at up to three levels.

Time is passed in; knows neither requests nor answers. A `Keys` says whom something is counted for at each
level, in the order of `keys.PREFIXES`. New terms replace the limits and leave what was counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from blastbeat.buckets import Buckets
from blastbeat_policy.keys import PREFIXES
from blastbeat_policy.plans import Rate

Keys: TypeAlias = tuple[bytes, bytes, bytes]
"""The client, the virtualhost, and nothing: there is one customer."""

CLIENT = 0
MAX_VIRTUALHOSTS = 100_000


class Meter:
    """The rates of one thing, such as `requests`. `reasons`, `waits` and the rest look at those that are set,
    the narrowest first."""

    __slots__ = ("_name", "_rates", "_table_size", "parts")

    def __init__(self, name: str, table_size: int) -> None:
        self._name = name
        self._table_size = table_size
        self._rates: dict[str, Rate] = {}
        self.parts: tuple[tuple[str, Buckets, int], ...] = ()

    def apply(self, rates: Mapping[str, Rate], now: float) -> None:
        """These are the rates by key from now on; what was taken stays taken."""
        known = {reason: buckets for reason, buckets, _ in self.parts}
        parts = []
        for level, prefix in enumerate(PREFIXES):
            reason = f"{prefix}{self._name}"
            rate = rates.get(reason)
            if rate is not None:
                parts.append((reason, self._buckets(reason, rate, known.get(reason), level, now), level))
        self.parts = tuple(parts)

    def _buckets(self, reason: str, rate: Rate, known: Buckets | None, level: int, now: float) -> Buckets:
        before, self._rates[reason] = self._rates.get(reason), rate
        if known is None:
            size = self._table_size if level == CLIENT else MAX_VIRTUALHOSTS
            return Buckets(rate.per_second, rate.ahead, size)
        if before != rate:
            known.set_rate(rate.per_second, rate.ahead, now)
        return known

    def written(self, reason: str) -> str:
        """The rate behind a reason, as it was written."""
        return self._rates[reason].written

    def longest(self, keys: Keys, now: float) -> tuple[float, str]:
        """Seconds until none of them is exceeded any more, and the key of the one that takes longest."""
        longest, who = 0.0, ""
        for reason, buckets, level in self.parts:
            wait = buckets.wait(keys[level], now)
            if wait > longest:
                longest, who = wait, reason
        return longest, who

    def charge(self, keys: Keys, amount: float, now: float) -> bool:
        """Counts it everywhere. True when a client had to be forgotten for this one."""
        forgotten = False
        for _, buckets, level in self.parts:
            if buckets.charge(keys[level], amount, now):
                forgotten = True
        return forgotten

    def take(self, keys: Keys, amount: float, now: float) -> float:
        """Charge, and say how long to wait for what was taken before."""
        wait, _ = self.longest(keys, now)
        self.charge(keys, amount, now)
        return wait


class SessionCount:
    """The sessions that are open, at each level. Bounded by the server's `sessions`."""

    __slots__ = ("_counts", "limits")

    def __init__(self) -> None:
        self._counts: tuple[dict[bytes, int], ...] = ({}, {}, {})
        self.limits: tuple[tuple[str, int, int], ...] = ()

    def apply(self, limits: Mapping[str, int]) -> None:
        """These are the limits by key from now on. Who is over them stays."""
        reasons = ((f"{prefix}sessions", level) for level, prefix in enumerate(PREFIXES))
        self.limits = tuple((reason, limits[reason], level) for reason, level in reasons if reason in limits)

    def reached(self, keys: Keys) -> tuple[str, int] | None:
        """The narrowest limit that has no room for one more, by key and figure."""
        for reason, limit, level in self.limits:
            if self._counts[level].get(keys[level], 0) >= limit:
                return reason, limit
        return None

    def add(self, keys: Keys) -> None:
        for counts, key in zip(self._counts, keys, strict=True):
            counts[key] = counts.get(key, 0) + 1

    def remove(self, keys: Keys) -> None:
        for counts, key in zip(self._counts, keys, strict=True):
            left = counts[key] - 1
            if left:
                counts[key] = left
            else:
                del counts[key]

    @property
    def open(self) -> int:
        """Of the whole customer."""
        return self._counts[-1].get(b"", 0)
