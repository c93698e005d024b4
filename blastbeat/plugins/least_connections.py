"""The default selector: the instance with the fewest sessions."""

from __future__ import annotations

from collections.abc import Sequence

from blastbeat import hookimpl
from blastbeat.events import Request
from blastbeat.interfaces import InstanceView, Options, Register


class LeastConnections:
    """Ties go round: among equals the one after the last choice, so that short sessions spread evenly."""

    def __init__(self) -> None:
        self._next = 0

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView:
        count = len(candidates)
        start = self._next % count
        best = start
        for position in (*range(start + 1, count), *range(start)):
            if candidates[position].sessions < candidates[best].sessions:
                best = position
        self._next = best + 1
        return candidates[best]


def _make(options: Options) -> LeastConnections:
    return LeastConnections()


@hookimpl
def blastbeat_register_selectors(register: Register) -> None:
    register("least-connections", _make)
