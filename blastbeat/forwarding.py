"""What of a client's request is passed on: `protocol.md` §5 as one function from `RequestHead` to `Request`.

Decides fields only, for both request encodings alike; how they are spelled for a node is the encoders'
business. Knows no socket, clock or session: facts that hold for a whole connection or virtualhost are
prepared once and passed in.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address

from blastbeat.events import Headers, RepeatedHeaders, Request, RequestHead
from blastbeat.facts import ConnectionFacts, HostFacts, Origin, Repeated, split_port
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
    origin = connection.origin
    repeated = connection.repeated
    if connection.is_trusted:
        origin = forwarded_origin(head.headers, connection)
        request_id = _trusted_request_id(head.headers) or request_id
        repeated = connection.repeated = _prepare(head, connection, host, origin)
    elif repeated is None or repeated.source is not head.headers or repeated.host is not host:
        repeated = connection.repeated = _prepare(head, connection, host, origin)
    headers = RepeatedHeaders(repeated.headers)
    headers.append((b"x-request-id", request_id))
    headers.rendered = repeated.rendered
    return Request(
        head.method,
        head.path,
        head.version,
        headers,
        head.content_length,
        head.chunked,
        origin.scheme,
        repeated.server_name,
        repeated.server_port,
        origin.addr,
        origin.port,
        request_id,
        host.virtualhost,
        b"",
        host.raw_path_info,
        head.upgrade,
    )


def _prepare(head: RequestHead, connection: ConnectionFacts, host: HostFacts, origin: Origin) -> Repeated:
    """Everything about the fields that holds for each request with the same ones."""
    authority = head.authority
    server_name, server_port = host.server_name, host.server_port
    if not server_name:
        server_name = split_port(authority)[0] or connection.local_name
    server_port = server_port or connection.port
    if not authority:
        authority = server_name + b":" + server_port
    headers: Headers = [(b"host", authority)]
    treatments = _TREATMENTS
    named: list[bytes] = []
    for pair in head.headers:
        treatment = treatments[pair[0]]
        if not treatment:
            headers.append(pair)
        elif treatment == _CONNECTION:
            named.append(pair[1])
        elif treatment == _FORWARDING and connection.is_trusted:
            headers.append(pair)
    if named:
        headers = _without_named(headers, named)
    _append_own(headers, head)
    headers += (
        (b"x-forwarded-for", origin.addr),
        (b"x-forwarded-proto", origin.scheme),
        (b"x-forwarded-host", authority),
    )
    return Repeated(head.headers, host, headers, server_name, server_port, origin)


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
