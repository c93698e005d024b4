"""What is written for plugins: tables and keys of virtualhosts that they declared, checked by their
validators; and what is said of sections and keys that nobody knows.

Sees one section at a time; what values mean together is for the plugin to say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from blastbeat.config import rows
from blastbeat.config.declared import Declared, TableKind
from blastbeat.config.files import is_toml
from blastbeat.config.model import Origin, PluginTable
from blastbeat.config.option import PLUGINS, ROUTE, SERVER, VIRTUALHOST
from blastbeat.config.options import PLUGINS_KEYS, ROUTE_KEYS, SERVER_KEYS, VIRTUALHOST_KEYS
from blastbeat.config.route_options import NOT_OF_ROUTES
from blastbeat.config.rows import Row, Section
from blastbeat.config.settings import PluginKey, Settings
from blastbeat.config.validation import validate
from blastbeat.config.values import did_you_mean
from blastbeat.errors import Problem
from blastbeat.interfaces import Validator

MAX_INACTIVE = 5
"""Plugins that a hint names."""

OUR_SECTIONS = ("blastbeat", "vhost", "plugins", "plugin", "node", "include")
"""First words of sections and tables in either notation that are not for plugins."""


class DeclaredReader:
    """Reads what plugins declared; `problems` gets what is wrong. What is not declared is a problem, too,
    unless nobody knows what is."""

    def __init__(self, declared: Declared, problems: list[Problem]) -> None:
        self._declared = declared
        self._problems = problems
        self._unknown: set[tuple[str, str]] = set()  # words told once per file

    # ------------------------------------------------------------ keys

    def take_keys(self, settings: Settings) -> None:
        """Moves the keys that plugins declared from `settings.unknown` to `settings.plugin_keys`. Any other
        is a problem."""
        for key, found in rows.by_key(settings.unknown).items():
            group = self._declared.by_key.get(key)
            if group is None or settings.section.kind not in (rows.SERVER, rows.VIRTUALHOST):
                if key in self._declared.withheld:
                    settings.bad.add(key)
                elif self._declared.is_known:
                    self._problems += (self._unknown_key(settings.section, row) for row in found)
                continue
            written = rows.plain_value(found)
            value = self._validated(settings.section, found, group.keys[key], written)
            if value is None:
                settings.bad.add(key)
            else:
                settings.plugin_keys[key] = PluginKey(found, written, value[0])

    def _validated(
        self, section: Section, found: Sequence[Row], validator: Validator, written: Any
    ) -> tuple[Any] | None:
        row = found[0]
        checked = validate(row.key, written, validator, os.path.dirname(row.file))
        if not isinstance(checked, Problem):
            return checked
        problem = rows.problem_at(section, row, checked.message, checked.hint)
        self._problems.append(replace(problem, value=rows.show(checked.value)))
        return None

    def _unknown_key(self, section: Section, row: Row) -> Problem:
        options = _KEYS_OF[section.kind]
        own = self._declared.by_key if section.kind in (rows.SERVER, rows.VIRTUALHOST) else {}
        hint = _place_of(row.key, section.kind) or did_you_mean(row.key, [*options, *own])
        message = "unknown key"
        group = self._declared.by_key.get(row.key)
        if section.kind == rows.ROUTE and (row.key in NOT_OF_ROUTES or group):
            why = NOT_OF_ROUTES.get(row.key, "its plugin looks at the virtualhost as a whole")
            message = f"is no key of a route: {why}"
            hint = f"write it in the section of {section.host}" if group else hint
        elif group:
            hint = "it belongs in the section of a virtualhost"
        elif section.kind == rows.VIRTUALHOST and row.key == "route":
            message = "is no key: a route has a section of its own"
            hint = f'[vhost."{section.name}".route."/PATH"] or, in ini, [blastbeat:{section.name}/PATH]'
        elif section.kind == rows.VIRTUALHOST and isinstance(row.value, dict):
            hint = hint or f'a name with dots is quoted: [vhost."{section.name}.{row.key}"]'
        if not hint and (
            section.kind == rows.VIRTUALHOST or (section.kind == rows.SERVER and self._declared.inactive)
        ):
            hint = self._whose("a plugin's key")
        return rows.problem_at(section, row, message, hint)

    def _whose(self, what: str) -> str:
        """Which plugin may have it, as far as one can tell."""
        inactive = [f"{name} ({why})" for name, why in self._declared.inactive.items()]
        if not inactive:
            return "is the plugin installed that it is for?"
        more = f" and {len(inactive) - MAX_INACTIVE} more" if len(inactive) > MAX_INACTIVE else ""
        return f"if it is {what}: not active {_are(inactive)} {', '.join(inactive[:MAX_INACTIVE])}{more}"

    # ------------------------------------------------------------ tables

    def tables(self, sections: Sequence[Section]) -> tuple[PluginTable, ...]:
        """All that can be used."""
        return tuple(found for section in sections for found in self._table(section))

    def _table(self, section: Section) -> Iterator[PluginTable]:
        kind = self._declared.tables.get(section.word)
        if kind is None:
            if section.word not in self._declared.withheld:
                self._unknown_section(section)
        elif section.name:
            yield self._declared_table(section, kind)
        else:
            self._outside(section)

    def _declared_table(self, section: Section, kind: TableKind) -> PluginTable:
        written: dict[str, Any] = {}
        values: dict[str, Any] = {}
        origins: dict[str, Origin] = {}
        for key, found in rows.by_key(section.rows).items():
            validator = kind.keys.get(key)
            if validator is None:
                hint = did_you_mean(key, kind.keys) or f"keys are {', '.join(kind.keys)}"
                self._problems.append(rows.problem_at(section, found[0], "unknown key", hint))
                continue
            value = self._validated(section, found, validator, rows.plain_value(found))
            if value is not None:
                written[key] = rows.plain_value(found)
                values[key] = value[0]
                origins[key] = Origin(found[0].file, found[0].line, section.label)
        return PluginTable(
            kind.kind, section.name, written, values, section.file, section.line, section.label, origins
        )

    def _outside(self, section: Section) -> None:
        separator = "." if is_toml(Path(section.file)) else ":"
        pattern = f"[{section.word}{separator}NAME]"
        for row in section.rows:
            message = "stands outside of a table"
            self._problems.append(rows.problem_at(section, row, message, f"write {pattern} above it"))
        if not section.rows:
            self._problems.append(rows.problem_of(section, "has no name", f"write {pattern}"))

    def _unknown_section(self, section: Section) -> None:
        mark = (section.file, section.word)
        if mark in self._unknown or not self._declared.is_known:
            return  # one of many is enough to know that the plugin is missing
        self._unknown.add(mark)
        ini = not is_toml(Path(section.file))
        label = section.label if ini else rows.printable(section.word)
        ours = ("blastbeat", "plugins") if ini else ("blastbeat", "plugins", "vhost", "plugin", "include")
        whose = self._whose("a plugin's table")
        hint = did_you_mean(label, ours) or did_you_mean(section.word, self._declared.tables)
        if ini and section.label.startswith(("vhost.", "plugin.")):
            hint = "that is TOML, and this file is read as ini: give it a name that ends in .toml"
        elif section.name and section.word not in OUR_SECTIONS:
            # What is spelt like one of ours may yet be meant: `plan` is near to `plugin`.
            hint = f"{hint} or, {whose}" if hint else whose if self._declared.inactive else ""
        hint = hint or f"{self._known_sections(ini)}; {whose}"
        place = {"section": label} if ini else {"key": label}
        self._problems.append(
            Problem("unknown section", file=section.file, line=section.line, hint=hint, **place)
        )

    def _known_sections(self, ini: bool) -> str:
        ours = (
            "[blastbeat], [blastbeat:HOST[:PORT]], [blastbeat:HOST[:PORT]/PATH], [plugins] and [plugin:NAME]"
            if ini
            else '[blastbeat], [vhost."HOST"], [plugins] and [plugin.NAME]'
        )
        separator = ":" if ini else "."
        theirs = [f"[{kind}{separator}NAME]" for kind in self._declared.tables]
        further = f"; of plugins {', '.join(theirs)}" if theirs else ""
        return f"sections are {ours}{further}"


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


_KEYS_OF: Mapping[str, Mapping[str, object]] = {
    rows.SERVER: SERVER_KEYS,
    rows.VIRTUALHOST: VIRTUALHOST_KEYS,
    rows.ROUTE: ROUTE_KEYS,
    rows.PLUGINS: PLUGINS_KEYS,
}


def _place_of(key: str, kind: str) -> str:
    """Where a key that stands in the wrong section belongs."""
    places = {
        SERVER: (SERVER_KEYS, "it belongs in [blastbeat]"),
        VIRTUALHOST: (VIRTUALHOST_KEYS, "it belongs in the section of a virtualhost"),
        ROUTE: (ROUTE_KEYS, "it belongs in the section of a route"),
        PLUGINS: (PLUGINS_KEYS, "it belongs in [plugins]"),
    }
    for other, (keys, words) in places.items():
        if other != kind and key in keys:
            return words
    return ""
