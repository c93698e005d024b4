"""Networks, as somebody writes them in a configuration, and which addresses are in them.

Knows nobody who is let in or kept out by it. Public: `address` is built on it, and plugins may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from blastbeat.validators import words

Network: TypeAlias = IPv4Network | IPv6Network

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
    """In one of `allow` (or `allow` is empty), and in none of `deny`; IPv4 mapped into IPv6 is IPv4.

    `admit(address)` says whether a text, as it is in a view or a `NodeCandidate`, is such an address; what is
    no address is none."""

    def __init__(self, allow: Sequence[Network], deny: Sequence[Network]) -> None:
        self._allow = tuple(allow)
        self._deny = tuple(deny)
        self.admit = lru_cache(MAX_REMEMBERED)(self._admit)

    def _admit(self, address: str) -> bool:
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        if any(parsed in network for network in self._deny):
            return False
        return not self._allow or any(parsed in network for network in self._allow)
