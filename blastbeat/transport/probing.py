"""Whether an address could be bound, and who has it where it can't, without disturbing anybody.

An address is bound and let go at once, never listened on; nothing is connected to and no file is removed. Who
uses one is read from Linux's /proc; elsewhere it is not told.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LISTENING = "0A"
_ACCEPTS = 0x10000  # __SO_ACCEPTCON in /proc/net/unix


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why something could not be bound now. `severity` is that of a Problem."""

    message: str
    severity: str = "error"
    hint: str = ""


class Prober:
    """Asks what can be bound. Whose sockets there are is found once, when first something is in use."""

    def __init__(self) -> None:
        self._owners: list[tuple[str, str]] | None = None

    def tcp(self, host: str, port: int) -> Obstacle | None:
        """What stands in the way of listening on an address; None where nothing does. `host` is empty for
        all interfaces."""
        flags, protocol = socket.AI_PASSIVE, socket.IPPROTO_TCP
        try:
            found = socket.getaddrinfo(host or None, port, 0, socket.SOCK_STREAM, protocol, flags)
        except OSError as error:
            return Obstacle(f"the host name is not known here: {error.strerror}", hint="write an IP address")
        for family, kind, number, _, place in found:
            try:
                _bind_and_let_go(family, kind, number, place)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return Obstacle(f"in use{self._by(_tcp_inodes(port))}", "note")
                if error.errno == errno.EAFNOSUPPORT and not host:
                    continue  # a machine without IPv6 listens on what it has
                return _explain(error, port)
        return None

    def unix(self, path: str) -> Obstacle | None:
        """A note where a server listens on the unix socket at `path`."""
        inodes = {inode for inode, bound in _unix_sockets() if bound == os.path.abspath(path)}
        return Obstacle(f"in use{self._by(inodes)}", "note") if inodes else None

    def _by(self, inodes: set[str]) -> str:
        """`` by NAME (process NUMBER)``; empty where we may not know."""
        if self._owners is None:
            self._owners = list(_find_owners())
        owners = sorted({owner for inode, owner in self._owners if inode in inodes})
        return f" by {', '.join(owners[:3])}" if owners else ""


def is_interface(name: str) -> bool:
    """Whether this machine has a network interface of this name."""
    with suppress(OSError):
        return socket.if_nametoindex(name) > 0
    return False


def _bind_and_let_go(family: int, kind: int, protocol: int, place: tuple[object, ...]) -> None:
    with socket.socket(family, kind, protocol) as probe:
        # As the server does: connections that were closed lately are not in the way. Who listens still is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind(place)


def _explain(error: OSError, port: int) -> Obstacle:
    if error.errno == errno.EADDRNOTAVAIL:
        return Obstacle("this machine has no such address", hint="`ip address` lists those it has")
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = "start the server as root with uid set, or with CAP_NET_BIND_SERVICE"
        return Obstacle(f"user {os.geteuid()} may not bind port {port}", "warning", hint)
    return Obstacle(f"can't be bound: {error.strerror or error}")


# ---------------------------------------------------------------- who has it


def _tcp_inodes(port: int) -> set[str]:
    """Of the sockets that listen on `port`, whatever their address."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in _lines(f"/proc/net/{table}"):
            words = line.split()
            if len(words) > 9 and words[3] == _LISTENING and words[1].endswith(f":{port:04X}"):
                found.add(words[9])
    return found


def _unix_sockets() -> Iterator[tuple[str, str]]:
    """Inode and path of each unix socket that somebody listens on."""
    for line in _lines("/proc/net/unix"):
        words = line.split(None, 7)
        if len(words) == 8 and int(words[3], 16) & _ACCEPTS:
            yield words[6], os.path.abspath(words[7])


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    except OSError:
        return []


def _find_owners() -> Iterator[tuple[str, str]]:
    """Inode and owner of every socket of the processes we may look at."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name = (process / "comm").read_text().strip()
            for descriptor in os.scandir(process / "fd"):
                with suppress(OSError):
                    match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor.path))
                    if match:
                        yield match[1], f"{name} (process {process.name})"
