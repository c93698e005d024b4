"""What became of a key, a virtualhost or a plugin's table between two configurations, in words that a
configuration would use.

Data only; finds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blastbeat.config.rows import printable, show
from blastbeat.config.toml_text import key_text

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
MARKS = {ADDED: "+", REMOVED: "-", CHANGED: "~"}
MAX_NAMED = 3
"""Virtualhosts of one and the same change that a line names."""


@dataclass(frozen=True, slots=True)
class Change:
    """A key whose value is another. `old` and `new` as they would be written, empty where a value is not to
    be shown; of a list `came` and `went` are the items. `restart`: a running server keeps the old value."""

    key: str
    old: str
    new: str
    restart: bool = False
    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.came or self.went:
            items = [*(f"+{item}" for item in self.came), *(f"-{item}" for item in self.went)]
            what = f"{self.key}: {show(' '.join(items))}"
        elif self.old or self.new:
            what = f"{self.key}: {show(self.old)} -> {show(self.new)}"
        else:
            what = f"{self.key}: changed"
        return f"{what} (needs a restart)" if self.restart else what

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"key": self.key, "old": self.old, "new": self.new, "restart": self.restart}


@dataclass(frozen=True, slots=True)
class HostChange:
    """A virtualhost, or a `route` of one, that was ADDED or REMOVED, or whose `changes` are these."""

    name: str
    route: str
    what: str
    changes: tuple[Change, ...] = ()

    @property
    def label(self) -> str:
        """As messages name it."""
        name = printable(self.name)
        return f"{name} route {printable(self.route)}" if self.route else name


@dataclass(frozen=True, slots=True)
class TableChange:
    """A table `[<kind>.<name>]` of a kind that a plugin declared: ADDED, REMOVED, or its `changes`."""

    kind: str
    name: str
    what: str
    changes: tuple[Change, ...] = ()

    @property
    def label(self) -> str:
        """As messages name it."""
        return f"[{self.kind}.{key_text(self.name)}]"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        changes = [change.as_json() for change in self.changes]
        return {"kind": self.kind, "name": self.name, "what": self.what, "changes": changes}


def few(names: Sequence[str]) -> str:
    """The first ones, and how many more there are."""
    if len(names) <= MAX_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:MAX_NAMED])} and {len(names) - MAX_NAMED} more"
