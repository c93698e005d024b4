"""What registration hooks are handed to register with: notes what one plugin gives, refuses nonsense.

Knows no plugin; the manager calls the hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from blastbeat.errors import PluginError
from blastbeat.interfaces import Factory, Register, RegisterCommand, Validator
from blastbeat.plugin_sources import Source
from blastbeat.registry import Registration


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand a plugin adds. `run` gets the arguments behind its name and returns the exit code."""

    name: str
    run: Callable[[Sequence[str]], int]
    summary: str
    plugin: str


def registrar(kind: str, source: Source, found: list[Registration]) -> Register:
    """Adds the factories of one kind to `found`."""

    def register(name: str, factory: Factory, *, options: Mapping[str, Validator] | None = None) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"the name of a {kind} must be a text, not {name!r}")
        if not callable(factory):
            raise TypeError(f"the factory of the {kind} {name!r} must be callable, not {factory!r}")
        found.append(
            Registration(kind, name, factory, source.name, source.origin, source.is_built_in, options or {})
        )

    return register


def command_adder(plugin: str, found: dict[str, Command]) -> RegisterCommand:
    """Adds the subcommands of one plugin to `found`."""

    def register(name: str, run: Callable[[Sequence[str]], int], *, summary: str = "") -> None:
        if name in found:
            raise PluginError(plugin, f"adds the command {name!r}, as plugin {found[name].plugin!r} does")
        found[name] = Command(name, run, summary, plugin)

    return register
