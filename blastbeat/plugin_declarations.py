"""What one plugin declares of the configuration, as it says so; and whether it may.

Knows no file and no value. Names that are ours, or another plugin's, are refused here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from blastbeat.config.build_declared import OUR_SECTIONS
from blastbeat.config.declared import Declared, HostKeys, Pick, TableKind
from blastbeat.config.options import PLUGINS_KEYS, ROUTE_KEYS, SERVER_KEYS, VIRTUALHOST_KEYS
from blastbeat.errors import PluginError
from blastbeat.interfaces import Options, Tables, Validator
from blastbeat.registry import Registration

Receive = Callable[[Options], None]
ReceiveTables = Callable[[Tables], None]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)
_OUR_KEYS = {*SERVER_KEYS, *VIRTUALHOST_KEYS, *ROUTE_KEYS, *PLUGINS_KEYS, "route", "include"}


@dataclass(frozen=True, slots=True)
class _Wanted:
    keys: Mapping[str, Validator]
    objects: Sequence[tuple[str, str]]  # (registry kind, name)


@dataclass(slots=True)
class Declarations:
    """Handed to a plugin as the `register` of `blastbeat_register_options`."""

    plugin: str
    own: tuple[Mapping[str, Validator], Receive] | None = None
    kinds: dict[str, TableKind] = field(default_factory=dict)
    receivers: dict[str, ReceiveTables] = field(default_factory=dict)
    host_keys: list[HostKeys] = field(default_factory=list)
    _wanted: list[_Wanted] = field(default_factory=list)

    def __call__(self, keys: Mapping[str, Validator], receive: Receive) -> None:
        if self.own is not None:
            raise PluginError(self.plugin, "declares its options twice")
        self.own = self._checked_keys(keys, "its table"), self._checked_receive(receive)

    def tables(self, kind: str, keys: Mapping[str, Validator], receive: ReceiveTables) -> None:
        self._check_name(kind, "a kind of tables")
        if kind in OUR_SECTIONS:
            raise PluginError(self.plugin, f"declares tables [{kind}.NAME], which are BlastBeat's own")
        if kind in self.kinds:
            raise PluginError(self.plugin, f"declares tables [{kind}.NAME] twice")
        checked = self._checked_keys(keys, f"[{kind}.NAME]")
        for key in checked:
            self._check_name(key, f"a key of [{kind}.NAME]")
        self.kinds[kind] = TableKind(kind, checked, self.plugin)
        self.receivers[kind] = self._checked_receive(receive)

    def virtualhost_keys(
        self,
        keys: Mapping[str, Validator],
        *,
        filters: Sequence[str] = (),
        node_authenticators: Sequence[str] = (),
        request_authenticators: Sequence[str] = (),
    ) -> None:
        for key in self._checked_keys(keys, "a virtualhost"):
            self._check_name(key, "a key of virtualhosts")
            if key in _OUR_KEYS:
                raise PluginError(self.plugin, f"declares the key {key!r}, which is BlastBeat's own")
            if any(key in known.keys for known in self._wanted):
                raise PluginError(self.plugin, f"declares the key {key!r} of virtualhosts twice")
        objects = [
            *(("filter", name) for name in _names(filters)),
            *(("node-authenticator", name) for name in _names(node_authenticators)),
            *(("request-authenticator", name) for name in _names(request_authenticators)),
        ]
        self._wanted.append(_Wanted(dict(keys), objects))

    def sections(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The sections that it declares keys of, as a TOML file has them, with these keys."""
        own = ((f"[plugin.{self.plugin}]", tuple(self.own[0])),) if self.own and self.own[0] else ()
        tables = tuple((f"[{kind}.NAME]", tuple(table.keys)) for kind, table in self.kinds.items())
        keys = tuple(key for wanted in self._wanted for key in wanted.keys)
        return (*own, *tables, *((("[vhost.HOST]", keys),) if keys else ()))

    def names(self) -> frozenset[str]:
        """The kinds of tables and the keys of virtualhosts, all together."""
        return frozenset((*self.kinds, *(key for wanted in self._wanted for key in wanted.keys)))

    def _check_name(self, name: object, what: str) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            # What ini can write, which folds case.
            why = f"{what} is made of a-z, 0-9, - and _, not {name!r}"
            raise PluginError(self.plugin, why)

    def _checked_keys(self, keys: object, where: str) -> Mapping[str, Validator]:
        if not isinstance(keys, Mapping):
            raise PluginError(self.plugin, f"the keys of {where} are a mapping of names to validators")
        for key, validator in keys.items():
            if not callable(validator):
                raise PluginError(self.plugin, f"the validator of {key!r} can't be called: {validator!r}")
        return dict(keys)

    def _checked_receive(self, receive: Callable[..., None]) -> Callable[..., None]:
        if not callable(receive):
            raise PluginError(self.plugin, f"what receives the values can't be called: {receive!r}")
        return receive

    def settle(self, registrations: Sequence[Registration]) -> None:
        """Finds what the keys of virtualhosts pick among the objects the plugin has registered. Raises
        PluginError."""
        own = {(each.kind, each.name): each for each in registrations}
        for wanted in self._wanted:
            picks = tuple(self._pick(kind, name, wanted.keys, own) for kind, name in wanted.objects)
            self.host_keys.append(HostKeys(wanted.keys, picks, self.plugin))

    def _pick(
        self,
        kind: str,
        name: str,
        keys: Mapping[str, Validator],
        own: Mapping[tuple[str, str], Registration],
    ) -> Pick:
        found = own.get((kind, name))
        listed = ", ".join(keys)
        if found is None:
            why = f"the keys {listed} pick the {kind} {name!r}, which it does not register"
            raise PluginError(self.plugin, why)
        options = tuple(key for key in keys if key in found.options)
        if not options:
            why = f"the {kind} {name!r} that the keys {listed} pick has none of them among its options"
            raise PluginError(self.plugin, why)
        return Pick(kind, name, options)

    def refuse_taken(self, others: Iterable[Declarations]) -> None:
        """Raises PluginError where another plugin has declared the same."""
        for other in others:
            for kind in self.kinds:
                if kind in other.kinds:
                    self._refuse(f"tables [{kind}.NAME]", other)
            for group in other.host_keys:
                for key in group.keys:
                    if any(key in mine.keys for mine in self._wanted):
                        self._refuse(f"the key {key!r} of virtualhosts", other)

    def _refuse(self, what: str, other: Declarations) -> None:
        raise PluginError(
            self.plugin, f"declares {what}, which plugin {other.plugin!r} declares too; disable one of them"
        )


def join(
    plugins: Iterable[Declarations], inactive: Mapping[str, str], withheld: Iterable[str] = ()
) -> Declared:
    """What all of them declare together. `withheld` are kinds and keys of plugins that failed."""
    all_of = list(plugins)
    return Declared(
        {kind: table for each in all_of for kind, table in each.kinds.items()},
        tuple(group for each in all_of for group in each.host_keys),
        dict(inactive),
        frozenset(withheld),
    )


def _names(names: Sequence[str]) -> Sequence[str]:
    return (names,) if isinstance(names, str) else tuple(names)
