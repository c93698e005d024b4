"""What all contracts share: how the object under test is made, what it must not do while it is asked, and how
much it may remember.

A contract is a class to subclass with pytest. Knows no kind of plugin.
"""

from __future__ import annotations

import builtins
import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, ClassVar

from blastbeat.config.model import PluginRef
from blastbeat.counters import COUNTERS
from blastbeat.interfaces import Options
from blastbeat.registry import Registry
from blastbeat.testing.fakes import registry_of
from blastbeat.testing.loading import load_plugin
from blastbeat.testing.memory import size_of_all

LEAST_ENTRY = 4
"""Bytes: what keeps less than that for each is not keeping something for each."""


_SERVERS = frozenset(name.partition(".")[0] for name in COUNTERS)


class Contract:
    """Say in `plugin` (a module, an object, a class to make one of, or a text as an entry point has it) and
    in `name` what is to be tested, as the configuration would pick it with `options`; or override the method
    that makes it. `plugin_name` is the name of the plugin's entry point, `table` what stands in its own table
    ``[plugin.<name>]``."""

    kind: ClassVar[str] = ""
    plugin: Any = None
    plugin_name: str = ""
    name: str = ""
    options: Options = {}
    table: Mapping[str, Any] | None = None

    max_entries: int = 4096
    """So many clients, instances or whatever it keeps a table of may be remembered at once. Higher where it
    has a limit of its own that is higher, and says so to the operator."""

    forgets_by_notice: bool = False
    """True where it gives back what it keeps when a notice tells it to, `node_down` say: then the contract,
    which gives no notices, does not look for what it keeps."""

    may_open_files: bool = False
    """True where it is known to read small files while it is asked, and that is worth stopping every
    client."""

    _registry: ClassVar[Registry]
    _registered_counters: ClassVar[set[str]]

    counters: Collection[str] = ()
    """The names of counters that the plugin registers itself."""

    def make(self) -> Any:
        """A new object, made as a server makes it: the plugin is loaded once for all tests of a class."""
        if self.plugin is None:
            method = f"new_{self.kind.replace('-', '_')}"
            raise NotImplementedError(
                f"return a new {self.kind.replace('-', ' ')}: say `plugin` and `name`, or override {method}()"
            )
        own = type(self)
        if "_registry" not in vars(own):
            own._registry = registry_of(self.plugin, table=self.table, plugin_name=self.plugin_name)
        return own._registry.make(self.kind, PluginRef(self.name, self.options))

    def count(self, name: str) -> None:
        """What `RequestView.count` is while a contract asks: as strict as the server's, as far as the
        plugin's own counters are known."""
        if name in COUNTERS or name in self.counters or name in self._own_counters():
            return
        is_known_to_be_none = bool(self.counters) or self.plugin is not None
        assert not is_known_to_be_none and name.partition(".")[0] not in _SERVERS, (
            f"there is no counter {name!r}: the server would raise KeyError; `counters` lists a plugin's own"
        )

    def _own_counters(self) -> Collection[str]:
        if self.plugin is None:
            return ()
        own = type(self)
        if "_registered_counters" not in vars(own):
            own._registered_counters = set()
            declare = getattr(load_plugin(self.plugin), "blastbeat_register_counters", None)
            if declare is not None:
                declare(lambda name, meaning: own._registered_counters.add(name))
        return own._registered_counters

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Around each call that the server makes on its event loop: fails where something blocks it."""
        places: list[tuple[Any, str]] = [
            (time, "sleep"),
            (socket.socket, "connect"),
            (socket, "getaddrinfo"),
            (subprocess, "Popen"),
            *(() if self.may_open_files else ((builtins, "open"),)),
        ]
        saved = [(owner, name, vars(owner).get(name)) for owner, name in places]
        for owner, name in places:
            setattr(owner, name, _refusal(name, getattr(owner, name)))
        try:
            yield
        finally:
            for owner, name, own in saved:
                if own is None:  # it was inherited
                    delattr(owner, name)
                else:
                    setattr(owner, name, own)

    def check_remembering(self, subject: object, meet: Callable[[int], None]) -> None:
        """Fails where `subject` keeps something for each of ever new ones. ``meet(n)`` has it meet the
        `n`-th."""
        if self.forgets_by_notice:
            return
        most = self.max_entries
        # Most keep nothing at all, which shows at once. Tables that are full may grow once more, to have room
        # for what comes and goes: so growth must be seen three times.
        place = size = grown = 0
        for new in (100, 200, most, 2 * most, 2 * most):
            for number in range(place, place + new):
                meet(number)
            place, before, size = place + new, size, size_of_all(subject)
            grown = size - before
            if place > new and grown < LEAST_ENTRY * new:
                return
        raise AssertionError(
            f"it keeps {grown} bytes for {2 * most} new clients or instances after {place - 2 * most} others:"
            " there is no end to it. Bound it; if a higher number bounds it, say so in `max_entries`"
        )


def _refusal(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    asked_in = threading.get_ident()

    def refuse(*arguments: Any, **options: Any) -> Any:
        if threading.get_ident() != asked_in:
            return original(*arguments, **options)
        raise AssertionError(f"{name}() on the event loop: it stops every client of the server meanwhile")

    return refuse
