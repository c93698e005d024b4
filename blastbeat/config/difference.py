"""What is different between two configurations: virtualhosts and routes that came, went or changed, key by
key, in words that a configuration would use; and which keys a running server can't change.

Pure: compares models, and knows neither files nor a server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from blastbeat.config.changes import ADDED, CHANGED, MARKS, REMOVED, Change, HostChange, TableChange, few
from blastbeat.config.declared import NOTHING, Declared
from blastbeat.config.model import Address, Config, PluginTable, RouteConfig, ServerConfig, VirtualHostConfig
from blastbeat.config.option import ROUTE, SERVER, Option
from blastbeat.config.options import PLUGINS_KEYS, ROUTE_KEYS, SERVER_KEYS, VIRTUALHOST_KEYS
from blastbeat.config.rows import printable
from blastbeat.config.toml_text import value_text
from blastbeat.config.validation import is_secret
from blastbeat.interfaces import Validator

_ROUTING = {name: option for name, option in ROUTE_KEYS.items() if option.scope == ROUTE}
_OF_ROUTES = {name: option for name, option in ROUTE_KEYS.items() if option.scope != ROUTE}


@dataclass(frozen=True, slots=True)
class Difference:
    """`server` are keys of the server's section, `plugins` those of `[plugins]` and `[plugin.<name>]`,
    `tables` are those of the kinds that plugins declared, `certificates` files that are the same by name and
    hold something else. False where nothing is different."""

    server: tuple[Change, ...] = ()
    plugins: tuple[Change, ...] = ()
    virtualhosts: tuple[HostChange, ...] = ()
    certificates: tuple[str, ...] = ()
    tables: tuple[TableChange, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.server or self.plugins or self.virtualhosts or self.certificates or self.tables)

    @property
    def restart(self) -> tuple[str, ...]:
        """The keys that a running server can't change, with their section."""
        keys = [f"[blastbeat] {change.key}" for change in self.server if change.restart]
        return (*keys, *(change.key for change in self.plugins if change.restart))

    @property
    def is_applicable(self) -> bool:
        """Whether a running server has anything to do."""
        if self.virtualhosts or self.certificates or self.tables:
            return True
        return not all(each.restart for each in (*self.server, *self.plugins))

    def names(self, what: str) -> list[str]:
        """The virtualhosts (without routes) that were ADDED, REMOVED or CHANGED, a changed route included."""
        if what == CHANGED:
            came_or_went = {each.name for each in self.virtualhosts if not each.route and each.what != what}
            return list(dict.fromkeys(e.name for e in self.virtualhosts if e.name not in came_or_went))
        return [each.name for each in self.virtualhosts if each.what == what and not each.route]

    def lines(self) -> list[str]:
        """For a reader; one and the same change of many virtualhosts is one line."""
        found = [f"~ [blastbeat] {change}" for change in self.server]
        found += [f"~ {change}" for change in self.plugins]
        found += _lines_of_tables(self.tables)
        alike: dict[tuple[str, Any], list[str]] = {}
        for each in self.virtualhosts:
            for detail in each.changes or (None,):
                alike.setdefault((each.what, detail), []).append(each.label)
        for (what, detail), labels in alike.items():
            lead = f"{MARKS[what]} virtualhost{'s' if len(labels) > 1 else ''}"
            if detail is None:
                found += [f"{MARKS[what]} virtualhost {label}" for label in labels]
            else:
                found.append(f"{lead} {few(labels)}: {detail}")
        if self.certificates:
            what = "certificate" if len(self.certificates) == 1 else "certificates"
            found.append(f"~ {what} renewed: {few([printable(name) for name in self.certificates])}")
        return found

    def summary(self) -> str:
        """In one line, for a log."""
        parts = []
        for what in (ADDED, REMOVED, CHANGED):
            names = self.names(what)
            if names:
                one = "virtualhost" if len(names) == 1 else "virtualhosts"
                parts.append(f"{len(names)} {one} {what} ({few([printable(name) for name in names])})")
        live = [change.key for change in (*self.server, *self.plugins) if not change.restart]
        if live:
            parts.append(f"changed in [blastbeat]: {', '.join(live)}")
        if self.tables:
            what = "table" if len(self.tables) == 1 else "tables"
            parts.append(f"{len(self.tables)} {what} changed ({few([each.label for each in self.tables])})")
        if self.certificates:
            what = "certificate" if len(self.certificates) == 1 else "certificates"
            parts.append(f"{len(self.certificates)} {what} renewed")
        return "; ".join(parts) or "nothing changed"

    def as_json(self) -> dict[str, Any]:
        """For programs: lists of keys with old and new values."""
        return {
            "server": [change.as_json() for change in self.server],
            "plugins": [change.as_json() for change in self.plugins],
            "virtualhosts": [
                {
                    "name": each.name,
                    "route": each.route,
                    "what": each.what,
                    "changes": [change.as_json() for change in each.changes],
                }
                for each in self.virtualhosts
            ],
            "tables": [each.as_json() for each in self.tables],
            "certificates": list(self.certificates),
            "restart": list(self.restart),
        }


def find_difference(old: Config, new: Config, declared: Declared = NOTHING) -> Difference:
    """What a server that runs with `old` would have to change to run with `new`; `declared` tells which of
    plugins' keys are secrets."""
    return Difference(
        tuple(_changes(_SERVER_ONLY, old.server, new.server)),
        (
            *_plugin_keys(old.server, new.server),
            *_plugin_tables(old.plugin_options, new.plugin_options),
        ),
        tuple(_virtualhosts(old.virtualhosts, new.virtualhosts, declared)),
        tables=tuple(_tables(old.tables, new.tables, declared)),
    )


def is_same_virtualhost(old: VirtualHostConfig, new: VirtualHostConfig) -> bool:
    """True where both say the same, how clients speak on its addresses included."""
    return old == new and all(
        _how_clients_speak(before) == _how_clients_speak(after)
        for before, after in ((old.bind, new.bind), (old.bind_ssl, new.bind_ssl))
    )


def keep_until_restart(old: Config, new: Config) -> Config:
    """`new` as far as a server that runs with `old` takes it: keys that need a restart stay as they are."""
    kept: dict[str, Any] = {}
    for option in (*_SERVER_ONLY.values(), *PLUGINS_KEYS.values()):
        if option.restart:
            kept[option.field] = getattr(old.server, option.field)
    return replace(new, server=replace(new.server, **kept), plugin_options=old.plugin_options)


# ---------------------------------------------------------------- the server's section, plugins

_SERVER_ONLY = {name: option for name, option in SERVER_KEYS.items() if option.scope == SERVER}


def _changes(options: Mapping[str, Option], old: Any, new: Any, prefix: str = "") -> Iterator[Change]:
    for option in options.values():
        change = _change(option, getattr(old, option.field), getattr(new, option.field), prefix)
        if change is not None:
            yield change


def _change(option: Option, old: Any, new: Any, prefix: str = "") -> Change | None:
    if old is new:
        return None
    old_text, new_text = _text(option, old), _text(option, new)
    if old == new and old_text == new_text:
        return None
    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()
    if option.repeated:
        before, after = (tuple(map(option.kind.format, value)) for value in (old, new))
        came = tuple(item for item in after if item not in before)
        went = tuple(item for item in before if item not in after)
    return Change(f"{prefix}{option.name}", old_text, new_text, option.restart, came, went)


def _text(option: Option, value: Any) -> str:
    if value is None or value == "" or value == ():
        return "none" if option.repeated else "not set"
    if option.repeated:
        return ", ".join(option.kind.format(item) for item in value)
    return option.kind.format(value)


def _plugin_keys(old: ServerConfig, new: ServerConfig) -> Iterator[Change]:
    return _changes(PLUGINS_KEYS, old, new, "[plugins] ")


def _plugin_tables(
    old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> Iterator[Change]:
    """Their values may be secrets, so they are not told."""
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name, {}), new.get(name, {})
        for key in dict.fromkeys((*before, *after)):
            if before.get(key) != after.get(key):
                yield Change(f"[plugin.{printable(name)}] {printable(key)}", "", "", restart=True)


# ---------------------------------------------------------------- what plugins declared


def _tables(
    old: Sequence[PluginTable], new: Sequence[PluginTable], declared: Declared
) -> Iterator[TableChange]:
    before = {(each.kind, each.name): each for each in old}
    for each in new:
        known = before.pop((each.kind, each.name), None)
        kind = declared.tables.get(each.kind)
        if known is None:
            yield TableChange(each.kind, each.name, ADDED)
        elif changes := tuple(_written_changes(known.written, each.written, kind.keys if kind else {})):
            yield TableChange(each.kind, each.name, CHANGED, changes)
    for each in before.values():
        yield TableChange(each.kind, each.name, REMOVED)


def _written_changes(
    old: Mapping[str, Any], new: Mapping[str, Any], validators: Mapping[str, Validator]
) -> Iterator[Change]:
    if old is new:
        return
    for key in dict.fromkeys((*old, *new)):
        before, after = (value_text(each[key]) if key in each else "not set" for each in (old, new))
        if before == after:
            continue
        if is_secret(validators.get(key)):
            before = after = ""
        yield Change(key, before, after)


def _lines_of_tables(tables: Sequence[TableChange]) -> Iterator[str]:
    """One and the same change of many tables is one line."""
    alike: dict[Change, list[str]] = {}
    for each in tables:
        if not each.changes:
            yield f"{MARKS[each.what]} {each.label}"
        for change in each.changes:
            alike.setdefault(change, []).append(each.label)
    for change, labels in alike.items():
        yield f"{MARKS[CHANGED]} {few(labels)} {change}"


# ---------------------------------------------------------------- virtualhosts and their routes


def _virtualhosts(
    old: Sequence[VirtualHostConfig], new: Sequence[VirtualHostConfig], declared: Declared
) -> Iterator[HostChange]:
    before = {each.name: each for each in old}
    for each in new:
        known = before.pop(each.name, None)
        if known is None:
            yield HostChange(each.name, "", ADDED)
        elif known is not each and not is_same_virtualhost(known, each):
            yield from _virtualhost(known, each, declared)
    for each in before.values():
        yield HostChange(each.name, "", REMOVED)


def _virtualhost(old: VirtualHostConfig, new: VirtualHostConfig, declared: Declared) -> Iterator[HostChange]:
    validators = {key: group.keys[key] for key, group in declared.by_key.items()}
    changes = (
        *_changes(VIRTUALHOST_KEYS, old, new),
        *_written_changes(old.plugin_keys, new.plugin_keys, validators),
    )
    before = {route.name: route for route in old.routes}
    after = [route.name for route in new.routes]
    if [name for name in before if name in after] != [name for name in after if name in before]:
        changes += (Change("routes", " ".join(before), " ".join(after)),)
    if changes:
        yield HostChange(new.name, "", CHANGED, changes)
    for route in new.routes:
        known = before.pop(route.name, None)
        if known is None:
            yield HostChange(new.name, route.name, ADDED)
        elif known != route and (route_changes := _route_changes(known, route)):
            yield HostChange(new.name, route.name, CHANGED, route_changes)
    for name in before:
        yield HostChange(new.name, name, REMOVED)


def _route_changes(old: RouteConfig, new: RouteConfig) -> tuple[Change, ...]:
    """What is of its virtualhost as a whole is no change of the route."""
    return (*_changes(_ROUTING, old, new), *_changes(_OF_ROUTES, old.policy, new.policy))


def _how_clients_speak(addresses: Sequence[Address]) -> list[bool]:
    return [address.proxy_protocol for address in addresses]
