"""A plugin as a test names it, made the object that a server is handed, as if it were installed."""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint

from blastbeat.hookspecs import ENTRY_POINT_GROUP


def load_plugin(plugin: object) -> object:
    """`plugin` itself where it is a module or an object; a new one where it is a class; what it names where
    it is a text as entry points are written: ``"package.module"``, ``"package.module:name"``. Raises what
    importing it raises."""
    if isinstance(plugin, str):
        plugin = EntryPoint("plugin", plugin, ENTRY_POINT_GROUP).load()
    return plugin() if inspect.isclass(plugin) else plugin


def name_of(plugin: object) -> str:
    """The name of a loaded one that was given none: its module's or its class's."""
    return str(getattr(plugin, "__name__", type(plugin).__name__))
