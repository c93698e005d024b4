"""Keeps a log readable when somebody floods it: one line per key and interval, with the number left out.

Knows neither logging nor the clock: the time is passed in, the caller writes the line.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

OVERFLOW: Final = object()


class RateLimit:
    """Says which lines may be written. At most `max_keys` keys are remembered; while all of them are in use,
    every further key counts as one and the same."""

    __slots__ = ("_interval", "_max_keys", "_seen")

    def __init__(self, interval: float = 10.0, max_keys: int = 256) -> None:
        self._interval = interval
        self._max_keys = max_keys
        self._seen: dict[Hashable, list[float]] = {}  # key -> [time of its last line, lines left out since]

    def allow(self, key: Hashable, now: float) -> int | None:
        """None: be silent. Else write the line; so many like it were left out since the last one."""
        state = self._seen.get(key)
        if state is None:
            state = self._seen.get(key := self._admit(key, now))
        if state is None:
            self._seen[key] = [now, 0]
            return 0
        if now - state[0] < self._interval:
            state[1] += 1
            return None
        suppressed = int(state[1])
        del self._seen[key]  # moves the key to the end: the dict stays ordered by time
        self._seen[key] = [now, 0]
        return suppressed

    def _admit(self, key: Hashable, now: float) -> Hashable:
        """The key itself while there is room, made by forgetting keys whose interval is over."""
        while len(self._seen) >= self._max_keys:
            oldest = next(iter(self._seen))
            if now - self._seen[oldest][0] < self._interval:
                return OVERFLOW
            del self._seen[oldest]
        return key
