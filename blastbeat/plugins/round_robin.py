"""The selector that goes round, whatever the instances are busy with."""

from __future__ import annotations

from collections.abc import Sequence

from blastbeat import hookimpl
from blastbeat.events import Request
from blastbeat.interfaces import InstanceView, Options, Register


class RoundRobin:
    """Each instance in its turn."""

    def __init__(self) -> None:
        self._next = 0

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView:
        position = self._next % len(candidates)
        self._next = position + 1
        return candidates[position]


def _make(options: Options) -> RoundRobin:
    return RoundRobin()


@hookimpl
def blastbeat_register_selectors(register: Register) -> None:
    register("round-robin", _make)
