"""Which zone's nodes a key goes to.

Arithmetic on weights; knows no instance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from blastbeat.request_keys import DRAW_BITS, draw, number_of_name
from blastbeat_rendezvous.nodes import Nodes

_PERCENT = re.compile(r"([0-9]{1,3})\s*%")


def parse_spill(value: object) -> float:
    """`empty` is 0, ``70%`` is 0.7. Raises ValueError."""
    if value == "empty":
        return 0.0
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not 1 <= int(match[1]) <= 100:
        raise ValueError("write empty, or a percentage from 1% to 100%")
    return int(match[1]) / 100


class Spill:
    """Own zones first. With `below` 0 the next zone gets keys only where nobody is left in those before it.
    Else a zone that has less than this part of its weight keeps just the part of its keys that it can carry:
    with 0.5 of its weight left and `below` 0.7, five of seven. Which ones its own draw for the key says, so
    that on every server the same keys go, and come back one by one as its weight does.

    What no zone keeps is spread over all nodes that are there.
    """

    def __init__(self, nodes: Nodes, below: float) -> None:
        self._nodes = nodes
        self._below = below
        self._lots = [number_of_name(f"zone {name}") for name in (*nodes.zones, "")]

    def zone_of(self, key: int, present: Mapping[str, float]) -> Mapping[str, float]:
        """Those of the nodes that are `present`, by name with their weights, that `key` goes to; none where
        it may go to none of them."""
        nodes = self._nodes
        last = nodes.last_rank
        by_rank: list[dict[str, float]] = [{} for _ in range(last + 1)]
        for name, weight in present.items():
            by_rank[nodes.ranks.get(name, last)][name] = weight
        if nodes.is_strict:
            by_rank.pop()
        for rank, found in enumerate(by_rank):
            if found and self._keeps(key, rank, sum(found.values())):
                return found
        return {name: weight for found in by_rank for name, weight in found.items()}

    def _keeps(self, key: int, rank: int, present: float) -> bool:
        needed = self._below * self._nodes.totals[rank]
        if present >= needed:
            return True
        return draw(key, self._lots[rank]) < present / needed * (1 << DRAW_BITS)
