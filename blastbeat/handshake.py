"""The WebSocket handshake (RFC 6455 §4.2): what it is answered with, and who may make it.

Pure: fields in, verdicts out. That it is a handshake at all, with one valid key, the gate has seen to.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha1

from blastbeat.events import Headers
from blastbeat.headers import field_value, field_values, without

VERSION = b"13"

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_DEFAULT_PORTS = {b"http": b"80", b"https": b"443"}


def accept_value(key: bytes) -> bytes:
    """`Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2)."""
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


OWN_FIELDS = frozenset(
    {
        b"connection",
        b"upgrade",
        b"sec-websocket-accept",
        b"sec-websocket-extensions",
        b"sec-websocket-version",
    }
    | {b"content-length", b"transfer-encoding", b"keep-alive", b"trailer", b"te", b"proxy-connection"}
)
"""Fields of a 101 that are the server's to say, whatever its node or a filter does."""


def format_switch(key: bytes, extensions: bytes, headers: Headers, date: bytes) -> bytes:
    """The head that accepts a handshake (RFC 6455 §4.2.2), with `headers` besides. Empty `extensions` or
    `date` are left out."""
    fields: Headers = [
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Accept", accept_value(key)),
    ]
    if extensions:
        fields.append((b"Sec-WebSocket-Extensions", extensions))
    fields += without(headers, OWN_FIELDS)
    if date and field_value(headers, b"date") is None:
        fields.append((b"Date", date))
    if field_value(headers, b"server") is None:
        fields.append((b"Server", b"blastbeat"))
    lines = [b"%b: %b\r\n" % field for field in fields]
    return b"HTTP/1.1 101 Switching Protocols\r\n%b\r\n" % b"".join(lines)


def speaks_our_version(headers: Headers) -> bool:
    """True where the client speaks the one version there is; any other is answered 426."""
    return _items(headers, b"sec-websocket-version") == [VERSION]


def offered_protocols(headers: Headers) -> list[bytes]:
    """The subprotocols that the client offers, in its order; they are compared as they are written."""
    return _items(headers, b"sec-websocket-protocol")


def _items(headers: Headers, name: bytes) -> list[bytes]:
    """The members of all comma lists under a name, as they are written."""
    parts = (part.strip(b" \t") for value in field_values(headers, name) for part in value.split(b","))
    return [part for part in parts if part]


def choose_protocol(configured: Sequence[bytes], offered: Sequence[bytes]) -> bytes:
    """The first of those configured that the client offers, ``b""`` for none."""
    return next((protocol for protocol in configured if protocol in offered), b"")


def is_origin_allowed(headers: Headers, authority: bytes, scheme: bytes, allowed: Sequence[bytes]) -> bool:
    """Whether a page of the request's `Origin` may open a WebSocket here (RFC 6455 §10.2).

    `allowed` are `*`, `same`, and origins such as ``https://example.org`` or ``https://*.example.org``; none
    of them: any. Who sends no `Origin` is no browser, and may say what it likes anyway.
    """
    origin = field_value(headers, b"origin")
    if not allowed or origin is None:
        return True
    origin = origin.lower()
    origin_scheme, _, origin_host = origin.partition(b"://")
    for each in allowed:
        if each == b"*":
            return True
        if each == b"same":
            # A proxy before us may have taken TLS away, so the scheme is no part of it.
            if origin_host and _without_port(origin_host, origin_scheme) == _without_port(
                authority.lower(), scheme
            ):
                return True
        elif _matches(origin, each.lower()):
            return True
    return False


def _without_port(host: bytes, scheme: bytes) -> bytes:
    """Without a port that is the scheme's own."""
    name, colon, port = host.rpartition(b":")
    return name if colon and port in (b"", _DEFAULT_PORTS.get(scheme)) and not host.endswith(b"]") else host


def _matches(origin: bytes, allowed: bytes) -> bool:
    scheme, star, suffix = allowed.partition(b"*")
    if not star:
        return origin == allowed
    return origin.startswith(scheme) and origin.endswith(suffix) and len(origin) > len(scheme) + len(suffix)
