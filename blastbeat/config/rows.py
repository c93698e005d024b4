"""What both notations are turned into: sections of rows, each row with the place it came from.

Knows no option and checks no value. The builder (build.py) makes a Config of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from blastbeat.errors import Problem

SERVER = "server"
VIRTUALHOST = "virtualhost"
ROUTE = "route"
PLUGINS = "plugins"
PLUGIN = "plugin"
TABLE = "table"  # of a kind that is not ours: a plugin may have declared it

COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class Row:
    """One value of one key: a key given several times, or a list, is several; an empty list is one ``""``.
    `environment` names the variables that are part of it."""

    key: str
    value: object
    file: str
    line: int
    environment: tuple[str, ...] = ()
    is_listed: bool = False  # it stands in brackets, alone or among others


@dataclass(slots=True)
class Section:
    """A section as written. `kind` is one of the constants above, `name` the virtualhost's, route's, plugin's
    or table's; `host` the virtualhost of a route. `word` is what a TABLE calls its kind; one without `name`
    holds what stands outside of all tables of that kind."""

    kind: str
    name: str
    label: str
    file: str
    line: int
    rows: list[Row] = field(default_factory=list)
    host: str = ""
    word: str = ""
    is_implied: bool = False  # not written itself, but a route of it


@dataclass(slots=True)
class Document:
    """The sections of one file, or of all of them, and what was wrong with reading them."""

    sections: list[Section] = field(default_factory=list)
    includes: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    is_incomplete: bool = False  # a file could not be read at all: what is missing may be in there


def by_key(found: Sequence[Row]) -> Mapping[str, list[Row]]:
    """The rows of each key, in the order in which the keys were first written."""
    keys: dict[str, list[Row]] = {}
    for row in found:
        keys.setdefault(row.key, []).append(row)
    return keys


def plain_value(found: Sequence[Row]) -> Any:
    """The value of a key as its author meant it: what was repeated, or stood in brackets, is a list."""
    values = [row.value for row in found]
    if len(values) > 1:
        return values
    if found[0].is_listed:
        return [] if values[0] == "" else values
    return values[0]


def show(value: object) -> str:
    """A value for a message: as written where it is text, and never longer than a line."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def printable(text: str) -> str:
    """A name out of a file, safe to print: control characters as escapes, so no terminal acts on them."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def problem_at(
    section: Section | None, row: Row, message: str, hint: str = "", severity: str = "error"
) -> Problem:
    """A problem with a row."""
    found = Problem(
        printable(message),
        severity,
        file=row.file,
        line=row.line,
        section=section.label if section else "",
        key=printable(row.key),
        value=show(row.value),
        hint=printable(hint),
    )
    if row.file == COMMAND_LINE:
        return replace(found, section="", key=f"--{found.key}")
    return found


def problem_of(section: Section, message: str, hint: str = "", severity: str = "error") -> Problem:
    """A problem with a section as a whole."""
    message, hint = printable(message), printable(hint)
    return Problem(message, severity, file=section.file, line=section.line, section=section.label, hint=hint)
