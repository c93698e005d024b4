"""Sockets that the service manager has bound for us (socket activation): which `bind` each of them is.

Source: sd_listen_fds(3). Knows addresses, nothing of who will connect there. A passed socket stays open as
long as the server lives, also while no listener has it: it could not be bound anew.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import MutableMapping, Sequence

from blastbeat.config.model import Address
from blastbeat.errors import StartError

FIRST = 3
"""The descriptor after standard input, output and error."""

VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
_ANY = ("0.0.0.0", "::")


class PassedSockets:
    """The sockets, listening already. Empty where none were passed."""

    def __init__(self, sockets: Sequence[socket.socket] = ()) -> None:
        self._sockets = list(sockets)

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> PassedSockets:
        """What was passed to this very process. The variables are taken out, so that no process started later
        takes the descriptors for its own. Raises StartError for what is no listening TCP socket."""
        pid, number, _ = (environ.pop(name, "") for name in VARIABLES)
        if pid != str(os.getpid()) or not (number.isascii() and number.isdigit()):
            return cls()
        passed = cls()
        try:
            for descriptor in range(FIRST, FIRST + int(number)):
                passed._sockets.append(_adopt(descriptor))
        except BaseException:
            passed.close()
            raise
        return passed

    def __bool__(self) -> bool:
        return bool(self._sockets)

    def __str__(self) -> str:
        return ", ".join(str(_name(each)) for each in self._sockets)

    def check(self, addresses: Sequence[Address]) -> None:
        """Raises StartError when a socket is none of these addresses: clients would knock there unheard."""
        lost = [each for each in self._sockets if not any(_is(each, address) for address in addresses)]
        if lost:
            names = ", ".join(str(_name(each)) for each in lost)
            wanted = ", ".join(map(str, addresses)) or "none"
            raise StartError(
                f"systemd passed a socket for {names}, which no bind names (passed: {self}; bind: {wanted}); "
                "write the same addresses into ListenStream and bind"
            )

    def take(self, address: Address) -> list[socket.socket]:
        """Copies of those that are `address`, for the caller to close; empty when there are none."""
        return [each.dup() for each in self._sockets if _is(each, address)]

    def close(self) -> None:
        for each in self._sockets:
            each.close()
        self._sockets.clear()


def _adopt(descriptor: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise StartError(
            f"systemd passed descriptor {descriptor}, which is no socket: {error.strerror}"
        ) from None
    os.set_inheritable(descriptor, False)
    try:
        is_usable = (
            sock.family in (socket.AF_INET, socket.AF_INET6)
            and sock.type == socket.SOCK_STREAM
            and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        )
        if not is_usable:
            what = sock.getsockname() or f"descriptor {descriptor}"
            raise StartError(
                f"systemd passed {what}, which is no listening TCP socket; write ListenStream=ADDRESS:PORT, "
                "and not Accept=yes"
            )
    except BaseException:
        sock.close()
        raise
    return sock


def _name(sock: socket.socket) -> Address:
    host, port = sock.getsockname()[:2]
    return Address(host, port)


def _is(sock: socket.socket, address: Address) -> bool:
    name = _name(sock)
    if name.port != address.port:
        return False
    if not address.host:
        return name.host in _ANY
    return ipaddress.ip_address(name.host.partition("%")[0]) in _resolve(address)


def _resolve(address: Address) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """What a host name means on this machine; an address means itself."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError:
        return set()  # the listener will say so
    return {ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found}
