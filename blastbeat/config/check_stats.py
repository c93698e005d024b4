"""Whether the status address is one that only those should reach who may, and nobody else's.

It asks for no password, so where it is bound is all that protects it.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from blastbeat.config import rows
from blastbeat.config.build import Built
from blastbeat.config.model import Address
from blastbeat.errors import Problem


def check_stats(built: Built) -> Iterator[Problem]:
    """What is wrong or doubtful about `stats-bind`."""
    for row, addresses in built.server.given.get("stats-bind", ()):
        for address in addresses:
            user = _user_of(built, address)
            if user:
                hint = "give it a port of its own, e.g. 127.0.0.1:9180"
                yield rows.problem_at(
                    built.server.section, row, f"is an address for clients, of {user}", hint
                )
            elif not _is_loopback(address.host):
                message = (
                    "is open to the network and asks for no password: who reaches it sees names and addresses"
                )
                hint = "use a loopback address, or a network that only those reach who may see them"
                yield rows.problem_at(built.server.section, row, message, hint, "warning")


def _user_of(built: Built, address: Address) -> str:
    """Who has this address for clients, empty where nobody has. Port 0 is never the same twice."""
    if not address.port:
        return ""
    server = built.config.server
    owners = [("[blastbeat]", (*server.bind, *server.bind_ssl))]
    owners += [(each.name, (*each.bind, *each.bind_ssl)) for each in built.config.virtualhosts]
    return next((name for name, addresses in owners if address in addresses), "")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
