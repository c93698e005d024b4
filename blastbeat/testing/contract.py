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
from blastbeat.testing.memory import size_of_all

LEAST_ENTRY = 4
"""Bytes: what keeps less than that for each is not keeping something for each."""


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

    max_entries: int = 1000
    """So many clients, instances or whatever it keeps a table of may be remembered at once. Higher where it
    has a limit of its own that is higher, and says so to the operator."""

    may_open_files: bool = False
    """True where it is known to read small files while it is asked, and that is worth stopping every
    client."""

    _registry: ClassVar[Registry]

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
        """What `RequestView.count` is while a contract asks: as strict as the server's."""
        assert name in COUNTERS or name in self.counters, (
            f"there is no counter {name!r}: the server would raise KeyError; `counters` lists a plugin's own"
        )

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
        most, sizes = self.max_entries, list[int]()
        for first, end in ((0, most), (most, 3 * most), (3 * most, 5 * most)):
            for number in range(first, end):
                meet(number)
            sizes.append(size_of_all(subject))
            if len(sizes) > 1 and sizes[-1] - sizes[-2] < LEAST_ENTRY * (end - first):
                return  # tables that are full may still have grown once, to have room for what comes and goes
        grown = sizes[-1] - sizes[-2]
        raise AssertionError(
            f"it keeps {grown} bytes for {2 * most} new clients or instances after {3 * most} others: there"
            " is no end to it. Bound it; or if it is bounded by a higher number, say that in `max_entries`"
        )


def _refusal(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    asked_in = threading.get_ident()

    def refuse(*arguments: Any, **options: Any) -> Any:
        if threading.get_ident() != asked_in:
            return original(*arguments, **options)
        raise AssertionError(f"{name}() on the event loop: it stops every client of the server meanwhile")

    return refuse
