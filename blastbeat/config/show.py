"""The configuration in force, key by key: each value and where it comes from, as TOML that can be read again.

Works on what was built of a document. Every key of the reference is told, in its order; one that has no value
is a comment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blastbeat.config import rows
from blastbeat.config.build import Built
from blastbeat.config.build_routes import BuiltRoute
from blastbeat.config.declared import Declared, TableKind
from blastbeat.config.model import NodeRef, PluginRef, RouteConfig, ServerConfig, VirtualHostConfig
from blastbeat.config.option import Option
from blastbeat.config.options import PLUGINS_KEYS, ROUTE_KEYS, SERVER_KEYS, VIRTUALHOST_KEYS
from blastbeat.config.route_options import OWN_OPTIONS_OF_ROUTES, ROUTING_OPTIONS
from blastbeat.config.rows import COMMAND_LINE, Document, Row, Section
from blastbeat.config.settings import Settings, as_written, inherit_plugin_keys
from blastbeat.config.toml_text import key_text, quote, value_text
from blastbeat.config.validation import is_secret
from blastbeat.config.values import BadValue, Count, Flag, Quantity
from blastbeat.interfaces import Validator

DEFAULT = "default"
_MAX_SOURCES = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """A key. `value` is one that TOML can hold, None where there is none, or none to be shown; `unset` then
    says what holds.
    `source` is ``FILE:LINE``, ``default``, ``command line``, with the environment's names behind it."""

    key: str
    value: Any
    source: str
    unset: str = ""


@dataclass(frozen=True, slots=True)
class ShownSection:
    """`header` is the table's, without brackets; `name` of a virtualhost or plugin, `route` of a route."""

    kind: str
    header: str
    name: str
    route: str
    keys: tuple[Shown, ...]


def show_config(built: Built, document: Document) -> list[ShownSection]:
    """Every section: the server's, `[plugins]`, plugins' tables and those of the kinds they declared,
    virtualhosts, each with its routes."""
    teller = _Teller(os.path.dirname(built.config.file))
    server, defaults = built.config.server, built.config.defaults
    # A key of the server's section is its own, or the default of all virtualhosts.
    keys = (
        teller.shown(option, getattr(_owner(option, server, defaults), option.field), (built.server,))
        for option in SERVER_KEYS.values()
    )
    keys_of_plugins = teller.plugin_keys(built.declared, (built.server,))
    shown = [ShownSection(rows.SERVER, "blastbeat", "", "", (*keys, *keys_of_plugins))]
    plugins = tuple(
        teller.shown(option, getattr(server, option.field), (built.plugins,))
        for option in PLUGINS_KEYS.values()
    )
    shown.append(ShownSection(rows.PLUGINS, "plugins", "", "", plugins))
    for section in document.sections:
        if section.kind == rows.PLUGIN:
            table = built.config.plugin_options[section.name]
            shown.append(teller.table(section, f"plugin.{key_text(section.name)}", table))
        elif section.kind == rows.TABLE and section.word in built.declared.tables:
            header = f"{section.word}.{key_text(section.name)}"
            shown.append(teller.declared_table(section, header, built.declared.tables[section.word]))
    routes: dict[int, list[BuiltRoute]] = {}
    for route in built.routes:
        routes.setdefault(id(route.host), []).append(route)
    for settings, host in built.virtualhosts:
        levels = (settings, built.server)
        own = tuple(
            teller.shown(option, getattr(host, option.field), levels if _is_inherited(option) else levels[:1])
            for option in VIRTUALHOST_KEYS.values()
        )
        header = f"vhost.{quote(host.name)}"
        own += teller.plugin_keys(built.declared, levels)
        shown.append(ShownSection(rows.VIRTUALHOST, header, host.name, "", own))
        shown += [
            teller.route(route, header, (route.settings, *levels)) for route in routes.get(id(settings), ())
        ]
    return shown


def _owner(
    option: Option, server: ServerConfig, defaults: VirtualHostConfig
) -> ServerConfig | VirtualHostConfig:
    return defaults if _is_inherited(option) else server


def _is_inherited(option: Option) -> bool:
    return option.scope == "inherited"


class _Teller:
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def shown(self, option: Option, value: Any, levels: Sequence[Settings]) -> Shown:
        for level, written in as_written(option.name, levels):
            source = self._source([row for row, _ in level.given[written]])
            if written != option.name:
                source += f" ({written})"
            return Shown(option.name, written_value(option, value), source)
        if value is None or value == "" or option.unset or (value == () and not option.may_be_empty):
            return Shown(option.name, None, DEFAULT, option.default_text() or "none")
        if not option.active:  # whoever reads it again shall not be told so of each
            return Shown(option.name, None, DEFAULT, f"{option.default_text() or 'none'}, not active yet")
        return Shown(option.name, written_value(option, value), DEFAULT)

    def route(self, route: BuiltRoute, header: str, levels: Sequence[Settings]) -> ShownSection:
        config = route.config
        keys = tuple(self._route_keys(config, levels))
        header = f"{header}.route.{quote(config.name)}"
        return ShownSection(rows.ROUTE, header, config.policy.name, config.name, keys)

    def _route_keys(self, config: RouteConfig, levels: Sequence[Settings]) -> Iterator[Shown]:
        own, host, _ = levels
        for option in ROUTE_KEYS.values():
            if option in ROUTING_OPTIONS:
                shown = self.shown(option, getattr(config, option.field), (own,))
                if option.name == "path" and shown.source == DEFAULT:
                    source = "its name" if config.name.startswith("/") else DEFAULT
                    shown = Shown("path", written_value(option, config.path), source)
                yield shown
            elif option.name == "node":  # the one key that comes from the virtualhost's own
                yield self.shown(option, config.policy.nodes, (own, host))
            elif option in OWN_OPTIONS_OF_ROUTES:
                yield self.shown(option, getattr(config.policy, option.field), (own,))
            else:
                yield self.shown(option, getattr(config.policy, option.field), levels)

    def table(self, section: Section, header: str, table: Mapping[str, Any]) -> ShownSection:
        found = rows.by_key(section.rows).items()
        keys = tuple(Shown(key, table[key], self._source(of_key)) for key, of_key in found)
        return ShownSection(section.kind, header, section.name, "", keys)

    def declared_table(self, section: Section, header: str, kind: TableKind) -> ShownSection:
        found = rows.by_key(section.rows)
        keys = tuple(
            self._declared(key, found.get(key, ()), validator, kind.plugin)
            for key, validator in kind.keys.items()
        )
        return ShownSection(section.kind, header, section.name, "", keys)

    def plugin_keys(self, declared: Declared, levels: Sequence[Settings]) -> tuple[Shown, ...]:
        """Those of virtualhosts that plugins declared."""
        if not declared.by_key:
            return ()
        found = inherit_plugin_keys(levels)
        return tuple(
            self._declared(key, found[key].rows if key in found else (), group.keys[key], group.plugin)
            for key, group in declared.by_key.items()
        )

    def _declared(self, key: str, found: Sequence[Row], validator: Validator, plugin: str) -> Shown:
        if not found:
            return Shown(key, None, DEFAULT, f"none (plugin {plugin})")
        if is_secret(validator):
            return Shown(key, None, self._source(found), "a secret and not shown")
        return Shown(key, rows.plain_value(found), self._source(found))

    def _source(self, found: Sequence[Row]) -> str:
        places = [self._place(row) for row in found]
        environment = [f"${{{name}}}" for row in found for name in row.environment]
        told = list(dict.fromkeys((*places, *environment)))
        more = f" and {len(told) - _MAX_SOURCES} more" if len(told) > _MAX_SOURCES else ""
        return ", ".join(told[:_MAX_SOURCES]) + more

    def _place(self, row: Row) -> str:
        if row.file == COMMAND_LINE:
            return COMMAND_LINE
        return f"{os.path.relpath(row.file, self._folder or os.curdir)}:{row.line}"


def written_value(option: Option, value: Any) -> Any:
    """The model's value of an option as a file would have it; reading that gives the same value again."""
    if option.repeated:
        written = [_written(option, each) for each in value]
        return written[0] if len(written) == 1 else written
    return _written(option, value)


def _written(option: Option, value: Any) -> Any:
    kind = option.kind
    if value == "" or isinstance(kind, (Count, Flag)):
        return value
    if isinstance(value, (PluginRef, NodeRef)) and value.options:
        return {"name": value.name, **value.options}
    text = kind.format(value)
    try:
        if kind.parse(text) == value:
            return text
    except BadValue:
        pass
    if isinstance(kind, Quantity):
        return value / kind.plain  # more digits than its text may have
    return {"name": value.name} if isinstance(value, (PluginRef, NodeRef)) else text


# ---------------------------------------------------------------- for readers and programs


def as_toml(sections: Sequence[ShownSection]) -> str:
    """A file that means the same as the configuration, each value with its source behind it."""
    return "\n".join("\n".join(_lines(section)) + "\n" for section in sections)


def _lines(section: ShownSection) -> Iterator[str]:
    yield f"[{section.header}]"
    for shown in section.keys:
        source = rows.printable(shown.source)
        if shown.value is None and shown.source != DEFAULT:
            yield f"# {shown.key} is {shown.unset}  # {source}"
        elif shown.value is None:
            yield f"# {shown.key} is not set: {shown.unset.replace('`', '')}"
        else:
            yield f"{key_text(shown.key)} = {value_text(shown.value)}  # {source}"


def as_data(sections: Sequence[ShownSection]) -> list[dict[str, Any]]:
    """The same for programs; `value` is null for a key that is not set."""
    return [
        {
            "section": section.header,
            "kind": section.kind,
            "name": section.name,
            "route": section.route,
            "keys": {
                shown.key: {"value": shown.value, "source": shown.source, "unset": shown.unset}
                for shown in section.keys
            },
        }
        for section in sections
    ]
