"""Addresses that are bound no more while clients that came by them are still connected: their next requests
are served as if it were bound.

Pure: which connections are open is told.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence, Set

from blastbeat.config.model import Address, Config


class FormerListeners:
    """`shared` are those that led to every virtualhost without an address of its own."""

    def __init__(self) -> None:
        self.shared: set[Address] = set()
        self._own: dict[Address, set[str]] = {}

    def of(self, virtualhost: str) -> Sequence[Address]:
        """Those that were this virtualhost's own."""
        return [address for address, names in self._own.items() if virtualhost in names]

    def after(
        self, running: Config, gone: Iterable[Address], bound: Collection[Address], in_use: Set[Hashable]
    ) -> FormerListeners:
        """What there will be when `running`, which bound the addresses in `gone`, was replaced by one that
        binds those in `bound`. `in_use` are those that clients are connected by."""
        later = FormerListeners()
        shared = {*running.server.bind, *running.server.bind_ssl}
        later.shared.update(self.shared, (address for address in gone if address in shared))
        for address, names in self._own.items():
            later._own[address] = set(names)
        for address in gone:
            owners = {each.name for each in running.virtualhosts if address in (*each.bind, *each.bind_ssl)}
            if owners:
                later._own.setdefault(address, set()).update(owners)
        live = in_use - set(bound)
        later.shared = {address for address in later.shared if address in live}
        later._own = {address: names for address, names in later._own.items() if address in live}
        return later
