"""Where a virtualhost's nodes connect, and how many there may be, by the configuration alone.

Pure: knows no ROUTER and no node.
"""

from __future__ import annotations

from typing import TypeAlias

from blastbeat.config.model import ServerConfig, VirtualHostConfig
from blastbeat.config.names import is_private_endpoint

INSTANCES_WHERE_CLOSED = 64
"""Default of `instances` where not everybody can reach the endpoint (`protocol.md` §1)."""

Endpoints: TypeAlias = tuple[str, ...]
"""A `zmq` list: what tells one ROUTER from another."""


def endpoints_of(virtualhost: VirtualHostConfig, server: ServerConfig) -> Endpoints:
    """Where the nodes of a virtualhost connect to."""
    return virtualhost.zmq or server.zmq


def instances_of(config: VirtualHostConfig, endpoints: Endpoints) -> int:
    """How many further instances each of its names may have. A name alone must not let anybody join a healthy
    node from the network (`protocol.md` §1)."""
    if config.instances is not None:
        return config.instances
    return INSTANCES_WHERE_CLOSED if all(map(is_private_endpoint, endpoints)) else 0
