"""The selector that looks at two instances, picked at random, and takes the one with fewer sessions."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from blastbeat import hookimpl
from blastbeat.events import Request
from blastbeat.interfaces import InstanceView, Options, Register


class TwoChoices:
    """Nearly as even as looking at all of them, at the same cost however many they are; and several servers
    that share nodes do not all send to the same one at the same time, as with the fewest sessions of all.

    `pick_below(n)` is a random whole number from 0 to n - 1.
    """

    def __init__(self, pick_below: Callable[[int], int]) -> None:
        self._pick_below = pick_below

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView:
        count = len(candidates)
        if count == 1:
            return candidates[0]
        first = self._pick_below(count)
        second = self._pick_below(count - 1)
        one, other = candidates[first], candidates[second + (second >= first)]
        if (other.sessions, other.queued_bytes) < (one.sessions, one.queued_bytes):
            return other
        return one


def _make(options: Options) -> TwoChoices:
    return TwoChoices(random.Random().randrange)


@hookimpl
def blastbeat_register_selectors(register: Register) -> None:
    register("two-choices", _make)
