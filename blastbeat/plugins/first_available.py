"""The selector `first`: one node does the work, the next ones stand by."""

from __future__ import annotations

from collections.abc import Sequence

from blastbeat import hookimpl
from blastbeat.events import Request
from blastbeat.interfaces import InstanceView, Options, Register


class FirstAvailable:
    """The first node, in the order in which the virtualhost lists them, that has an instance to offer; of its
    instances the one with the fewest sessions."""

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView:
        best = candidates[0]
        for each in candidates:  # those of one node stand together
            if each.node != best.node:
                break
            if each.sessions < best.sessions:
                best = each
        return best


def _make(options: Options) -> FirstAvailable:
    return FirstAvailable()


@hookimpl
def blastbeat_register_selectors(register: Register) -> None:
    register("first", _make)
