"""How many file descriptors a server needs, and the limit that allows them (RLIMIT_NOFILE).

Knows the configuration; opens nothing.
"""

from __future__ import annotations

import resource
from typing import Protocol

from blastbeat.config.model import Config

PER_ROUTER = 12
"""Of a ROUTER without a node: its endpoints, and what libzmq's threads wake each other by (9 with one
endpoint, libzmq 4.3)."""

MARGIN = 128
"""Listeners, logs, plugins, the control socket, files of a reload."""


class Limits(Protocol):
    """The part of `resource` that says and changes limits."""

    RLIMIT_NOFILE: int
    RLIM_INFINITY: int

    def getrlimit(self, resource: int, /) -> tuple[int, int]: ...
    def setrlimit(self, resource: int, limits: tuple[int, int], /) -> None: ...


def needed_descriptors(config: Config, clients: int) -> int:
    """One per client and per instance of a node, with what the server itself holds."""
    server = config.server
    nodes = {(host.zmq or server.zmq, node.name) for host in config.virtualhosts for node in host.nodes}
    routers = {host.zmq or server.zmq for host in config.virtualhosts}
    # Two per node: while one of its processes takes over from another, both are connected.
    return clients + 2 * len(nodes) + PER_ROUTER * len(routers) + MARGIN


def allow_descriptors(config: Config, limits: Limits = resource) -> str:
    """Raise the soft limit to what `connections` can need, the hard one too where that is allowed (root).

    Returns what to tell the operator when it stays below what was asked for, else nothing. Asked for are the
    `connections` that the configuration says; where it says none, those that `sessions` needs.
    """
    server = config.server
    asked = server.connections if "connections" in server.origins else 0
    needed = needed_descriptors(config, asked or min(server.sessions, server.connections or server.sessions))
    if server.connections:
        wanted = needed_descriptors(config, server.connections)
    else:  # no limit: as many as there may be
        wanted = max(needed, limits.getrlimit(limits.RLIMIT_NOFILE)[1])
    allowed = _raise_to(wanted, limits)
    if allowed >= needed:
        return ""
    return (
        f"only {allowed} files may be open at once, but clients and nodes can need {needed}: write "
        f"LimitNOFILE={needed} into the systemd unit (in a shell: ulimit -n {needed}), or lower connections "
        "and sessions"
    )


def _raise_to(wanted: int, limits: Limits) -> int:
    """The soft limit that is in force then."""
    soft, hard = limits.getrlimit(limits.RLIMIT_NOFILE)
    if soft == limits.RLIM_INFINITY:
        return max(wanted, soft)
    if soft >= wanted:
        return soft
    is_within = hard == limits.RLIM_INFINITY or hard >= wanted
    for attempt in ((wanted, hard if is_within else wanted), (hard, hard)):
        try:
            limits.setrlimit(limits.RLIMIT_NOFILE, attempt)
        except (ValueError, OSError):
            continue
        return attempt[0]
    return soft
