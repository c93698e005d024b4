"""What stands behind a node's name (`app1 weight=3`) is for the selector of its virtualhost: hands it over,
and says what the selector refuses.

Knows no selector in particular.
"""

from __future__ import annotations

from blastbeat.config.model import Origin, VirtualHostConfig
from blastbeat.errors import Problem
from blastbeat.interfaces import ExpectsNodes, Selector


def hand_over(selector: Selector, config: VirtualHostConfig) -> list[Problem]:
    """Tells a new selector the nodes it will choose from. Errors are what it refuses; options that it does
    not look at are a warning. Raises what is no ValueError."""
    nodes = {node.name: node.options for node in config.nodes}
    if isinstance(selector, ExpectsNodes):
        try:
            selector.expect_nodes(nodes)
        except ValueError as error:
            return [_problem(config, str(error))]
    else:
        for name, options in nodes.items():
            if options:
                given = ", ".join(options)
                message = f"node {name}: {given}: the selector {config.selector.name} does not look at that"
                return [_problem(config, message, "warning")]
    return []


def _problem(config: VirtualHostConfig, message: str, severity: str = "error") -> Problem:
    origin = config.origins.get("node", Origin(config.file, config.line, config.section or config.name))
    return Problem(message, severity, origin.file, origin.line, origin.section, "node")
