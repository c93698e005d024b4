"""What of a client's request is passed on: `protocol.md` §5 as one function from `RequestHead` to `Request`.

Decides fields only, for both request encodings alike; how they are spelled for a node is the encoders'
business. Knows no socket, clock or session: facts that hold for a whole connection or virtualhost are
prepared once and passed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from blastbeat.errors import ConfigError, Problem
from blastbeat.events import Headers, Request, RequestHead
from blastbeat.headers import NameTable, field_items, field_value

MAX_NODE_LENGTH = 64
"""Bytes of an entry of such a chain: an IPv6 address in brackets with a port has 47."""

MAX_FORWARDED_HOPS = 32
"""Entries of a forwarding chain that are looked at, from the right: the rest is nobody's proxy."""

# ---------------------------------------------------------------- which fields go on

_PASS, _DROP, _FORWARDING, _CONNECTION = 0, 1, 2, 3

# Written anew from the parsed request, or meant for this hop only (RFC 9110 §7.6.1).
_WRITTEN_ANEW = (b"host", b"content-length", b"transfer-encoding", b"x-request-id")
_HOP_BY_HOP = (
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"upgrade",
    b"expect",
    b"http2-settings",
)
_OVERWRITTEN = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")

_KEPT_THOUGH_NAMED = frozenset(
    {b"authorization", b"cache-control", b"content-encoding", b"content-range", b"content-type", b"cookie"}
    | {b"origin", b"range", b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol"}
)
"""Fields that `Connection` cannot remove. They are meant for whoever answers (RFC 9110 §7.6.1), and losing
one would make another request of it, e.g. of one that a proxy before us has authenticated."""


def _treatment(name: bytes) -> int:
    if name == b"connection":
        return _CONNECTION
    if name in _WRITTEN_ANEW or name in _HOP_BY_HOP or name in _OVERWRITTEN:
        return _DROP
    # CGI cannot tell `a_b` from `a-b`, nor a `Proxy` field from the variable HTTP_PROXY ("httpoxy").
    if name == b"proxy" or b"_" in name:
        return _DROP
    if name in (b"forwarded", b"x-real-ip") or name.startswith(b"x-forwarded-"):
        return _FORWARDING
    return _PASS


_TREATMENTS = NameTable(_treatment)


def is_passed_on(name: bytes) -> bool:
    """True for a field that nodes are sent as somebody before us wrote it; `name` in lower case."""
    return _TREATMENTS[name] in (_PASS, _FORWARDING)


# ---------------------------------------------------------------- trusted proxies


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


# ---------------------------------------------------------------- facts prepared once


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
    origin: Origin = field(init=False)
    port: bytes = field(init=False)

    def __post_init__(self) -> None:
        proxies = self.trusted_proxies
        self.is_trusted = proxies is not None and bool(proxies) and proxies.trusts(self.remote_addr)
        self.origin = Origin(self.remote_addr.encode(), b"%d" % self.remote_port, self.scheme)
        self.port = b"%d" % self.listener_port


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
        host, port = _split_port(name.encode("idna") if not name.isascii() else name.encode())
        return cls(name, b"" if name.startswith("*") else host, port, raw_path_info)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from: the peer, or what a trusted one says of it."""

    addr: bytes
    port: bytes  # b"0" where a proxy did not tell
    scheme: bytes


def _split_port(authority: bytes) -> tuple[bytes, bytes]:
    """Host (IPv6 in its brackets) and port, which may be empty."""
    host, colon, port = authority.rpartition(b":")
    return (host, port) if colon and not authority.endswith(b"]") else (authority, b"")


# ---------------------------------------------------------------- what trusted proxies say


def forwarded_origin(headers: Headers, connection: ConnectionFacts) -> Origin:
    """The rightmost address that is not a trusted proxy, and the scheme told with it.

    `X-Forwarded-For` goes before `Forwarded`, and this before `X-Real-IP`: a proxy that writes the first
    often lets a client's own `Forwarded` pass. An entry that is no address ends the chain.
    """
    chain = [(entry, b"") for entry in field_items(headers, b"x-forwarded-for")]
    if not chain:
        chain = _forwarded_chain(field_items(headers, b"forwarded"))
    if not chain:
        chain = [(entry, b"") for entry in field_items(headers, b"x-real-ip")[-1:]]
    proxies = connection.trusted_proxies
    addr, port, scheme = connection.origin.addr, connection.origin.port, b""
    depth = 0
    for entry, proto in reversed(chain[-MAX_FORWARDED_HOPS:]):
        parsed = _parse_node(entry) if len(entry) <= MAX_NODE_LENGTH else None
        scheme = proto  # believed also where the address is hidden: who wrote it is trusted
        depth += 1
        if parsed is None:
            break
        addr, port = parsed
        if proxies is None or not proxies.trusts(addr.decode()):
            break
    if not scheme:
        # Proxies either replace the field or append to it in step with the addresses.
        protos = field_items(headers, b"x-forwarded-proto")
        scheme = protos[-min(max(depth, 1), len(protos))] if protos else b""
    return Origin(addr, port, scheme if scheme in (b"http", b"https") else connection.scheme)


def _forwarded_chain(elements: list[bytes]) -> list[tuple[bytes, bytes]]:
    """`for` and `proto` of each element of `Forwarded` (RFC 7239 §4); neither ever holds a comma."""
    chain = []
    for element in elements[-MAX_FORWARDED_HOPS:]:
        pairs = {
            name.strip(): value.strip().strip(b'"')
            for name, _, value in (pair.partition(b"=") for pair in element.split(b";", 8))
        }
        chain.append((pairs.get(b"for", b""), pairs.get(b"proto", b"")))
    return chain


_NODE = re.compile(rb"\[([0-9a-f:.]+)\](?::([0-9]{1,5}))?|([0-9.]+)(?::([0-9]{1,5}))?|([0-9a-f:.]+)")


@lru_cache(maxsize=1024)  # entries are at most MAX_NODE_LENGTH bytes
def _parse_node(entry: bytes) -> tuple[bytes, bytes] | None:
    """Address and port of ``192.0.2.1``, ``192.0.2.1:80``, ``2001:db8::1`` or ``[2001:db8::1]:80``."""
    match = _NODE.fullmatch(entry)
    if match is None:
        return None
    addr = match[1] or match[3] or match[5]
    try:
        return str(ip_address(addr.decode())).encode(), match[2] or match[4] or b"0"
    except ValueError:
        return None


# ---------------------------------------------------------------- the request

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


def build_request(
    head: RequestHead, connection: ConnectionFacts, host: HostFacts, request_id: bytes
) -> Request:
    """The request as every node may see it. `request_id` is used unless a trusted peer sent a sane one."""
    authority = head.authority
    server_name, server_port = host.server_name, host.server_port
    if not server_name:
        server_name = _split_port(authority)[0] or connection.local_name
    server_port = server_port or connection.port
    if not authority:
        authority = server_name + b":" + server_port
    headers: Headers = [(b"host", authority)]
    is_trusted = connection.is_trusted
    treatments = _TREATMENTS
    named: list[bytes] = []
    for pair in head.headers:
        treatment = treatments[pair[0]]
        if not treatment:
            headers.append(pair)
        elif treatment == _CONNECTION:
            named.append(pair[1])
        elif treatment == _FORWARDING and is_trusted:
            headers.append(pair)
    if named:
        headers = _without_named(headers, named)
    origin = connection.origin
    if is_trusted:
        origin = forwarded_origin(head.headers, connection)
        request_id = _trusted_request_id(head.headers) or request_id
    _append_own(headers, head)
    headers += (
        (b"x-forwarded-for", origin.addr),
        (b"x-forwarded-proto", origin.scheme),
        (b"x-forwarded-host", authority),
        (b"x-request-id", request_id),
    )
    return Request(
        head.method,
        head.path,
        head.version,
        headers,
        head.content_length,
        head.chunked,
        origin.scheme,
        server_name,
        server_port,
        origin.addr,
        origin.port,
        request_id,
        host.virtualhost,
        b"",
        host.raw_path_info,
        head.upgrade,
    )


def _append_own(headers: Headers, head: RequestHead) -> None:
    """Framing and upgrade fields, written anew."""
    if head.content_length is not None:
        headers.append((b"content-length", b"%d" % head.content_length))
    elif head.chunked:
        headers.append((b"transfer-encoding", b"chunked"))
    if head.upgrade:
        headers += ((b"connection", b"Upgrade"), (b"upgrade", b"websocket"))


_USUAL_CONNECTION = frozenset({b"keep-alive", b"close", b"Upgrade", b"upgrade", b"Keep-Alive"})


def _without_named(headers: Headers, connection_values: list[bytes]) -> Headers:
    """Drops the fields that `Connection` names, but none that only its sender could want dropped."""
    if len(connection_values) == 1 and connection_values[0] in _USUAL_CONNECTION:
        return headers
    named = {
        item.strip(b" \t") for value in connection_values for item in value.lower().split(b",")
    } - _KEPT_THOUGH_NAMED
    treatments = _TREATMENTS  # what a trusted proxy told of the way here, no client can take back either
    return [
        headers[0],
        *(pair for pair in headers[1:] if pair[0] not in named or treatments[pair[0]] == _FORWARDING),
    ]


def _trusted_request_id(headers: Headers) -> bytes:
    value = field_value(headers, b"x-request-id")
    return value if value is not None and _REQUEST_ID.fullmatch(value) else b""
