"""Finds, loads and describes plugins, and hands out what they registered: a frozen registry, the lifecycle
notices, the commands.

The only file, beside the hook specifications, that knows pluggy; callers never see it. Nothing happens on
import, and nothing is global: each manager has its own plugins. What a plugin registers means nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pluggy

from blastbeat import hookspecs
from blastbeat.config.model import Config
from blastbeat.config.validation import validate_options
from blastbeat.errors import ConfigError, PluginError, Problem
from blastbeat.interfaces import Options
from blastbeat.lifecycle import NOTICES, FailureLog, Lifecycle, build_lifecycle
from blastbeat.plugin_api import (
    arguments_of,
    deprecations_in,
    explain_import,
    listener_of,
    read_api,
    values_of,
)
from blastbeat.plugin_config import PluginConfig, Receiver
from blastbeat.plugin_counters import counter_adder, join_counters
from blastbeat.plugin_declarations import Declarations, join
from blastbeat.plugin_listing import PluginInfo
from blastbeat.plugin_problems import PluginProblems
from blastbeat.plugin_profile import PluginProfile
from blastbeat.plugin_registrars import Command, command_adder, registrar
from blastbeat.plugin_sources import Source, built_ins, given, installed, local_file, read_hooks
from blastbeat.registry import KINDS, Registration, Registry, did_you_mean, list_names

_HOOK_OF_KIND = {kind: f"{hookspecs.PREFIX}register_{kind.replace('-', '_')}s" for kind in KINDS}
_HOOK_OF_NOTICE = {notice: hookspecs.PREFIX + notice for notice in NOTICES}


@dataclass(slots=True)
class _Plugin:
    source: Source
    state: str = "disabled"
    reason: str = ""
    object: Any = None
    api: str = ""
    hooks: tuple[str, ...] = ()
    registrations: tuple[Registration, ...] = ()
    declarations: Declarations = field(default_factory=lambda: Declarations(""))
    withheld: frozenset[str] = frozenset()
    counters: dict[str, str] = field(default_factory=dict)


class PluginManager:
    """The plugins of one server. Call `load` once, then ask.

    `load` and `disabled` are names of plugins: `load` chooses among installed distributions (``"*"``: all),
    `disabled` removes any plugin, built-ins too; `files` are Python files. `options` holds the tables
    `[plugin.<name>]`, whose relative file names start at `folder`. `plugins` are further ones, made by the
    caller; `discover` finds the entry points of installed distributions. `specs` has the hook specifications.
    """

    def __init__(
        self,
        *,
        load: Sequence[str] = ("*",),
        disabled: Sequence[str] = (),
        files: Sequence[Path] = (),
        options: Mapping[str, Options] | None = None,
        folder: str = "",
        plugins: Sequence[object] = (),
        discover: Callable[[], Iterable[EntryPoint]] | None = None,
        specs: Any = hookspecs,
    ) -> None:
        self._load, self._disabled, self._files = tuple(load), tuple(disabled), tuple(files)
        self._options, self._folder = dict(options or {}), folder
        self._given, self._discover = tuple(plugins), discover
        self._plugins: dict[str, _Plugin] = {}
        self._registry = Registry()
        self._pluggy = pluggy.PluginManager(hookspecs.PROJECT)
        self._pluggy.add_hookspecs(specs)
        hooks = [name for name in vars(specs) if name.startswith(hookspecs.PREFIX)]
        self._arguments = {name: arguments_of(getattr(specs, name)) for name in hooks}
        self.failures = FailureLog()
        self._failure: PluginError | ConfigError | None = None

    @classmethod
    def for_config(cls, config: Config, *, plugins: Sequence[object] = ()) -> PluginManager:
        """A manager as the configuration wants it; relative `files` are relative to its file. `plugins` are
        further ones, made by the caller."""
        folder = Path(config.file).parent
        server = config.server
        return cls(
            load=server.plugins_load,
            disabled=(*server.plugins_disabled, *(("access-log",) if server.access_log == "off" else ())),
            files=[folder / name for name in server.plugins_files],
            options=config.plugin_options,
            folder=str(folder),
            plugins=plugins,
        )

    # ------------------------------------------------------------ loading

    def load(self, *, strict: bool = True) -> list[Problem]:
        """Find and load every plugin and let it register.

        Strict: raises PluginError (naming the plugin) or ConfigError at the first thing that is wrong, and
        returns warnings. Not strict: never raises; a broken plugin is left out whole, and the list says
        everything that is wrong, too.
        """
        problems = PluginProblems(strict)
        for source in self._find_sources(problems):
            self._load_one(source, problems)
        self._check_names(problems)
        self._failure = problems.first
        return problems.found

    def raise_failure(self) -> None:
        """Raises the first thing that was wrong, where `load` was not strict."""
        if self._failure is not None:
            raise self._failure

    def _find_sources(self, problems: PluginProblems) -> list[Source]:
        found: dict[str, Source] = {}
        files = [local_file(path) for path in self._files]
        candidates = [*built_ins(), *installed(self._discover), *files, *given(self._given)]
        for source in candidates:
            taken = found.get(source.name)
            if taken is None or self._is_passed_over(taken):
                found[source.name] = source
                continue
            why = f"({source.origin}) has the name of another plugin ({taken.origin}); rename or remove one"
            problems.add(PluginError(source.name, why))
        return list(found.values())

    def _load_one(self, source: Source, problems: PluginProblems) -> None:
        plugin = self._plugins[source.name] = _Plugin(source)
        plugin.reason = self._why_not(source)
        if plugin.reason:
            return
        try:
            plugin.object = source.load()
            plugin.api = read_api(plugin.object, source.name)
            plugin.hooks = read_hooks(plugin.object, source.name, self._arguments)
            for warning in deprecations_in(partial(self._register_with_pluggy, plugin)):
                problems.warn(source.name, warning)
            self._hand_options(plugin)
            self._collect_counters(plugin)
            plugin.registrations = tuple(self._collect(plugin))
            plugin.declarations.settle(plugin.registrations)
            if plugin.registrations:
                self._registry.add(plugin.registrations)
        except (PluginError, ConfigError) as error:
            self._give_up(plugin, error, problems)
        except (Exception, SystemExit) as error:
            why = f"({source.origin}) failed: {type(error).__name__}: {error}{explain_import(error)}"
            failure = PluginError(source.name, why)
            failure.__cause__ = error
            self._give_up(plugin, failure, problems)
        else:
            plugin.state = "active"

    def _why_not(self, source: Source) -> str:
        if source.name in self._disabled:
            return "disabled by the configuration"
        if source.is_installed and "*" not in self._load and source.name not in self._load:
            return "not listed in `load`"
        return ""

    def _is_passed_over(self, source: Source) -> bool:
        """An installed one that `load` leaves out has no claim to its name."""
        return source.is_installed and bool(self._why_not(source))

    def _give_up(self, plugin: _Plugin, error: PluginError | ConfigError, problems: PluginProblems) -> None:
        if plugin.object is not None and self._pluggy.is_registered(plugin.object):
            self._pluggy.unregister(plugin.object)
        plugin.state, plugin.reason, plugin.registrations = "failed", _first_line(error), ()
        plugin.withheld = plugin.declarations.names()
        plugin.declarations = Declarations(plugin.source.name)
        problems.add(error, plugin.source.origin if plugin.source.is_file else "")

    def _register_with_pluggy(self, plugin: _Plugin) -> None:
        for other in self._plugins.values():
            if other is not plugin and other.object is plugin.object:
                raise PluginError(plugin.source.name, f"is plugin {other.source.name!r} under another name")
        try:
            self._pluggy.register(plugin.object, name=plugin.source.name)
        except (pluggy.PluginValidationError, ValueError) as error:
            why = f"({plugin.source.origin}) {' '.join(str(error).split())}"
            raise PluginError(plugin.source.name, why) from error

    def _check_names(self, problems: PluginProblems) -> None:
        known = self._plugins
        for key, names in (("load", self._load), ("disabled", self._disabled)):
            for name in names:
                if name != "*" and name not in known:
                    message = f"no such plugin is installed; known: {list_names(known)}"
                    hint = did_you_mean(name, known)
                    problem = Problem(message, section="plugins", key=key, value=name, hint=hint)
                    problems.add(ConfigError([problem]))
        for name in self._options:
            if name not in known:
                message = f"there is no plugin {name!r}; known: {list_names(known)}"
                hint = did_you_mean(name, known)
                problems.add(ConfigError([Problem(message, section=f"plugin.{name}", hint=hint)]))

    # ------------------------------------------------------------ registration hooks

    def _call(self, plugin: _Plugin, hook: str, register: Callable[..., None]) -> None:
        """Call one registration hook of one plugin, so that whose name it is stays known."""
        if hook in plugin.hooks:
            others = [other for other in self._pluggy.get_plugins() if other is not plugin.object]
            self._pluggy.subset_hook_caller(hook, others)(**values_of(self._arguments[hook], register))

    def _collect(self, plugin: _Plugin) -> list[Registration]:
        found: list[Registration] = []
        for kind, hook in _HOOK_OF_KIND.items():
            self._call(plugin, hook, registrar(kind, plugin.source, found))
        return found

    def _collect_counters(self, plugin: _Plugin) -> None:
        name = plugin.source.name
        register = counter_adder(name, plugin.counters)
        self._call(plugin, hookspecs.PREFIX + "register_counters", register)
        join_counters(name, plugin.counters, self.counters)

    def _hand_options(self, plugin: _Plugin) -> None:
        name = plugin.source.name
        found = Declarations(name)
        self._call(plugin, hookspecs.PREFIX + "register_options", found)
        found.refuse_taken(other.declarations for other in self._plugins.values())
        plugin.declarations = found
        keys, receive = found.own or ({}, None)
        validated, problems = validate_options(self._options.get(name, {}), keys, self._folder)
        if problems:
            raise ConfigError([replace(problem, section=f"plugin.{name}") for problem in problems])
        if receive is not None:
            receive(validated)

    # ------------------------------------------------------------ what was loaded

    def build_registry(self) -> Registry:
        """The factories of all active plugins, frozen."""
        self._registry.freeze()
        return self._registry

    @property
    def counters(self) -> dict[str, str]:
        """What active plugins declared: meanings by name."""
        active = [plugin for plugin in self._plugins.values() if plugin.state == "active"]
        return {name: meaning for plugin in active for name, meaning in plugin.counters.items()}

    def lifecycle(self, profile: PluginProfile | None = None) -> Lifecycle:
        """The notices, resolved to the listeners of active plugins, later ones first; `profile` measures."""
        listeners = {
            notice: [
                (each.plugin_name, listener_of(each.function, each.argnames, self._arguments[hook]))
                for each in reversed(getattr(self._pluggy.hook, hook).get_hookimpls())
            ]
            for notice, hook in _HOOK_OF_NOTICE.items()
        }
        return build_lifecycle(listeners, self.failures, profile)

    def config(self) -> PluginConfig:
        """What the active plugins have of the configuration."""
        plugins = [each for each in self._plugins.values() if each.state == "active"]
        inactive = {
            each.source.name: each.reason
            for each in self._plugins.values()
            if each.state != "active" and not each.source.is_built_in
        }
        receivers = [
            Receiver(each.source.name, kind, receive)
            for each in plugins
            for kind, receive in each.declarations.receivers.items()
        ]
        hook = hookspecs.PREFIX + "examine_config"
        examiners = [
            (each.plugin_name, listener_of(each.function, each.argnames, self._arguments[hook]))
            for each in getattr(self._pluggy.hook, hook).get_hookimpls()
        ]
        withheld = {name for each in self._plugins.values() for name in each.withheld}
        declared = join((each.declarations for each in plugins), inactive, withheld)
        return PluginConfig(declared, receivers, examiners)

    def commands(self) -> tuple[dict[str, Command], list[Problem]]:
        """The subcommands by name, and what is wrong: never raises, so that a broken plugin takes no other
        command away."""
        found: dict[str, Command] = {}
        problems = PluginProblems(strict=False)
        for name, plugin in self._plugins.items():
            try:
                self._call(plugin, hookspecs.PREFIX + "register_commands", command_adder(name, found))
            except PluginError as error:
                problems.add(error)
            except Exception as error:
                why = f"failed to add its commands: {type(error).__name__}: {error}"
                problems.add(PluginError(name, why))
        return found, problems.found

    def describe(self) -> list[PluginInfo]:
        """Every plugin found, built-ins first, whatever its state."""
        commands = self.commands()[0].values()
        return [self._describe(plugin, commands) for plugin in self._plugins.values()]

    def _describe(self, plugin: _Plugin, commands: Iterable[Command]) -> PluginInfo:
        source = plugin.source
        pairs = tuple((registration.kind, registration.name) for registration in plugin.registrations)
        owners = [(kind, name, self._registry.owner(kind, name)) for kind, name in pairs]
        return PluginInfo(
            source.name,
            source.version,
            source.origin,
            plugin.state,
            plugin.reason,
            tuple(hook.removeprefix(hookspecs.PREFIX) for hook in plugin.hooks),
            pairs,
            tuple((kind, name, owner) for kind, name, owner in owners if owner and owner != source.name),
            tuple(tuple(sorted(registration.options)) for registration in plugin.registrations),
            plugin.api,
            plugin.declarations.sections(),
            tuple((each.name, each.summary) for each in commands if each.plugin == source.name),
        )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
