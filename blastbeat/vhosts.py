"""Which virtualhost a request belongs to: `protocol.md` §7 as a table of names.

Generic over what a name leads to, so it knows nothing of a virtualhost but its names and the listeners it is
reachable on. A look-up costs a handful of dict accesses, whatever the number of names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Generic, TypeVar

from blastbeat.errors import ClientError, ConfigError, Problem

T = TypeVar("T")

MAX_HOST_LENGTH = 255
"""Characters of a host name: RFC 1035 §2.3.4."""

MAX_REMEMBERED = 4096
"""Hosts, as clients spell them, whose virtualhost is remembered per table, beside one per name in it."""

# Stricter than RFC 3986's reg-name on purpose: no sub-delims, no percent-encoding. Nobody serves such names,
# and a comma or an `@` would be read differently further on.
_AUTHORITY = re.compile(rb"(?:(\[[0-9A-Fa-f:.]+\])|([A-Za-z0-9._~-]+))(?::([0-9]*))?")
_NAME = re.compile(r"(?:(\*)(\.[^*:\[\]]+)?|(\[[0-9A-Fa-f:.]+\])|([^*:\[\]]+))(?::([0-9]+))?")


def parse_authority(authority: bytes) -> tuple[bytes, int | None]:
    """Host as it is compared (lower case, no trailing dot, IPv6 in its shortest form and brackets) and port,
    None where there is none. Raises ClientError(400)."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise ClientError(400, "malformed Host")
    literal, name, digits = match.groups()
    if literal is not None:
        host = _shortest_ipv6(literal)
    else:
        host = _compared(name)
    if not host or len(host) > MAX_HOST_LENGTH:
        raise ClientError(400, "malformed Host")
    return host, _parse_port(digits)


def _compared(name: bytes) -> bytes:
    lowered = name.lower()
    return lowered[:-1] if lowered.endswith(b".") else lowered


def _shortest_ipv6(literal: bytes) -> bytes:
    try:
        return b"[%b]" % str(IPv6Address(literal[1:-1].decode())).encode()
    except ValueError:
        raise ClientError(400, "malformed IPv6 address in Host") from None


def _parse_port(digits: bytes | None) -> int | None:
    if not digits:  # RFC 3986 §3.2.3: an empty port is the default one
        return None
    if len(digits) > 5 or int(digits) > 65535:
        raise ClientError(400, "malformed port in Host")
    return int(digits)


@dataclass(slots=True)
class _Names(Generic[T]):
    """The names reachable in one place. Keys are hosts with a port, or with None; suffixes begin with a dot,
    the empty one is ``*``."""

    names: dict[tuple[bytes, int | None], T] = field(default_factory=dict)
    aliases: dict[tuple[bytes, int | None], T] = field(default_factory=dict)
    suffixes: dict[tuple[bytes, int | None], T] = field(default_factory=dict)
    suffix_aliases: dict[tuple[bytes, int | None], T] = field(default_factory=dict)


class HostTable(Generic[T]):
    """Host names and what they lead to, per listener. Filled once, then only asked.

    `shared`: the keys of the listeners that serve every virtualhost without one of its own.
    """

    def __init__(self, shared: Collection[Hashable] = ()) -> None:
        self._shared_keys = frozenset(shared)
        self._shared: _Names[T] = _Names()
        self._own: dict[Hashable, _Names[T]] = {}
        self._remembered: dict[tuple[bytes, int, Hashable], T] = {}
        self._room = MAX_REMEMBERED  # grows with the names, so that all of them may be asked for in turn

    def add(
        self, name: str, value: T, *, aliases: Sequence[str] = (), listeners: Collection[Hashable] = ()
    ) -> None:
        """One virtualhost: its name and aliases as configured (``host``, ``host:port``, ``*.suffix``, ``*``),
        reachable on `listeners` only, or on the shared ones where it has none of its own.

        Of two with the same name the first keeps it. Raises ConfigError for what is no host name.
        """
        key, is_suffix = _parse_name(name)
        for place in self._places_of(listeners):
            (place.suffixes if is_suffix else place.names).setdefault(key, value)
        self._remembered.clear()
        self._room += 1
        for alias in aliases:
            if alias != name:
                self.add_alias(alias, value, listeners=listeners)

    def add_alias(self, alias: str, value: T, *, listeners: Collection[Hashable] = ()) -> None:
        """A further name, which counts after all names. Raises ConfigError for what is no host name."""
        key, is_suffix = _parse_name(alias)
        for place in self._places_of(listeners):
            (place.suffix_aliases if is_suffix else place.aliases).setdefault(key, value)
        self._remembered.clear()
        self._room += 1

    def _places_of(self, listeners: Collection[Hashable]) -> list[_Names[T]]:
        return [self._own.setdefault(key, _Names()) for key in listeners] or [self._shared]

    def find(self, authority: bytes, default_port: int, listener: Hashable = None) -> T | None:
        """What `authority`, as asked for on `listener`, leads to; None when nothing does.

        `default_port` is the scheme's. An empty authority (HTTP/1.0) matches ``*`` only. Raises
        ClientError(400) for a malformed one.
        """
        asked = (authority, default_port, listener)
        value = self._remembered.get(asked)
        if value is None:
            value = self._find(authority, default_port, listener)
            if value is not None:
                if len(self._remembered) >= self._room:
                    self._remembered.clear()
                self._remembered[asked] = value
        return value

    def _find(self, authority: bytes, default_port: int, listener: Hashable) -> T | None:
        places = self._places(listener)
        if not authority:
            return _first(places, ((b"", default_port), (b"", None)), suffixes=True)
        host, port = parse_authority(authority)
        port = default_port if port is None else port
        found = _first(places, ((host, port), (host, None)))
        if found is not None:
            return found
        dot = -1 if host.startswith(b"[") else host.find(b".")
        while dot >= 0:
            suffix = host[dot:]
            found = _first(places, ((suffix, port), (suffix, None)), suffixes=True)
            if found is not None:
                return found
            dot = host.find(b".", dot + 1)
        return _first(places, ((b"", port), (b"", None)), suffixes=True)

    def _places(self, listener: Hashable) -> list[_Names[T]]:
        own = self._own.get(listener)
        if own is None:
            return [self._shared] if listener in self._shared_keys or not self._shared_keys else []
        return [own, self._shared] if listener in self._shared_keys else [own]


def _first(
    places: list[_Names[T]], keys: Sequence[tuple[bytes, int | None]], *, suffixes: bool = False
) -> T | None:
    """The names with port before those without, all names before any alias."""
    for aliases in (False, True):
        for key in keys:
            for place in places:
                if suffixes:
                    value = (place.suffix_aliases if aliases else place.suffixes).get(key)
                else:
                    value = (place.aliases if aliases else place.names).get(key)
                if value is not None:
                    return value
    return None


def _parse_name(text: str) -> tuple[tuple[bytes, int | None], bool]:
    """The key of a configured name, and whether it is a suffix (``*`` included)."""
    match = _NAME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        star, suffix, literal, name, digits = match.groups()
        port = _parse_port(digits.encode()) if digits else None
        if star:
            suffix_host = b"." + parse_authority(_ascii(suffix[1:]))[0] if suffix else b""
            return (suffix_host, port), True
        if literal:
            return (_shortest_ipv6(literal.encode()), port), False
        host, _ = parse_authority(_ascii(name))
        return (host, port), False
    except (ValueError, ClientError):
        problem = Problem(
            "not a host name",
            value=text,
            hint="write it like example.org, example.org:8000, *.example.org or *",
        )
        raise ConfigError([problem]) from None


def _ascii(name: str) -> bytes:
    """International names as clients send them, e.g. ``bücher.example`` as ``xn--bcher-kva.example``."""
    return name.encode() if name.isascii() else name.encode("idna")
