"""Whether each virtualhost can be asked for, by one name only, and has somebody to answer.

Text only: whether an address can be bound is for others to find out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from blastbeat.config import rows
from blastbeat.config.build import Built
from blastbeat.config.model import Address, ServerConfig, VirtualHostConfig
from blastbeat.config.names import split_host_name
from blastbeat.config.rows import Row
from blastbeat.config.settings import Settings
from blastbeat.errors import Problem

_KEYS = ("bind", "bind-ssl")


def check_hosts(built: Built) -> Iterator[Problem]:
    """Listeners, host names and nodes."""
    yield from _check_listeners(built)
    yield from _check_address_roles(built)
    yield from _check_proxied(built)
    yield from _check_duplicates(built)
    for settings, virtualhost in built.virtualhosts:
        yield from _check_reach(built, settings, virtualhost)
        yield from _check_nodes(settings, virtualhost)


def _check_listeners(built: Built) -> Iterator[Problem]:
    everybody = [built.server, *(settings for settings, _ in built.virtualhosts)]
    if not any(settings.has("bind") or settings.has("bind-ssl") for settings in everybody):
        hint = "write for example bind = 0.0.0.0:8080"
        yield rows.problem_of(
            built.server.section, "nothing listens: there is neither bind nor bind-ssl", hint
        )
    elif not built.virtualhosts:
        message = "there is no virtualhost: every request will be answered 404"
        yield rows.problem_of(built.server.section, message, severity="warning")
    elif all(_own_addresses(virtualhost) for _, virtualhost in built.virtualhosts):
        message = "no virtualhost is reachable here: each has addresses of its own"
        for key in _KEYS:
            for row, _ in built.server.given.get(key, ())[:1]:
                yield rows.problem_at(built.server.section, row, message, severity="warning")


def _check_address_roles(built: Built) -> Iterator[Problem]:
    """One address speaks HTTP or HTTPS, not both."""
    plain: dict[Address, Row] = {}
    everybody = [built.server, *(settings for settings, _ in built.virtualhosts)]
    for settings in everybody:
        for row, addresses in settings.given.get("bind", ()):
            plain |= {address: row for address in addresses if address.port}
    for settings in everybody:
        for row, addresses in settings.given.get("bind-ssl", ()):
            for first in (plain[address] for address in addresses if address in plain):
                message = f"is also a plain address ({first.file}:{first.line}); it is one or the other"
                yield rows.problem_at(settings.section, row, message)


def _check_proxied(built: Built) -> Iterator[Problem]:
    """Who connects to an address tells of another client, or does not; and must be trusted for it."""
    first: dict[Address, tuple[Address, Row]] = {}
    for settings in [built.server, *(settings for settings, _ in built.virtualhosts)]:
        for row, addresses in (*settings.given.get("bind", ()), *settings.given.get("bind-ssl", ())):
            for address in addresses:
                other, place = first.setdefault(address, (address, row))
                if other.proxy_protocol != address.proxy_protocol:
                    message = (
                        f"with proxy-protocol in one place and without in another ({place.file}:{place.line})"
                    )
                    yield rows.problem_at(settings.section, row, message)
            proxied = any(address.proxy_protocol for address in addresses)
            if (
                proxied
                and not built.config.server.trusted_proxies
                and "trusted-proxies" not in built.server.bad
            ):
                message = (
                    "nobody gets in: a PROXY header is believed from trusted-proxies only, and there are none"
                )
                hint = "write trusted-proxies = and the addresses of the load balancer"
                yield rows.problem_at(settings.section, row, message, hint, "warning")


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that leads to a virtualhost, and where it does."""

    owner: Settings
    row: Row | None  # None: the section's own name

    def where(self) -> str:
        if self.row:
            return f"alias at {self.row.file}:{self.row.line}"
        return f"[{self.owner.section.label}] at {self.owner.section.file}:{self.owner.section.line}"

    def problem(self, message: str, severity: str = "error") -> Problem:
        if self.row:
            return rows.problem_at(self.owner.section, self.row, message, severity=severity)
        return rows.problem_of(self.owner.section, message, severity=severity)


def _check_duplicates(built: Built) -> Iterator[Problem]:
    # By name and place: very many virtualhosts may have one name, on addresses of their own.
    taken: dict[tuple[tuple[str, int | None], Address | None], _Name] = {}
    shared = frozenset(_own_addresses(built.config.server))
    for settings, virtualhost in built.virtualhosts:
        places = frozenset(_own_addresses(virtualhost)) or shared
        for text, row in _names_of(settings):
            name = _Name(settings, row)
            key = split_host_name(text)
            marks = [(key, place) for place in places or (None,)]
            first = next((taken[mark] for mark in marks if mark in taken), None)
            if first is None or first.owner is not settings:
                taken |= {mark: name for mark in marks if mark not in taken}
            if first is None:
                continue
            if first.owner is settings:
                yield name.problem(f"{text} is a name of this virtualhost already", "warning")
            else:
                yield name.problem(f"{text} is taken: {first.where()}")


def _names_of(settings: Settings) -> Iterator[tuple[str, Row | None]]:
    """Each usable name, and the row that says it if it is an alias."""
    if not settings.bad_name:
        yield settings.section.name, None
    for row, aliases in settings.given.get("alias", ()):
        for alias in aliases:
            yield alias, row


def _own_addresses(owner: VirtualHostConfig | ServerConfig) -> tuple[Address, ...]:
    return owner.bind + owner.bind_ssl


def _check_reach(built: Built, settings: Settings, virtualhost: VirtualHostConfig) -> Iterator[Problem]:
    if (settings.bad | built.server.bad) & set(_KEYS):
        return
    listeners = _own_addresses(virtualhost) or _own_addresses(built.config.server)
    if not listeners:
        if any(map(_own_addresses, built.config.virtualhosts)):
            message = "no listener reaches it: neither it nor [blastbeat] has a bind or bind-ssl"
            yield rows.problem_of(settings.section, message)
        return
    ports = {address.port for address in listeners}
    if 0 in ports:
        return  # the system chooses the port
    for text, row in _names_of(settings):
        port = split_host_name(text)[1]
        if port is None or port in ports:
            continue
        listed = ", ".join(map(str, sorted(ports)))
        message = f"no listener has port {port} (those that reach this virtualhost: {listed})"
        hint = "clients get here only through something that forwards the port and keeps the Host header"
        if row:
            yield rows.problem_at(settings.section, row, message, hint, "warning")
        else:
            yield rows.problem_of(settings.section, message, hint, "warning")


def _check_nodes(settings: Settings, virtualhost: VirtualHostConfig) -> Iterator[Problem]:
    if settings.has("node") or (virtualhost.routes and not virtualhost.filters):
        return  # what no route takes is then answered 404
    if virtualhost.filters:
        message = "it has no node: what its filters do not answer is answered 503"
        yield rows.problem_of(settings.section, message, severity="warning")
    else:
        hint = "write node = and the name your node sets as its identity"
        yield rows.problem_of(settings.section, "it has no node, so nobody answers its requests", hint)
