"""Which nodes each ROUTER expects, as a configuration says: names, grace, instances, options.

Pure: from the model to rules; knows no ROUTER.
"""

from __future__ import annotations

from collections.abc import Mapping

from blastbeat.config.model import Config
from blastbeat.config.node_facts import INSTANCES_WHERE_CLOSED, Endpoints, endpoints_of, instances_of
from blastbeat.roster import NodeRule

__all__ = ["INSTANCES_WHERE_CLOSED", "Endpoints", "endpoints_of", "node_rules"]


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
            instances = instances_of(policy, endpoints)
            for node in policy.nodes:
                rule = NodeRule(grace, instances, node.options)
                known = rules.get(node.name)
                rules[node.name] = rule if known is None else known.joined(rule)
    return found
