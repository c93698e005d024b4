"""Where a client's token stands: in `Authorization` (RFC 6750 §2.1), a cookie, or the query (§2.3).

Pure; knows nothing of what a token says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from blastbeat.events import Request
from blastbeat.headers import field_values, is_field
from blastbeat.validators import words

Source = Callable[[Request], list[bytes]]
"""All tokens that stand in one place of a request."""

_COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class Ambiguous(ValueError):
    """There is more than one token."""


class Malformed(ValueError):
    """There is a token, but not one that can be looked at; the text says why and holds nothing of it."""


def _in_header(request: Request) -> list[bytes]:
    found = []
    for value in field_values(request.headers, b"authorization"):
        scheme, _, token = value.partition(b" ")
        if scheme.lower() == b"bearer":
            found.append(token.strip(b" "))
    return found


def _in_cookie(name: bytes) -> Source:
    def find(request: Request) -> list[bytes]:
        found = []
        for line in field_values(request.headers, b"cookie"):
            for pair in line.split(b";"):
                key, equals, value = pair.strip(b" \t").partition(b"=")
                if equals and key == name:
                    found.append(value.strip(b'"'))
        return found

    return find


def _in_query(name: bytes) -> Source:
    def find(request: Request) -> list[bytes]:
        pairs = (pair.partition(b"=") for pair in request.target.partition(b"?")[2].split(b"&"))
        return [value for key, equals, value in pairs if equals and key == name]

    return find


def sources(value: object) -> tuple[Source, ...]:
    """Validator: ``header``, ``cookie:NAME``, ``query:NAME``, in the order they are looked at."""
    return tuple(_source(word) for word in words(value))


def _source(word: str) -> Source:
    place, colon, name = word.partition(":")
    if word == "header":
        return _in_header
    if colon and place in ("cookie", "query") and is_field(name.encode(), b""):
        return (_in_cookie if place == "cookie" else _in_query)(name.encode())
    raise ValueError(f"has {word!r}; write header, cookie:NAME or query:NAME")


def find_token(request: Request, places: Sequence[Source], limit: int) -> bytes | None:
    """The token in the first of `places` that has one, at most `limit` bytes; None where none has. Raises
    Malformed; and Ambiguous for two in one place, for who else reads the request may take the other one."""
    for place in places:
        found = place(request)
        if len(found) > 1:
            raise Ambiguous("more than one token")
        if found:
            return _checked(found[0], limit)
    return None


def _checked(token: bytes, limit: int) -> bytes:
    if len(token) > limit:
        raise Malformed(f"a token of more than {limit} bytes")
    if not _COMPACT.fullmatch(token):
        raise Malformed("what should be a token has not the form of one")
    return token
