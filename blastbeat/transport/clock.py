"""The real clock, and the `Date` field it makes."""

from __future__ import annotations

import time
from email.utils import formatdate


class SystemClock:
    """See `interfaces.Clock`."""

    __slots__ = ("monotonic", "wall")

    def __init__(self) -> None:
        # The functions themselves: one call less, several times per request.
        self.monotonic = time.monotonic
        self.wall = time.time


class DateField:
    """The value of `Date` (IMF-fixdate, RFC 9110 §5.6.7), made once per second."""

    __slots__ = ("_second", "_value")

    def __init__(self) -> None:
        self._second = 0
        self._value = b""

    def now(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._value = formatdate(second, usegmt=True).encode()
        return self._value
