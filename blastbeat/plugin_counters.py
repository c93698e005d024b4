"""The counters that plugins declare: which names they may have, and that none is taken twice.

Knows no pluggy and nobody who counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from blastbeat.counters import COUNTERS, metric_name
from blastbeat.errors import PluginError
from blastbeat.interfaces import RegisterCounter

MAX_COUNTERS = 200
"""Counters of one plugin: each is a line of every status and a series of every scrape."""

MAX_MEANING = 200
"""Characters."""

_WORDS = re.compile(r"[a-z0-9-]{1,50}(\.[a-z0-9-]{1,50}){0,3}")


def counter_adder(plugin: str, found: dict[str, str]) -> RegisterCounter:
    """What the hook of `plugin` is handed: puts the meanings by name into `found`; refuses by PluginError."""

    def register(name: str, meaning: str) -> None:
        if not isinstance(name, str) or not isinstance(meaning, str):
            raise PluginError(plugin, f"declares the counter {name!r}: {meaning!r}; both must be texts")
        begin = f"{plugin}."
        if not name.startswith(begin) or _WORDS.fullmatch(name.removeprefix(begin)) is None:
            why = f"it must be called {begin}<words>, of a-z, 0-9 and -, at most four with dots between them"
            raise PluginError(plugin, f"declares the counter {name!r}; {why}")
        if not meaning.strip() or not meaning.isprintable() or len(meaning) > MAX_MEANING:
            why = f"say in one line of at most {MAX_MEANING} characters what it counts"
            raise PluginError(plugin, f"declares the counter {name!r} as {meaning[:MAX_MEANING]!r}; {why}")
        if name in COUNTERS:
            raise PluginError(plugin, f"declares the counter {name!r}, which is the server's own")
        if name in found:
            raise PluginError(plugin, f"declares the counter {name!r} twice")
        if len(found) == MAX_COUNTERS:
            why = "count by reason rather than by who; figures of customers are the plugin's own to keep"
            raise PluginError(plugin, f"declares more than {MAX_COUNTERS} counters; {why}")
        found[name] = meaning

    return register


def join_counters(plugin: str, declared: Mapping[str, str], known: dict[str, str]) -> None:
    """Puts what `plugin` declared beside what others did. Raises PluginError, with nothing done, where two
    would be the same in metrics, which tell fewer characters apart."""
    taken = {metric_name(name): name for name in known}
    for name in declared:
        other = taken.setdefault(metric_name(name), name)
        if other != name:
            raise PluginError(plugin, f"declares the counter {name!r}, in metrics the same as {other!r}")
    known.update(declared)
