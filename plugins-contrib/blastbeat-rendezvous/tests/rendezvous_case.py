"""What the tests of rendezvous share: selectors as the server makes them, and many keys to choose for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache
from math import sqrt
from typing import Any

from hypothesis import settings

import blastbeat_rendezvous
from blastbeat.events import Request
from blastbeat.interfaces import InstanceView, Options
from blastbeat.request_keys import address_key
from blastbeat.testing import make_instance, make_registered, make_request
from blastbeat_rendezvous import Rendezvous
from blastbeat_rendezvous.nodes import Nodes

KEYS = [make_request(remote_addr=b"10.%d.%d.1" % divmod(number, 250)) for number in range(2000)]


relaxed = settings(deadline=None)
"""No timed assertion, also where no profile says so: in the distribution's own folder."""


def make(options: Options | None = None, nodes: Mapping[str, Options] | None = None) -> Rendezvous:
    selector = deepcopy(_made(tuple(sorted((options or {}).items()))))
    selector.expect_nodes(nodes or {})
    return selector


@cache
def _made(options: tuple[tuple[str, Any], ...]) -> Rendezvous:
    """Each but once by a server's plugin manager: properties are tested on thousands of them."""
    selector: Rendezvous = make_registered(blastbeat_rendezvous, "selector", "rendezvous", dict(options))
    return selector


def with_weights(weights: Mapping[str, int]) -> Rendezvous:
    """By address, without other options; made without a plugin manager, for thousands of examples."""
    nodes = Nodes(())
    nodes.expect({name: {"weight": weight} for name, weight in weights.items()})
    return Rendezvous(address_key, nodes)


def instances(*names: str, **changes: Any) -> list[InstanceView]:
    return [make_instance(name, **changes) for name in names]


def choose(selector: Rendezvous, candidates: Sequence[InstanceView], request: Request) -> str:
    """The identity that is chosen; empty for nobody."""
    chosen = selector.select(candidates, request)
    return chosen.identity if chosen is not None else ""


def owners(selector: Rendezvous, candidates: Sequence[InstanceView]) -> list[str]:
    """Whose each of KEYS is."""
    return [choose(selector, candidates, request) for request in KEYS]


def assert_shares(found: Sequence[str], shares: Mapping[str, float]) -> None:
    """Each has its part of `found`, to within five standard deviations of a fair draw: one run of 1.7 million
    would fail by chance, and these keys are the same in every run."""
    counts = Counter(found)
    assert set(counts) <= set(shares), counts
    for name, share in shares.items():
        deviation = sqrt(len(found) * share * (1 - share))
        assert abs(counts[name] - share * len(found)) <= 5 * deviation, f"{name}: {counts[name]}, not {share}"
