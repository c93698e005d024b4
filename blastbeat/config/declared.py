"""What plugins add to the configuration: kinds of tables, and keys of virtualhosts that pick objects.

Data only: who declares it is the plugin manager's business, what was written of it the builder's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from blastbeat.config.model import PluginRef, VirtualHostConfig
from blastbeat.interfaces import Validator


@dataclass(frozen=True, slots=True)
class TableKind:
    """Tables ``[<kind>.<NAME>]`` with these keys, for `plugin`."""

    kind: str
    keys: Mapping[str, Validator]
    plugin: str


@dataclass(frozen=True, slots=True)
class Pick:
    """An object that keys of a virtualhost pick: of registry kind `kind`, with those of `keys` that are set
    as its options."""

    kind: str
    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostKeys:
    """Keys of a virtualhost that belong together, and what it gets that sets any of them."""

    keys: Mapping[str, Validator]
    picks: tuple[Pick, ...]
    plugin: str


@dataclass(frozen=True, slots=True)
class Declared:
    """By all plugins that are active. `inactive` are the others, each with the reason. `withheld` are kinds
    and keys of those among them that failed, which is told of the plugin, and not again of each place. Where
    `is_known` is False nobody has asked the plugins: what is not ours may be theirs."""

    tables: Mapping[str, TableKind] = field(default_factory=dict)
    host_keys: Sequence[HostKeys] = ()
    inactive: Mapping[str, str] = field(default_factory=dict)
    withheld: Set[str] = frozenset()
    is_known: bool = True
    by_key: Mapping[str, HostKeys] = field(init=False)

    def __post_init__(self) -> None:
        found = {key: group for group in self.host_keys for key in group.keys}
        object.__setattr__(self, "by_key", found)


NOTHING = Declared()
UNKNOWN = Declared(is_known=False)

_FIELDS = {
    "filter": "filters",
    "node-authenticator": "node_authenticators",
    "request-authenticator": "request_authenticators",
}


def picks_of(config: VirtualHostConfig, declared: Declared) -> Iterator[tuple[str, str, PluginRef]]:
    """What a virtualhost gets by keys of plugins: the key that picks it, the registry's kind, and what to
    make."""
    if not config.plugin_keys:
        return
    for group in declared.host_keys:
        given = {key: config.plugin_keys[key] for key in group.keys if key in config.plugin_keys}
        if not given:
            continue
        for pick in group.picks:
            options = {key: given[key] for key in pick.keys if key in given}
            key = next(iter(options or given))
            folder = os.path.dirname(config.origins[key].file) if key in config.origins else ""
            yield key, pick.kind, PluginRef(pick.name, options, folder)


def with_picks(config: VirtualHostConfig, declared: Declared) -> VirtualHostConfig:
    """The virtualhost as if it and its routes listed themselves what keys of plugins pick for them."""
    picked: dict[str, tuple[PluginRef, ...]] = {}
    for _, kind, ref in picks_of(config, declared):
        picked[_FIELDS[kind]] = (*picked.get(_FIELDS[kind], ()), ref)
    if not picked:
        return config
    routes = [replace(route, policy=_in_front(route.policy, picked)) for route in config.routes]
    return replace(_in_front(config, picked), routes=tuple(routes))


def _in_front(config: VirtualHostConfig, picked: Mapping[str, tuple[PluginRef, ...]]) -> VirtualHostConfig:
    listed: dict[str, Any] = {field: (*refs, *getattr(config, field)) for field, refs in picked.items()}
    return replace(config, **listed)
