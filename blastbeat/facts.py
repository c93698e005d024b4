"""What is true of every request of a client connection, or to a virtualhost: prepared once, then looked up.

Values, and who is trusted to tell them. Decides nothing about a request; that is `forwarding`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from blastbeat.errors import ConfigError, Problem
from blastbeat.events import Headers


class TrustedProxies:
    """The networks of `trusted-proxies`. Falsy when there are none."""

    __slots__ = ("_networks",)

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """`networks`: addresses or CIDR networks. Raises ConfigError naming every one that is neither."""
        self._networks: list[IPv4Network | IPv6Network] = []
        problems = []
        for text in networks:
            try:
                self._networks.append(ip_network(text.strip(), strict=False))
            except ValueError:
                problems.append(
                    Problem(
                        "not an IP address or network",
                        key="trusted-proxies",
                        value=text,
                        hint="write it like 10.0.0.0/8 or 2001:db8::/32",
                    )
                )
        if problems:
            raise ConfigError(problems)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def trusts(self, address: str) -> bool:
        """True for an address within one of the networks; IPv4 mapped into IPv6 counts as IPv4."""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What TLS knows of a client connection.

    `server_name`: what the client asked for (RFC 6066 §3), lower case, empty for none. `client_subject`: of
    its certificate, as RFC 2253 writes it, empty for none. `client_verify`: ``"SUCCESS"``, or ``"NONE"``
    where there is no certificate; one that does not verify ends the handshake. `asked` is what the client was
    asked for: the file of `client-ca`, and `client-verify`.
    """

    server_name: bytes = b""
    client_subject: str = ""
    client_verify: str = "NONE"
    asked: tuple[str, str] = ("", "off")


@dataclass(slots=True)
class ConnectionFacts:
    """What is true of every request of one client connection.

    `local_name` stands in for a host where none was asked for (HTTP/1.0) and none is configured.
    """

    remote_addr: str
    remote_port: int
    scheme: bytes  # b"http" or b"https", of the connection itself
    listener_port: int
    trusted_proxies: TrustedProxies | None = None
    local_name: bytes = b"localhost"
    tls: TlsFacts | None = None
    is_trusted: bool = field(init=False)
    repeated: Repeated | None = field(init=False, default=None)  # of the last request
    found: tuple[object, bytes, Any] | None = field(init=False, default=None)
    """Which table of hosts led the last request to which virtualhost, and by which name."""
    origin: Origin = field(init=False)
    port: bytes = field(init=False)

    def __post_init__(self) -> None:
        proxies = self.trusted_proxies
        self.is_trusted = proxies is not None and bool(proxies) and proxies.trusts(self.remote_addr)
        self.origin = Origin(self.remote_addr.encode(), b"%d" % self.remote_port, self.scheme)
        self.port = b"%d" % self.listener_port


class Repeated:
    """What was made of a list of fields, for when the client sends it once more: `headers` without the last
    one, the request's number. `shown` is what logs show of them and of `origin`: the client's address and
    port, `Referer` and `User-Agent`."""

    __slots__ = ("headers", "host", "rendered", "server_name", "server_port", "shown", "source")

    def __init__(
        self,
        source: Headers,
        host: HostFacts,
        headers: Headers,
        server_name: bytes,
        server_port: bytes,
        origin: Origin,
    ) -> None:
        self.source = source
        self.host = host
        self.headers = headers
        self.server_name = server_name
        self.server_port = server_port
        self.rendered: dict[object, Any] = {}
        self.shown = (origin.addr.decode(), int(origin.port), *shown_fields(source))


def shown_fields(headers: Headers) -> tuple[bytes, bytes]:
    """`Referer` and `User-Agent`, empty where there are none; of several the last."""
    referer = user_agent = b""
    for name, value in headers:
        if name == b"user-agent":
            user_agent = value
        elif name == b"referer":
            referer = value
    return referer, user_agent


@dataclass(slots=True)
class HostFacts:
    """What is true of every request to one virtualhost. Without `server_name` (a wildcard) the host that
    was asked for takes its place; without `server_port` the listener's port does."""

    virtualhost: str
    server_name: bytes = b""
    server_port: bytes = b""
    raw_path_info: bool = False

    @classmethod
    def of(cls, name: str, *, raw_path_info: bool = False) -> HostFacts:
        """From a virtualhost's name as configured: ``localhost:8000``, ``[::1]``, ``*.example.org``."""
        host, port = split_port(name.encode("idna") if not name.isascii() else name.encode())
        return cls(name, b"" if name.startswith("*") else host, port, raw_path_info)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from: the peer, or what a trusted one says of it."""

    addr: bytes
    port: bytes  # b"0" where a proxy did not tell
    scheme: bytes


def split_port(authority: bytes) -> tuple[bytes, bytes]:
    """Host (IPv6 in its brackets) and port, which may be empty."""
    host, colon, port = authority.rpartition(b":")
    return (host, port) if colon and not authority.endswith(b"]") else (authority, b"")
