"""Whether nodes have an endpoint to connect to, each ROUTER its own, and who else could connect there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blastbeat.config import rows
from blastbeat.config.build import Built
from blastbeat.config.model import VirtualHostConfig
from blastbeat.config.names import is_private_endpoint
from blastbeat.config.rows import Row
from blastbeat.config.settings import Settings
from blastbeat.errors import Problem

_WEAKEST = "identity"


def check_endpoints(built: Built) -> Iterator[Problem]:
    """Missing, shared and open endpoints."""
    yield from _check_missing(built)
    bound: dict[str, tuple[Row, tuple[str, ...]]] = {}
    for settings, users in _routers(built):
        if "zmq" not in settings.given:
            continue
        endpoints = settings.value("zmq")
        for row, endpoint in _rows_of(settings):
            first, others = bound.setdefault(endpoint, (row, endpoints))
            # The same list is the same ROUTER; and where the system chooses there is no clash.
            if endpoints != others and not endpoint.endswith("*"):
                message = f"is another ROUTER's already ({first.file}:{first.line}), one with other endpoints"
                hint = "give it endpoints of its own, or the very same list"
                yield rows.problem_at(settings.section, row, message, hint)
            yield from _check_open(settings, row, endpoint, users)


def _rows_of(settings: Settings) -> Iterator[tuple[Row, str]]:
    for row, endpoints in settings.given["zmq"]:
        for endpoint in endpoints:
            yield row, endpoint


def _routers(built: Built) -> Iterator[tuple[Settings, list[VirtualHostConfig]]]:
    """Where each ROUTER is configured, and the virtualhosts whose nodes connect to it."""
    shared: list[VirtualHostConfig] = []
    own: list[tuple[Settings, list[VirtualHostConfig]]] = []
    for settings, virtualhost in built.virtualhosts:
        if settings.has("zmq"):
            own.append((settings, list(virtualhost.parts)))
        else:
            shared += virtualhost.parts
    yield built.server, shared
    yield from own


def _check_missing(built: Built) -> Iterator[Problem]:
    if built.server.has("zmq"):
        return
    lost = [
        virtualhost.name
        for settings, virtualhost in built.virtualhosts
        if (settings.has("node") or any(part.nodes for part in virtualhost.parts)) and not settings.has("zmq")
    ]
    hint = "write for example zmq = tcp://127.0.0.1:5000"
    if lost:
        listed = ", ".join(lost[:5]) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
        message = f"there is no zmq endpoint for the nodes of {listed}"
        yield rows.problem_of(built.server.section, message, hint)
    elif not built.virtualhosts:
        yield rows.problem_of(built.server.section, "there is no zmq endpoint for nodes", hint)


def _check_open(
    settings: Settings, row: Row, endpoint: str, users: Sequence[VirtualHostConfig]
) -> Iterator[Problem]:
    if is_private_endpoint(endpoint):
        return
    if not any(user.nodes and _trusts_names(user) for user in users):
        return
    message = (
        "is open to the network and nodes show nothing but a name: whoever reaches it can read the traffic "
        "and connect under a node's name (a further instance could join a healthy node, so instances is 0 "
        "here unless set)"
    )
    hint = "use a loopback address, ipc or a trusted network, or a stronger node-authenticator"
    yield rows.problem_at(settings.section, row, message, hint, "warning")


def _trusts_names(virtualhost: VirtualHostConfig) -> bool:
    return {reference.name for reference in virtualhost.node_authenticators} <= {_WEAKEST}
