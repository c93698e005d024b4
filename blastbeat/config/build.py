"""From rows to the model: looks each key up in the table of options, parses it, fills in defaults.

Sees one value at a time; what values mean together is for check.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from blastbeat.config import rows
from blastbeat.config.build_declared import DeclaredReader
from blastbeat.config.build_routes import BuiltRoute, build_routes
from blastbeat.config.declared import NOTHING, UNKNOWN, Declared
from blastbeat.config.model import Config, Origin, PluginRef, ServerConfig, VirtualHostConfig
from blastbeat.config.names import HostKind
from blastbeat.config.option import INHERITED, Option
from blastbeat.config.options import PLUGINS_KEYS, ROUTE_KEYS, SERVER_KEYS, VIRTUALHOST_KEYS
from blastbeat.config.rows import COMMAND_LINE, Document, Row, Section
from blastbeat.config.settings import Settings, inherit, inherit_plugin_keys
from blastbeat.config.values import BadValue
from blastbeat.config.virtualhost_options import INHERITED_OPTIONS, OWN_OPTIONS
from blastbeat.errors import Problem

Overrides = Mapping[str, str | Sequence[str]]

Declare: TypeAlias = Callable[[Config], Declared]
"""Loads the plugins that a configuration wants, and says what they declare. Of the configuration it sees what
is for that: the server's keys, and the plugins' own tables."""


@dataclass(slots=True)
class Built:
    """A Config with the settings it was made of, which know where each value came from."""

    config: Config
    server: Settings
    plugins: Settings
    virtualhosts: list[tuple[Settings, VirtualHostConfig]]
    routes: list[BuiltRoute]
    problems: list[Problem]
    declared: Declared = NOTHING

    @property
    def all_settings(self) -> Iterator[Settings]:
        """Of every section that options are looked up in, `[plugins]` excepted."""
        yield self.server
        yield from (settings for settings, _ in self.virtualhosts)
        yield from (route.settings for route in self.routes)


def build(document: Document, file: str, overrides: Overrides, declare: Declare | None = None) -> Built:
    """The configuration that a document says. The default stands in for a value that cannot be used. Without
    `declare`, plugins declare nothing. Raises what `declare` raises."""
    builder = _Builder(document)
    server_section = builder.only(rows.SERVER, "blastbeat", file)
    _override(server_section, overrides)
    server = builder.settings(server_section, SERVER_KEYS)
    plugins = builder.settings(builder.only(rows.PLUGINS, "plugins", file), PLUGINS_KEYS)
    for_server = Config(
        server=_server_config(server, plugins),
        plugin_options={
            section.name: _plugin_table(section)
            for section in document.sections
            if section.kind == rows.PLUGIN
        },
        file=file,
    )
    # Who may be loaded is not known where `[plugins]` can't be read.
    can_ask = not document.is_incomplete and not plugins.bad
    declared = NOTHING if declare is None else declare(for_server) if can_ask else UNKNOWN
    further = DeclaredReader(declared, builder.problems)
    for settings in (server, plugins):
        further.take_keys(settings)
    virtualhosts = []
    routes = []
    for section in document.sections:
        if section.kind == rows.VIRTUALHOST:
            settings = builder.settings(section, VIRTUALHOST_KEYS)
            further.take_keys(settings)
            virtualhosts.append((settings, builder.virtualhost(settings, server)))
        elif section.kind == rows.ROUTE:
            settings = builder.settings(section, ROUTE_KEYS)
            further.take_keys(settings)
            routes.append(settings)
    virtualhosts, built_routes, problems = build_routes(virtualhosts, routes)
    builder.problems += problems
    config = replace(
        for_server,
        virtualhosts=tuple(virtualhost for _, virtualhost in virtualhosts),
        defaults=_defaults(server),
        tables=further.tables([section for section in document.sections if section.kind == rows.TABLE]),
    )
    return Built(config, server, plugins, virtualhosts, built_routes, builder.problems, declared)


def _server_config(server: Settings, plugins: Settings) -> ServerConfig:
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for settings in (server, plugins):
        for name in settings.given:
            option = settings.options[name]
            # Defaults for virtualhosts are in each virtualhost; here only their origin is kept.
            origins[option.field.replace("_", "-")] = settings.origin(name)
            if option.scope != INHERITED:
                values[option.field] = settings.value(name)
    return ServerConfig(origins=origins, **values)


def _defaults(server: Settings) -> VirtualHostConfig:
    values, origins = inherit(INHERITED_OPTIONS, (server,))
    return VirtualHostConfig("", origins=origins, **values)


def _override(section: Section, overrides: Overrides) -> None:
    section.rows = [row for row in section.rows if row.key not in overrides]
    for key, value in overrides.items():
        values = [value] if isinstance(value, str) else value
        section.rows += [Row(key, item, COMMAND_LINE, 0) for item in values]


def _plugin_table(section: Section) -> Mapping[str, Any]:
    """A plugin's table as written; a key repeated in ini is a list, as in TOML."""
    table: dict[str, list[Any]] = {}
    for row in section.rows:
        table.setdefault(row.key, []).append(row.value)
    return {key: values[0] if len(values) == 1 else values for key, values in table.items()}


class _Builder:
    def __init__(self, document: Document) -> None:
        self.sections = document.sections
        self.problems: list[Problem] = list(document.problems)

    def only(self, kind: str, label: str, file: str) -> Section:
        """The one section of its kind, or an empty one."""
        return next(
            (found for found in self.sections if found.kind == kind), Section(kind, "", label, file, 0)
        )

    def settings(self, section: Section, options: Mapping[str, Option]) -> Settings:
        settings = Settings(section, options)
        for row in section.rows:
            option = options.get(row.key)
            if option is None:
                settings.unknown.append(row)
                continue
            first = settings.given.get(row.key)
            if first and not option.repeated:
                place = f"line {first[0][0].line}" if first[0][0].line != row.line else "the same place"
                message = f"is given more than once, first at {place}; it takes one value"
                self.problems.append(rows.problem_at(section, row, message))
                continue
            self._parse(settings, row, option)
        for name in settings.given:
            if options[name].repeated:
                self._drop_repetitions(settings, name)
        return settings

    def _parse(self, settings: Settings, row: Row, option: Option) -> None:
        try:
            if not option.repeated:
                values: Sequence[Any] = [option.parse(row.value)]
            elif row.value != "":
                values = option.parse_all(row.value)
            elif option.may_be_empty:
                values = []
            else:
                raise BadValue("is empty; it takes at least one value")
        except BadValue as problem:
            settings.bad.add(row.key)
            self.problems.append(rows.problem_at(settings.section, row, str(problem), problem.hint))
            return
        folder = os.path.dirname(row.file)
        values = [option.kind.locate(value, folder) for value in values]
        settings.given.setdefault(row.key, []).append((row, tuple(values)))

    def _drop_repetitions(self, settings: Settings, name: str) -> None:
        """A value listed twice counts once."""
        seen: set[object] = set()
        kept = []
        for row, values in settings.given[name]:
            fresh = []
            for value in values:
                # Two references to one plugin object may differ in their options.
                mark = repr(value) if isinstance(value, PluginRef) else getattr(value, "name", value)
                if mark in seen:
                    message = f"lists {getattr(value, 'name', value)} twice; once counts"
                    problem = rows.problem_at(settings.section, row, message, severity="warning")
                    self.problems.append(problem)
                else:
                    seen.add(mark)
                    fresh.append(value)
            kept.append((row, tuple(fresh)))
        settings.given[name] = kept

    def virtualhost(self, settings: Settings, server: Settings) -> VirtualHostConfig:
        section = settings.section
        try:
            HostKind().parse(section.name)
        except BadValue as problem:
            self.problems.append(rows.problem_of(section, f"the name {problem}", problem.hint))
            settings.bad_name = True
        own, own_origins = inherit(OWN_OPTIONS, (settings,))
        values, origins = inherit(INHERITED_OPTIONS, (settings, server))
        if settings.plugin_keys or server.plugin_keys:
            _add_plugin_keys((settings, server), values, origins)
        return VirtualHostConfig(
            name=section.name,
            file=section.file,
            line=section.line,
            section=section.label,
            origins=own_origins | origins,
            **own | values,
        )


def _add_plugin_keys(levels: Sequence[Settings], values: dict[str, Any], origins: dict[str, Origin]) -> None:
    found = inherit_plugin_keys(levels)
    values["plugin_keys"] = {key: each.written for key, each in found.items()}
    values["plugin_values"] = {key: each.value for key, each in found.items()}
    for key in found:
        origins[key] = next(level.origin(key) for level in levels if key in level.plugin_keys)
