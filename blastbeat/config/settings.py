"""A section after parsing: which values it gives its options, and where each was written.

Says nothing of what a value means for the whole; build.py joins sections to a Config.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blastbeat.config.model import Origin
from blastbeat.config.option import Option
from blastbeat.config.rows import COMMAND_LINE, Row, Section


@dataclass(frozen=True, slots=True)
class PluginKey:
    """A key that a plugin declared: where it stands, what was written, what the plugin's validator made of
    it."""

    rows: Sequence[Row]
    written: Any
    value: Any


@dataclass(slots=True)
class Settings:
    """A section after parsing. `given` holds, by option name, each usable row with its values; `plugin_keys`
    the usable keys that plugins declared; `unknown` the rows of keys that are not ours."""

    section: Section
    options: Mapping[str, Option]
    given: dict[str, list[tuple[Row, tuple[Any, ...]]]] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)
    bad_name: bool = False
    plugin_keys: dict[str, PluginKey] = field(default_factory=dict)
    unknown: list[Row] = field(default_factory=list)

    def has(self, name: str) -> bool:
        """True when the option was written here, usable or not."""
        return name in self.given or name in self.bad

    def value(self, name: str) -> Any:
        """The parsed value of an option in `given`: a tuple for a repeated one."""
        values = [value for _, parsed in self.given[name] for value in parsed]
        return tuple(values) if self.options[name].repeated else values[0]

    def origin(self, name: str) -> Origin:
        """Where an option in `given`, or a plugin's key, was written first."""
        row = self.plugin_keys[name].rows[0] if name in self.plugin_keys else self.given[name][0][0]
        return Origin(row.file, row.line, "" if row.file == COMMAND_LINE else self.section.label)


def inherit(
    options: Iterator[Option] | Sequence[Option], levels: Sequence[Settings]
) -> tuple[dict[str, Any], dict[str, Origin]]:
    """What the nearest of `levels` that says something says of each option: values by attribute of the model,
    and where they were written, by option."""
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for option in options:
        for level, written in as_written(option.name, levels):
            values[option.field] = level.value(written)
            origins[option.name] = level.origin(written)
    return values, origins


def inherit_plugin_keys(levels: Sequence[Settings]) -> Mapping[str, PluginKey]:
    """What the nearest of `levels` that has it says of each key that plugins declared."""
    found: dict[str, PluginKey] = {}
    for level in reversed(levels):
        found.update(level.plugin_keys)
    return found


def as_written(name: str, levels: Sequence[Settings]) -> Iterator[tuple[Settings, str]]:
    """The nearest level that sets an option, and the name it does so by, if there is one.

    `timeout` stands in for the two timeouts that are not set at the same or a nearer level.
    """
    names = (name, "timeout") if name in ("response-timeout", "idle-timeout") else (name,)
    for level in levels:
        for written in names:
            if written in level.given:
                yield level, written
                return
