"""What the service is told of a request, and what of its answer goes where.

Pure: fields in, fields out. Knows no socket and no cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from blastbeat.events import Headers, Request
from blastbeat.headers import field_items, field_values, without

_TOLD = frozenset(
    {b"x-forwarded-method", b"x-forwarded-uri", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-for"}
)
"""Written by us, whatever came."""

_NEVER_ASKED = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect"}
    # What nginx's users tell the service by these names, a client could tell it as well.
    | {b"x-original-url", b"x-original-uri", b"x-original-method"}
    # They ask for a representation; the question is another one, and its answer must not be a 304 or a part.
    | {b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range", b"range"}
)

_OF_CONNECTIONS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
    | {b"content-length", b"alt-svc"}
)
"""Of an answer, what is about the connection to the service (RFC 9110 §7.6.1)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service said; names of fields in lower case."""

    status: int
    headers: Headers
    body: bytes = b""

    @property
    def allows(self) -> bool:
        return 200 <= self.status < 300


def question(request: Request, passed_on: frozenset[bytes]) -> Headers:
    """The fields of the question. `passed_on` names those of the client that the service is shown; empty for
    all. What the server itself tells of a request is always there."""
    fields = [
        (name, value)
        for name, value in request.headers
        if name not in _TOLD and name not in _NEVER_ASKED and (not passed_on or name in passed_on)
    ]
    return [
        *fields,
        (b"x-forwarded-method", request.method),
        (b"x-forwarded-proto", request.scheme),
        (b"x-forwarded-host", request.header(b"host") or request.server_name),
        (b"x-forwarded-uri", request.target),
        (b"x-forwarded-for", request.remote_addr),
    ]


def answer_fields(reply: Reply) -> Headers:
    """Of a refusal, what the client gets."""
    named = frozenset(field_items(reply.headers, b"connection"))
    return without(reply.headers, _OF_CONNECTIONS | named)


def told_fields(reply: Reply, names: Iterable[bytes]) -> Headers:
    """Of a consent, what the node gets."""
    return [(name, value) for name in names for value in field_values(reply.headers, name)]


def cookies_of(reply: Reply) -> Sequence[bytes]:
    """Of a consent, the cookies it sets."""
    return list(field_values(reply.headers, b"set-cookie"))
