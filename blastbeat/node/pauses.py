"""How long to wait before a worker that died is started again. Pure: seconds in, seconds out."""

from __future__ import annotations

SHORTEST, LONGEST = 0.5, 30.0
"""Seconds. Each pause is twice the one before."""

STEADY = 60.0
"""Seconds that a worker must have served for its end to be no news: the next one starts at once."""


class Pauses:
    """Of one place."""

    def __init__(self) -> None:
        self._next = SHORTEST

    def after(self, served: float) -> float:
        """Seconds to wait, now that a worker has ended that had served for so long."""
        if served >= STEADY:
            self._next = SHORTEST
            return 0.0
        pause, self._next = self._next, min(LONGEST, self._next * 2)
        return pause
