"""The default node authenticator: a node is whoever uses the name the virtualhost expects.

That keeps strangers' names out and proves nothing: on an open network anybody can take a name. Where that
matters, the endpoint authenticates keys.
"""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.interfaces import NodeCandidate, Options, Register


class Identity:
    """Agrees exactly when the virtualhost lists the node's name."""

    def authenticate(self, candidate: NodeCandidate) -> bool:
        return candidate.node in candidate.expected


def _make(options: Options) -> Identity:
    return Identity()


@hookimpl
def blastbeat_register_node_authenticators(register: Register) -> None:
    register("identity", _make)
