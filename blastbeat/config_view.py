"""What a plugin sees of a configuration when it is asked whether that is good: virtualhosts and its tables.

Values only, with the places they were written at. Knows no file and no server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from blastbeat.errors import Problem
from blastbeat.views import Options


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written. `section` as its file has it, without brackets; `line` 0: not in a file."""

    file: str
    line: int
    section: str


def _problem(
    own: Origin,
    places: Mapping[str, Origin],
    message: str,
    key: str,
    value: str,
    hint: str,
    severity: str,
) -> Problem:
    if severity not in ("error", "warning", "note"):
        raise ValueError(f"a severity is error, warning or note, not {severity!r}")
    place = places.get(key, own)
    return Problem(message, severity, place.file, place.line, place.section, key, value, hint)


@dataclass(frozen=True, slots=True)
class TableView:
    """One table `[<kind>.<NAME>]`, with validated `values`; `places` tells where each key stands."""

    kind: str
    name: str
    values: Options = field(default_factory=dict)
    place: Origin = Origin("", 0, "")
    places: Mapping[str, Origin] = field(default_factory=dict, repr=False)

    def problem(
        self, message: str, *, key: str = "", value: str = "", hint: str = "", severity: str = "error"
    ) -> Problem:
        """Something wrong here: at `key`, or with the table as a whole. `severity` is ``"error"``,
        ``"warning"`` or ``"note"``; raises ValueError for any other."""
        return _problem(self.place, self.places, message, key, value, hint, severity)


@dataclass(frozen=True, slots=True)
class VirtualHostView:
    """A virtualhost as configured. `values` are the keys that plugins declared, validated, whether it sets
    them itself or `[blastbeat]` does. `nodes` are the names of its nodes and of those of its routes, each
    once; `endpoints` where they connect; `instances` how many further instances each name may have;
    `filters`, `node_authenticators` and `request_authenticators` the names it lists itself."""

    name: str
    values: Options = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    instances: int = 0
    alias: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    node_authenticators: tuple[str, ...] = ()
    request_authenticators: tuple[str, ...] = ()
    place: Origin = Origin("", 0, "")
    places: Mapping[str, Origin] = field(default_factory=dict, repr=False)

    def problem(
        self, message: str, *, key: str = "", value: str = "", hint: str = "", severity: str = "error"
    ) -> Problem:
        """Something wrong here: at `key` (ours or a plugin's), or with the virtualhost as a whole. `severity`
        is ``"error"``, ``"warning"`` or ``"note"``; raises ValueError for any other."""
        return _problem(self.place, self.places, message, key, value, hint, severity)


@dataclass(frozen=True, slots=True)
class ConfigView:
    """A whole configuration, which may not be in force yet. `tables` are by kind, in the order of the file;
    a declared kind without tables is there, too."""

    file: str = ""
    virtualhosts: Sequence[VirtualHostView] = ()
    tables: Mapping[str, Mapping[str, TableView]] = field(default_factory=dict)
