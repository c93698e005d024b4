"""Named factories per kind of object: what plugins offer, what the configuration picks from.

Filled once while the plugins load, then frozen. Knows no plugin, no pluggy and no virtualhost. Built-ins come
first, and a third party that registers a built-in's name takes its place.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from blastbeat.config.model import PluginRef
from blastbeat.config.validation import validate_options
from blastbeat.errors import ConfigError, PluginError, Problem
from blastbeat.interfaces import Factory, Filter, Options, Validator
from blastbeat.plugin_profile import PluginProfile

KINDS = (
    "driver",
    "websocket-driver",
    "encoder",
    "selector",
    "node-authenticator",
    "request-authenticator",
    "filter",
)

_MUST_HAVE_ONE_OF = {
    "driver": ("new_driver",),
    "websocket-driver": ("negotiate",),
    "encoder": ("encode_request", "decode"),
    "selector": ("select",),
    "node-authenticator": ("authenticate",),
    "request-authenticator": ("authenticate",),
    "filter": ("on_request",),
}


@dataclass(frozen=True, slots=True)
class Registration:
    """One factory as a plugin handed it over. `owner` is the plugin's name, `origin` where it came from."""

    kind: str
    name: str
    factory: Factory
    owner: str
    origin: str
    built_in: bool
    options: Mapping[str, Validator] = field(default_factory=dict)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name, empty when nothing known comes near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def list_names(names: Iterable[str]) -> str:
    """Names for an error message, in alphabetical order."""
    return ", ".join(sorted(names)) or "none"


class Registry:
    """The factories by kind and name. `add` until `freeze`, then `make`."""

    def __init__(self) -> None:
        self._registrations: dict[str, dict[str, Registration]] = {kind: {} for kind in KINDS}
        self._frozen = False
        self.profile: PluginProfile | None = None
        """Measures what is made from now on, where there is one."""

    def add(self, registrations: Sequence[Registration]) -> None:
        """Take all of one plugin's registrations, or none: raises PluginError when a name is taken."""
        if self._frozen:
            raise PluginError(registrations[0].owner, "registers too late: the registry is frozen")
        seen: set[tuple[str, str]] = set()
        for new in registrations:
            if (new.kind, new.name) in seen:
                raise PluginError(new.owner, f"registers the {new.kind} {new.name!r} twice")
            seen.add((new.kind, new.name))
            old = self._registrations[new.kind].get(new.name)
            if old is not None and (new.built_in or not old.built_in):
                raise PluginError(
                    new.owner,
                    f"({new.origin}) registers the {new.kind} {new.name!r}, which plugin {old.owner!r} "
                    f"({old.origin}) registers too; disable one of them",
                )
        for new in registrations:
            self._registrations[new.kind][new.name] = new

    def freeze(self) -> None:
        """From here on nothing can be added."""
        self._frozen = True

    def names(self, kind: str) -> tuple[str, ...]:
        """What can be picked, in alphabetical order. Raises KeyError for a kind not in KINDS."""
        return tuple(sorted(self._registrations[kind]))

    def registrations(self) -> list[Registration]:
        """All that can be picked, kind by kind in the order they were added."""
        return [each for named in self._registrations.values() for each in named.values()]

    def owner(self, kind: str, name: str) -> str | None:
        """The plugin whose factory answers to this name, None for an unknown one."""
        found = self._registrations[kind].get(name)
        return found.owner if found else None

    def options(self, kind: str, name: str) -> Mapping[str, Validator]:
        """What an object takes, by option; nothing where there is no such object."""
        found = self._registrations[kind].get(name)
        return found.options if found else {}

    def examine(self, kind: str, ref: PluginRef) -> list[Problem]:
        """What is wrong with picking `ref`: an unknown name, unknown or bad options. Makes nothing."""
        return self._resolve(kind, ref)[2]

    def make(self, kind: str, ref: PluginRef) -> object:
        """A new object. Raises ConfigError for an unknown name or bad options (all of them listed),
        PluginError when the factory fails or returns something that is not of this kind."""
        registration, options, problems = self._resolve(kind, ref)
        if registration is None or problems:
            raise ConfigError(problems)
        try:
            made = self._factory(registration)(options)
        except ConfigError as error:
            raise ConfigError([_locate(problem, kind, ref.name) for problem in error.problems]) from None
        except (Exception, SystemExit) as error:  # a factory may call a library that exits
            why = f"making the {kind} {ref.name!r} failed: {type(error).__name__}: {error}"
            raise PluginError(registration.owner, why) from error
        wrong = _find_breach(kind, made)
        if wrong:
            raise PluginError(registration.owner, f"the {kind} {ref.name!r} {wrong}")
        if self.profile is not None:
            return self.profile.watch(registration.owner, kind, ref.name, made)
        return made

    def _factory(self, registration: Registration) -> Factory:
        if self.profile is None:
            return registration.factory
        where = f"{registration.kind} {registration.name}.factory"
        return self.profile.timed(registration.owner, where, registration.factory)

    def _resolve(self, kind: str, ref: PluginRef) -> tuple[Registration | None, Options, list[Problem]]:
        known = self._registrations[kind]
        registration = known.get(ref.name)
        if registration is None:
            message = f"there is no {kind} of this name; known: {list_names(known)}"
            hint = did_you_mean(ref.name, known)
            return None, {}, [Problem(message, key=kind, value=ref.name, hint=hint)]
        options, problems = validate_options(ref.options, registration.options, ref.folder)
        return registration, options, [_locate(problem, kind, ref.name) for problem in problems]


def _locate(problem: Problem, kind: str, name: str) -> Problem:
    message = f"{problem.key}={problem.value}: {problem.message}" if problem.key else problem.message
    return Problem(message, key=kind, value=name, hint=problem.hint)


def _find_breach(kind: str, made: object) -> str:
    """Why `made` can't serve as `kind`, empty when it can; found at start rather than at the first
    request."""
    if kind == "filter" and not isinstance(made, Filter):
        return f"is a {type(made).__name__}, not a subclass of blastbeat.interfaces.Filter"
    methods = _MUST_HAVE_ONE_OF[kind]
    present = [method for method in methods if callable(getattr(made, method, None))]
    if not present:
        return f"is a {type(made).__name__} without {' or '.join(f'{method}()' for method in methods)}"
    is_async = [method for method in present if inspect.iscoroutinefunction(getattr(made, method))]
    if kind == "request-authenticator" and not is_async:
        return "has an authenticate() that is not `async def`"
    close = getattr(made, "aclose", None) if kind == "request-authenticator" else None
    if close is not None and not inspect.iscoroutinefunction(close):
        return "has an aclose() that is not `async def`"
    if kind != "request-authenticator" and is_async:
        return f"has an `async def {is_async[0]}`; only request authenticators may await"
    return ""
