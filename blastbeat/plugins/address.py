"""Two authenticators called `address`: networks that nodes, and networks that clients, may come from."""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.errors import ConfigError, Problem
from blastbeat.interfaces import Allow, Answer, NodeCandidate, Options, Register, RequestView
from blastbeat.networks import Networks, networks
from blastbeat.validators import flag


class NodeAddress:
    """A node comes from a network that is allowed. One on an ipc endpoint has no address and is refused,
    unless `ipc`; so is one that is connected and has not said anything yet."""

    watches_peers = True

    def __init__(self, networks: Networks, ipc: bool) -> None:
        self._networks = networks
        self._ipc = ipc

    def authenticate(self, candidate: NodeCandidate) -> bool:
        if not candidate.heard:
            return False
        return self._networks.admit(candidate.address) if candidate.address else self._ipc


class ClientAddress:
    """A client comes from a network that is allowed: its `REMOTE_ADDR`, so what trusted proxies say of it."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    async def authenticate(self, view: RequestView) -> Allow | Answer:
        address = view.request.remote_addr.decode("ascii", "replace")
        if self._networks.admit(address):
            return Allow()
        return Answer(403, detail=f"address {address} is not allowed")


def _networks(options: Options) -> Networks:
    if "allow" not in options and "deny" not in options:
        message = "address: lets nobody in and keeps nobody out; say allow=NETWORKS or deny=NETWORKS"
        raise ConfigError([Problem(message, value="address")])
    return Networks(options.get("allow", ()), options.get("deny", ()))


def _make_for_nodes(options: Options) -> NodeAddress:
    return NodeAddress(_networks(options), options.get("ipc", False))


def _make_for_clients(options: Options) -> ClientAddress:
    return ClientAddress(_networks(options))


@hookimpl
def blastbeat_register_node_authenticators(register: Register) -> None:
    register("address", _make_for_nodes, options={"allow": networks, "deny": networks, "ipc": flag})


@hookimpl
def blastbeat_register_request_authenticators(register: Register) -> None:
    register("address", _make_for_clients, options={"allow": networks, "deny": networks})
