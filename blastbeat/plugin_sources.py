"""Where plugins come from: the built-in list, installed distributions, local files; and the check of a loaded
plugin's hooks before pluggy sees it.

Knows no configuration and no pluggy. A source is only a promise: nothing of a plugin is imported before
`load`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import blastbeat
from blastbeat.errors import PluginError
from blastbeat.hookspecs import ENTRY_POINT_GROUP, PREFIX
from blastbeat.plugins import BUILT_INS
from blastbeat.registry import did_you_mean, list_names

BUILT_IN = "built in"
GENERATORS = (f"{PREFIX}examine_config",)
"""Hooks that return any number of things, and so may be generators."""

GIVEN = "given by the program"


@dataclass(frozen=True, slots=True)
class Source:
    """A plugin that may be loaded. `origin` says where it comes from: ``"built in"``, the distribution's name
    or the file's path; `load` imports it and may raise anything."""

    name: str
    origin: str
    version: str
    load: Callable[[], object]
    is_installed: bool = False
    is_file: bool = False

    @property
    def is_built_in(self) -> bool:
        return self.origin == BUILT_IN


@dataclass(frozen=True, slots=True)
class Named:
    """A plugin that the caller made itself, under the name that its entry point would have."""

    name: str
    plugin: object


def built_ins() -> list[Source]:
    """BlastBeat's own plugins, named after their modules: `round_robin` is `round-robin`."""
    return [
        _from_entry_point(
            EntryPoint(_name_of(value), value, ENTRY_POINT_GROUP), BUILT_IN, blastbeat.__version__
        )
        for value in BUILT_INS
    ]


def installed(discover: Callable[[], Iterable[EntryPoint]] | None = None) -> list[Source]:
    """Plugins of installed distributions, in the order of their names, so that a start is repeatable."""
    sources: list[Source] = []
    for point in discover() if discover else _find_entry_points(sources):
        distribution = point.dist
        origin = (distribution.name if distribution else "") or point.value
        version = distribution.version if distribution else ""
        sources.append(_from_entry_point(point, origin, version, is_installed=True))
    return sorted(sources, key=lambda source: (source.name, source.origin))


def _find_entry_points(broken: list[Source]) -> Iterable[EntryPoint]:
    """Those of all distributions; one whose metadata can't be read goes to `broken`, a promise that fails."""
    try:
        return entry_points(group=ENTRY_POINT_GROUP)
    except Exception:  # somebody's file is broken, in any way; whose is not told
        found: dict[str, list[EntryPoint]] = {}
        for distribution in distributions():
            name = str(distribution.name)
            if name in found:
                continue  # one further behind on the path
            try:
                found[name] = list(distribution.entry_points.select(group=ENTRY_POINT_GROUP))
            except Exception as error:
                found[name] = []
                broken.append(_unreadable(name, distribution.version, error))
        return [point for points in found.values() for point in points]


def _unreadable(name: str, version: str, error: Exception) -> Source:
    def load() -> object:
        raise PluginError(name, f"its entry_points.txt can't be read: {type(error).__name__}: {error}")

    return Source(name, name, version, load, is_installed=True)


def local_file(path: Path) -> Source:
    """A plugin in one Python file, named after it."""
    return Source(path.stem.replace("_", "-"), str(path), "", lambda: _run_file(path), is_file=True)


def given(plugins: Iterable[object]) -> list[Source]:
    """Plugins that the caller made itself: `Named` ones, modules, or objects named after their class."""
    sources: list[Source] = []
    for plugin in plugins:
        if isinstance(plugin, Named):
            sources.append(Source(plugin.name, GIVEN, "", partial(_same, plugin.plugin)))
            continue
        name = str(getattr(plugin, "__name__", type(plugin).__name__))
        number = sum(source.name.partition("#")[0] == name for source in sources) + 1
        sources.append(Source(name if number == 1 else f"{name}#{number}", GIVEN, "", partial(_same, plugin)))
    return sources


def read_hooks(plugin: object, name: str, hooks: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The hooks `plugin` implements, in alphabetical order. Raises PluginError for a misspelt one, one
    without `@hookimpl`, and one that could never be called. `hooks` maps each hook to its arguments."""
    found = []
    for attribute in dir(plugin):
        function = getattr(plugin, attribute, None)
        marks = getattr(function, "blastbeat_impl", None)
        hook = (marks.get("specname") or attribute) if isinstance(marks, dict) else attribute
        if marks is None:
            if attribute.startswith(PREFIX) and inspect.isroutine(function):
                raise PluginError(name, f"{attribute} is not marked with @hookimpl")
            continue
        if hook not in hooks:
            hint = did_you_mean(hook, hooks) or f"the hooks are: {list_names(hooks)}"
            raise PluginError(name, f"there is no hook {hook}; {hint}")
        breach = _find_breach(function, marks, hooks[hook], may_generate=hook in GENERATORS)
        if breach:
            raise PluginError(name, f"{attribute} {breach}")
        found.append(hook)
    return tuple(sorted(found))


def _find_breach(
    function: Any, marks: dict[str, Any], arguments: Iterable[str], may_generate: bool = False
) -> str:
    # pluggy would call each of these and take the coroutine or generator it gets for a result.
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "is `async def`; hooks never await, only a request authenticator may"
    if marks.get("wrapper") or marks.get("hookwrapper"):
        return "is a wrapper; BlastBeat's hooks have none"
    if inspect.isgeneratorfunction(function) and not may_generate:
        return "is a generator; a hook is an ordinary function"
    needed = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty
    ]
    if not set(needed) <= set(arguments):
        return f"takes ({', '.join(needed)}), but is called with ({', '.join(arguments)})"
    return ""


def _name_of(value: str) -> str:
    return value.partition(":")[0].rpartition(".")[2].replace("_", "-")


def _from_entry_point(point: EntryPoint, origin: str, version: str, is_installed: bool = False) -> Source:
    def load() -> object:
        if not point.pattern.match(point.value):
            raise ValueError(f"entry point {point.value!r} is neither `module` nor `module:attribute`")
        loaded = point.load()
        # A class is made anew for each manager, so that a plugin with state needs no globals.
        return loaded() if inspect.isclass(loaded) else loaded

    return Source(point.name, origin, version, load, is_installed)


def _same(plugin: object) -> object:
    return plugin


def _run_file(path: Path) -> ModuleType:
    module = ModuleType(f"blastbeat_plugin_{path.stem}")
    module.__file__ = str(path)
    code = compile(path.read_bytes(), str(path), "exec")
    # dataclasses look their module up by name while they are made.
    sys.modules[module.__name__] = module
    exec(code, module.__dict__)
    return module
