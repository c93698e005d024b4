"""The selector that goes round and gives each instance sessions in proportion to its node's weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blastbeat import hookimpl
from blastbeat.events import Request
from blastbeat.interfaces import InstanceView, Options, Register
from blastbeat.validators import whole

MAX_WEIGHT = 1000

_weight = whole(1, MAX_WEIGHT)


class WeightedRoundRobin:
    """`node = app1 weight=3`; without a weight it is 1, and each instance has that of its node.

    Smooth, as nginx does it: an instance of weight 3 beside two of weight 1 gets its turns spread over the
    round, a b a c a, never three in a row. Each choice adds to everybody's account its weight, takes whose
    account is largest, and takes the sum of all weights off that account.
    """

    def __init__(self) -> None:
        self._weights: dict[str, int] = {}
        self._accounts: dict[str, int] = {}

    def expect_nodes(self, nodes: Mapping[str, Options]) -> None:
        """Raises ValueError for a weight that is none, and for other options than `weight`."""
        for name, options in nodes.items():
            for key, value in options.items():
                if key != "weight":
                    raise ValueError(f"node {name}: {key}={value}: no such option; a node takes weight")
                try:
                    self._weights[name] = _weight(value)
                except ValueError as error:
                    raise ValueError(f"node {name}: weight={value}: {error}") from None

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView:
        accounts = self._accounts
        weights = self._weights
        if len(accounts) > 2 * len(candidates) + 64:  # of instances that have gone
            offered = {each.identity for each in candidates}
            self._accounts = accounts = {name: accounts[name] for name in offered if name in accounts}
        total = most = 0
        best = None
        for each in candidates:
            weight = weights.get(each.node, 1)
            total += weight
            account = accounts[each.identity] = accounts.get(each.identity, 0) + weight
            if best is None or account > most:
                best, most = each, account
        assert best is not None, "never asked without a candidate"
        accounts[best.identity] = most - total
        return best


def _make(options: Options) -> WeightedRoundRobin:
    return WeightedRoundRobin()


@hookimpl
def blastbeat_register_selectors(register: Register) -> None:
    register("weighted-round-robin", _make)
