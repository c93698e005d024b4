"""Which virtualhosts use which nodes, and which instances their authenticators let them have.

Knows no session and no socket. What an authenticator says holds for the name of a virtualhost (or route), so
that one that is being replaced and the one in its place agree.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from blastbeat.instance import Instance
from blastbeat.interfaces import NodeAuthenticator, NodeCandidate
from blastbeat.nodes import NodeTable
from blastbeat.virtualhost import VirtualHost

log = logging.getLogger(__name__)


class NodeUsers:
    """`virtualhosts` are those that requests are led to now. `refused` hears which authenticator keeps a node
    that has spoken from one of them."""

    def __init__(self, refused: Callable[[Instance, VirtualHost, NodeAuthenticator], None]) -> None:
        self._refused = refused
        self.virtualhosts: tuple[VirtualHost, ...] = ()
        self._users: dict[tuple[NodeTable, str], list[VirtualHost]] = {}

    def replace(self, virtualhosts: tuple[VirtualHost, ...]) -> None:
        """These and no others, from now on. Nobody is asked anew, see `ask`."""
        self.virtualhosts = virtualhosts
        self._users = {}
        for virtualhost in virtualhosts:
            for name in virtualhost.node_names:
                self._users.setdefault((virtualhost.table, name), []).append(virtualhost)

    def of(self, table: NodeTable, node: str) -> Sequence[VirtualHost]:
        """The virtualhosts that name this node of this ROUTER."""
        return self._users.get((table, node), ())

    def admit(self, instance: Instance, table: NodeTable, address: str | None) -> bool:
        """A (new) peer speaks for `instance`: asks everybody who names it. True when somebody has it."""
        users = self.of(table, instance.node)
        instance.is_watched = any(each.watches_peers for each in users)
        return self._ask(instance, users, address)

    def ask(self, virtualhost: VirtualHost) -> Iterator[Instance]:
        """Asks one that is new about the instances there are. Yields those it had not and has now."""
        for name in virtualhost.node_names:
            for instance in tuple(virtualhost.table.instances(name)):
                if virtualhost.watches_peers:
                    instance.is_watched, instance.is_steady = True, False
                had = virtualhost.key in instance.allowed
                if self._ask(instance, (virtualhost,), instance.address) and not had:
                    yield instance

    def forget(self, virtualhost: VirtualHost) -> None:
        """What one that is not used any more had said, of nodes that nobody of its name uses now."""
        for name in virtualhost.node_names:
            users = self.of(virtualhost.table, name)
            is_named = any(user.key == virtualhost.key for user in users)
            is_watched = any(user.watches_peers for user in users)
            for instance in virtualhost.table.instances(name):
                if not is_named:
                    instance.allowed.discard(virtualhost.key)
                instance.is_watched = is_watched

    def _ask(self, instance: Instance, users: Iterable[VirtualHost], address: str | None) -> bool:
        is_wanted = False
        for virtualhost in users:
            candidate = NodeCandidate(
                instance.node,
                instance.identity,
                instance.view.endpoint,
                address or "",
                virtualhost.name,
                frozenset(virtualhost.node_names),
                heard=address is not None,
            )
            refusing = _who_refuses(virtualhost, candidate)
            if refusing is None:
                instance.allowed.add(virtualhost.key)
                is_wanted = True
            else:
                instance.allowed.discard(virtualhost.key)
                if address is not None:
                    self._refused(instance, virtualhost, refusing)
        return is_wanted


def _who_refuses(virtualhost: VirtualHost, candidate: NodeCandidate) -> NodeAuthenticator | None:
    """None when all agree. One that fails refuses."""
    for each in virtualhost.node_authenticators:
        try:
            if not each.authenticate(candidate):
                return each
        except Exception:
            fields = {"virtualhost": virtualhost.name, "node": candidate.identity.decode("ascii", "replace")}
            log.exception("node authenticator %r failed", each, extra=fields)
            return each
    return None
