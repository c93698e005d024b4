"""The node authenticator `policy`: where a customer's nodes may come from, and how many instances it may
have.

An instance takes one place of its customer's, however many of the customer's virtualhosts it serves, until
the server says that it is gone. Knows no request.
"""

from __future__ import annotations

from blastbeat.interfaces import NodeCandidate, NodeView
from blastbeat_policy.customers import Customer


class Instances:
    """Who holds a place of whom. Bounded by the plans, and by the server's own `instances`."""

    def __init__(self) -> None:
        self._of: dict[str, set[tuple[str, str]]] = {}  # customer -> (endpoint, identity)

    def count(self, customer: str) -> int:
        return len(self._of.get(customer, ()))

    def take(self, customer: str, endpoint: str, identity: str, limit: int | None) -> bool:
        """False where all `limit` places are taken by others."""
        held = self._of.setdefault(customer, set())
        place = endpoint, identity
        if place not in held:
            if limit is not None and len(held) >= limit:
                return False
            held.add(place)
        return True

    def gone(self, endpoint: str, identity: str) -> None:
        """It holds no place any more, of nobody."""
        for held in self._of.values():
            held.discard((endpoint, identity))

    def node_down(self, view: NodeView) -> None:
        """One that is only silent may come back, and keeps its place."""
        if view.state != "silent":
            self.gone(view.endpoint, view.identity)


class PolicyNodes:
    """Of one virtualhost, or of one of its routes."""

    # An attribute that is looked at once per virtualhost: terms may get networks later.
    watches_peers = True

    def __init__(self, customer: Customer, instances: Instances) -> None:
        self._customer = customer
        self._instances = instances

    def authenticate(self, candidate: NodeCandidate) -> bool:
        terms = self._customer.terms
        # A node without an address is on an ipc endpoint, on this machine, or has not said anything yet.
        if terms.node_networks is not None and not terms.node_networks.admit(candidate.address):
            return False
        identity = candidate.identity.decode("ascii", "replace")
        return self._instances.take(self._customer.name, candidate.endpoint, identity, terms.instances)
