"""What `blastbeat plugins` shows: one entry per plugin, as data and as text.

Knows no manager and no pluggy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A plugin. `origin` is ``"built in"``, a distribution's name or a file's path; `state` is ``"active"``,
    ``"disabled"`` or ``"failed"``, with the `reason` for the latter two. `hooks` are without their prefix.
    `registered` holds (kind, name) pairs; `replaced` those of them whose place another plugin took, with that
    plugin's name. `options` are the names of the options that each of `registered` takes, in its order. `api`
    is the version of the plugin API that it says it was written for, if it does. `declares` are the sections
    of the configuration that it has keys in, as a TOML file has them, with these keys. `commands` are the
    subcommands that it adds, each with its summary."""

    name: str
    version: str
    origin: str
    state: str
    reason: str = ""
    hooks: tuple[str, ...] = ()
    registered: tuple[tuple[str, str], ...] = ()
    replaced: tuple[tuple[str, str, str], ...] = ()
    options: tuple[tuple[str, ...], ...] = ()
    api: str = ""
    declares: tuple[tuple[str, tuple[str, ...]], ...] = ()
    commands: tuple[tuple[str, str], ...] = ()


def plugins_as_data(plugins: Sequence[PluginInfo]) -> list[dict[str, Any]]:
    """The listing for a program. `replaced_by` is null where the plugin's own object is the one in use."""
    return [_as_data(plugin) for plugin in plugins]


def _as_data(plugin: PluginInfo) -> dict[str, Any]:
    replacers = {(kind, name): by for kind, name, by in plugin.replaced}
    options = plugin.options or ((),) * len(plugin.registered)
    return {
        "name": plugin.name,
        "version": plugin.version,
        "api": plugin.api,
        "origin": plugin.origin,
        "state": plugin.state,
        "reason": plugin.reason,
        "hooks": list(plugin.hooks),
        "registered": [
            {"kind": kind, "name": name, "options": list(names), "replaced_by": replacers.get((kind, name))}
            for (kind, name), names in zip(plugin.registered, options, strict=True)
        ],
        "declares": [{"section": section, "keys": list(keys)} for section, keys in plugin.declares],
        "commands": [{"name": name, "summary": summary} for name, summary in plugin.commands],
    }


def format_plugins(plugins: Sequence[PluginInfo]) -> str:
    """The listing as text, one paragraph per plugin, without a newline at the end."""
    return "\n".join(line for plugin in plugins for line in _format_plugin(plugin))


def _format_plugin(plugin: PluginInfo) -> list[str]:
    origin = " ".join(part for part in (plugin.origin, plugin.version) if part)
    api = f", for API {plugin.api}" if plugin.api else ""
    lines = [f"{plugin.name}: {plugin.state} ({origin}{api})"]
    if plugin.reason:
        lines.append(f"    reason     {plugin.reason}")
    if plugin.hooks:
        lines.append(f"    hooks      {', '.join(plugin.hooks)}")
    replacers = {(kind, name): by for kind, name, by in plugin.replaced}
    options = plugin.options or ((),) * len(plugin.registered)
    for position, ((kind, name), names) in enumerate(zip(plugin.registered, options, strict=True)):
        label = "registers" if position == 0 else ""
        by = replacers.get((kind, name))
        notes = [f"replaced by {by}"] if by else []
        notes += [f"options: {', '.join(names)}"] if names else []
        lines.append(f"    {label:<9}  {kind} {name}" + (f" ({'; '.join(notes)})" if notes else ""))
    for position, (section, keys) in enumerate(plugin.declares):
        label = "declares" if position == 0 else ""
        lines.append(f"    {label:<9}  {section} {', '.join(keys)}".rstrip())
    for position, (name, summary) in enumerate(plugin.commands):
        label = "commands" if position == 0 else ""
        lines.append(f"    {label:<9}  {name}" + (f": {summary}" if summary else ""))
    return lines
