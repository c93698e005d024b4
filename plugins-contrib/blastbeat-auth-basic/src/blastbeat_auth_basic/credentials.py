"""The texts of RFC 7617: what a client sends in `Authorization`, what it is asked in `WWW-Authenticate`.

Pure; knows no user and no hash.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import NamedTuple

from blastbeat.headers import field_values
from blastbeat.validators import text

MAX_LENGTH = 1024
"""Bytes of coded credentials that are looked at: SHA-crypt takes time for each byte of a password."""

_CONTROL = {*range(32), 127}


class Credentials(NamedTuple):
    """What the client says it is. Bytes of valid UTF-8, without control characters, no colon in `user`."""

    user: bytes
    password: bytes


class Malformed(ValueError):
    """There are credentials, but not such as RFC 7617 describes; the text says why, and holds nothing of
    them."""


def parse_credentials(headers: Sequence[tuple[bytes, bytes]]) -> Credentials | None:
    """None where no `Authorization: Basic` was sent. Raises Malformed."""
    values = list(field_values(headers, b"authorization"))
    if not values:
        return None
    if len(values) > 1:
        raise Malformed("more than one Authorization field")
    scheme, _, coded = values[0].partition(b" ")
    if scheme.lower() != b"basic":
        return None
    if len(coded) > MAX_LENGTH:
        raise Malformed(f"credentials longer than {MAX_LENGTH} bytes")
    try:
        decoded = base64.b64decode(coded.strip(b" "), validate=True)
        decoded.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise Malformed("credentials that are no UTF-8 in base64") from None
    user, colon, password = decoded.partition(b":")
    if not colon:
        raise Malformed("credentials without a colon")
    # RFC 7617 §2: neither may hold control characters.
    if not _CONTROL.isdisjoint(decoded):
        raise Malformed("credentials with a control character")
    return Credentials(user, password)


def realm(value: object) -> str:
    """Validator: what browsers show as the name of the place."""
    written = text(value)
    if not written.isascii() or not written.isprintable() or not 0 < len(written) <= 200:
        raise ValueError("must be 1 to 200 printable ASCII characters: it stands in a header field")
    return written


def challenge(realm: str) -> bytes:
    """The value of `WWW-Authenticate`: with the charset, so that clients send UTF-8 (RFC 7617 §2.1)."""
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    return f'Basic realm="{quoted}", charset="UTF-8"'.encode("ascii")
