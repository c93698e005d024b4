"""Months, as bills count them: from midnight of the first in the ISP's time zone.

Pure: the time is passed in, in seconds since the epoch.
"""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


def parse_month(text: str) -> tuple[int, int]:
    """Year and month of ``2026-11``. Raises ValueError."""
    match = _MONTH.fullmatch(text)
    if match is None or match[1] == "0000":
        raise ValueError(f"{text!r} is no month; write it as 2026-11")
    return int(match[1]), int(match[2])


def months_before(month: str, count: int) -> str:
    """The month so many before."""
    year, number = parse_month(month)
    total = max(12, year * 12 + number - 1 - count)
    return f"{total // 12:04d}-{total % 12 + 1:02d}"


class Calendar:
    """The months of one time zone (a name of the IANA database)."""

    def __init__(self, timezone: str = "UTC") -> None:
        self.timezone = timezone
        self._zone = ZoneInfo(timezone)

    def month_of(self, wall: float) -> str:
        """The month that this moment lies in."""
        return datetime.fromtimestamp(wall, self._zone).strftime("%Y-%m")

    def end_of(self, month: str) -> float:
        """When it ends: the first moment of the next. Raises ValueError for what is no month."""
        year, number = parse_month(month)
        year, number = (year + 1, 1) if number == 12 else (year, number + 1)
        return datetime(year, number, 1, tzinfo=self._zone).timestamp()

    def seconds_left(self, wall: float) -> float:
        """Until the month ends that this moment lies in; more than 0."""
        return max(0.001, self.end_of(self.month_of(wall)) - wall)
