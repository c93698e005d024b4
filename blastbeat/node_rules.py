"""Which nodes each ROUTER expects, as a configuration says: names, grace, instances, options.

Pure: from the model to rules; knows no ROUTER.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from blastbeat.config.model import Config, ServerConfig, VirtualHostConfig
from blastbeat.config.names import is_private_endpoint
from blastbeat.roster import NodeRule

INSTANCES_WHERE_CLOSED = 64
"""Default of `instances` where not everybody can reach the endpoint (`protocol.md` §1)."""

Endpoints: TypeAlias = tuple[str, ...]
"""A `zmq` list: what tells one ROUTER from another."""


def endpoints_of(virtualhost: VirtualHostConfig, server: ServerConfig) -> Endpoints:
    """Where the nodes of a virtualhost connect to."""
    return virtualhost.zmq or server.zmq


def node_rules(config: Config) -> Mapping[Endpoints, Mapping[str, NodeRule]]:
    """By ROUTER and name. A name said twice has the more generous figures; a ROUTER may have no name."""
    found: dict[Endpoints, dict[str, NodeRule]] = {}
    for virtualhost in config.virtualhosts:
        for policy in virtualhost.parts:
            endpoints = endpoints_of(policy, config.server)
            rules = found.setdefault(endpoints, {})
            if not policy.nodes:
                continue
            grace = config.server.ping_freq if policy.node_grace is None else policy.node_grace
            instances = _instances(policy, endpoints)
            for node in policy.nodes:
                rule = NodeRule(grace, instances, node.options)
                known = rules.get(node.name)
                rules[node.name] = rule if known is None else known.joined(rule)
    return found


def _instances(config: VirtualHostConfig, endpoints: Endpoints) -> int:
    """A name alone must not let anybody join a healthy node from the network (`protocol.md` §1)."""
    if config.instances is not None:
        return config.instances
    return INSTANCES_WHERE_CLOSED if all(map(is_private_endpoint, endpoints)) else 0
