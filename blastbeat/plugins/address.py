"""Two authenticators called `address`: networks that nodes, and networks that clients, may come from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from blastbeat import hookimpl
from blastbeat.errors import ConfigError, Problem
from blastbeat.interfaces import Allow, Answer, NodeCandidate, Options, Register, RequestView
from blastbeat.validators import flag, words

Network = IPv4Network | IPv6Network

MAX_REMEMBERED = 4096
"""Addresses whose verdict is remembered."""

_MAPPED = IPv6Network("::ffff:0:0/96")


def networks(value: object) -> tuple[Network, ...]:
    """Addresses or networks in CIDR form, one or several. Raises ValueError."""
    return tuple(_network(word) for word in words(value))


def _network(word: str) -> Network:
    try:
        network = ip_network(word, strict=False)
    except ValueError:
        raise ValueError(
            f"has {word!r}, which is no address or network; write e.g. 10.0.0.0/8 or 2001:db8::/32"
        ) from None
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


class Networks:
    """In one of `allow` (or `allow` is empty), and in none of `deny`. IPv4 mapped into IPv6 is IPv4."""

    def __init__(self, allow: Sequence[Network], deny: Sequence[Network]) -> None:
        self._allow = tuple(allow)
        self._deny = tuple(deny)
        self.admit = lru_cache(MAX_REMEMBERED)(self._admit)

    def _admit(self, address: str) -> bool:
        """False for what is no address, too."""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        if any(parsed in network for network in self._deny):
            return False
        return not self._allow or any(parsed in network for network in self._allow)


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
