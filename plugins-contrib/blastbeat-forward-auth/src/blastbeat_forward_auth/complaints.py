"""Lines about a service that fails: one in ten seconds, with how many were left out.

The time is passed in.
"""

from __future__ import annotations

import logging

INTERVAL = 10.0
"""Seconds between two lines."""


class Complaints:
    def __init__(self, log: logging.Logger, about: str) -> None:
        self._log, self._about = log, about
        self._told_at: float | None = None
        self._left_out = 0

    def add(self, why: str, now: float) -> None:
        if self._told_at is not None and now - self._told_at < INTERVAL:
            self._left_out += 1
            return
        more = f" ({self._left_out} more requests since the last line)" if self._left_out else ""
        self._log.error("%s: %s; nobody is let in%s", self._about, why, more)
        self._told_at, self._left_out = now, 0
