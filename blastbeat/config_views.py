"""A configuration as plugins see it.

Pure: from the model to views.
"""

from __future__ import annotations

from blastbeat.config.declared import Declared
from blastbeat.config.model import Config, Origin, PluginTable, ServerConfig, VirtualHostConfig
from blastbeat.config.node_facts import endpoints_of, instances_of
from blastbeat.config_view import ConfigView, TableView, VirtualHostView


def view_of(config: Config, declared: Declared) -> ConfigView:
    """All of it, with every kind of tables that plugins declare."""
    tables: dict[str, dict[str, TableView]] = {kind: {} for kind in declared.tables}
    for table in config.tables:
        tables.setdefault(table.kind, {})[table.name] = _table(table)
    hosts = [_virtualhost(each, config.server) for each in config.virtualhosts]
    return ConfigView(config.file, hosts, tables)


def _table(table: PluginTable) -> TableView:
    place = Origin(table.file, table.line, table.section)
    return TableView(table.kind, table.name, table.values, place, table.origins)


def _virtualhost(config: VirtualHostConfig, server: ServerConfig) -> VirtualHostView:
    endpoints = endpoints_of(config, server)
    return VirtualHostView(
        config.name,
        config.plugin_values,
        tuple(dict.fromkeys(node.name for part in config.parts for node in part.nodes)),
        endpoints,
        instances_of(config, endpoints),
        config.alias,
        tuple(route.name for route in config.routes),
        tuple(each.name for each in config.filters),
        tuple(each.name for each in config.node_authenticators),
        tuple(each.name for each in config.request_authenticators),
        Origin(config.file, config.line, config.section),
        config.origins,
    )
