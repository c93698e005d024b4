"""What a token says, as a node is told it: variables and fields; and what it must say to be let in.

Pure. A value that could be read as another one on its way (a line break, blanks around it) is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from blastbeat.headers import is_field
from blastbeat.validators import several, text, told_fields, words
from blastbeat_auth_jwt.verifying import Claims, TokenError

MAX_VALUE = 8192
"""Bytes of one claim that is handed on."""

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_QUOTABLE = re.compile(r"[ !#-\[\]-~]{1,200}")
_SERVERS_OWN = frozenset(
    "REQUEST_METHOD REQUEST_URI PATH_INFO QUERY_STRING SCRIPT_NAME SERVER_PROTOCOL SERVER_NAME SERVER_PORT"
    " REMOTE_ADDR REMOTE_PORT REQUEST_SCHEME HTTPS CONTENT_TYPE CONTENT_LENGTH REMOTE_USER AUTH_TYPE".split()
)


def quotable(value: object) -> str:
    """Validator: what stands between quotes in a challenge (RFC 6750 §3): printable ASCII without `"` and
    `\\`."""
    written = text(value)
    if not _QUOTABLE.fullmatch(written):
        raise ValueError('must be 1 to 200 printable ASCII characters without " and \\')
    return written


claim_name = quotable


def claim_names(value: object) -> tuple[str, ...]:
    """Validator: names of claims."""
    return tuple(claim_name(word) for word in words(value))


@dataclass(frozen=True, slots=True)
class Handed:
    """A claim and the name a node finds it under."""

    name: bytes
    claim: str


def variables(value: object) -> tuple[Handed, ...]:
    """Validator: ``NAME=claim``, several."""
    return tuple(_variable(line) for line in several(text)(value))


def _variable(line: str) -> Handed:
    name, equals, claim = (part.strip() for part in line.partition("="))
    if not equals:
        raise ValueError(f"has {line!r}; write NAME=claim")
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"has {name!r}, which is no name of a variable: capitals, digits and _")
    if name in _SERVERS_OWN or name.startswith("HTTP_"):
        raise ValueError(f"has {name!r}, which is the server's own")
    return Handed(name.encode(), claim_name(claim))


def headers(value: object) -> tuple[Handed, ...]:
    """Validator: ``Name=claim``, several."""
    found = []
    for line in several(text)(value):
        name, equals, claim = (part.strip() for part in line.partition("="))
        if not equals:
            raise ValueError(f"has {line!r}; write Name=claim")
        found += [Handed(each, claim_name(claim)) for each in told_fields(name)]
    return tuple(found)


def conditions(value: object) -> tuple[tuple[str, str], ...]:
    """Validator: ``claim=value``, several."""
    found = []
    for line in several(text)(value):
        claim, equals, wanted = (part.strip() for part in line.partition("="))
        if not equals:
            raise ValueError(f"has {line!r}; write claim=value")
        found.append((claim_name(claim), wanted))
    return tuple(found)


# ---------------------------------------------------------------- what they say


def handed_value(claims: Claims, claim: str) -> bytes | None:
    """Text as it is, anything else as JSON in ASCII; None where the token does not say. Raises TokenError for
    a text that is none in a field or a variable."""
    value = claims.get(claim)
    if value is None:
        return None
    if not isinstance(value, str):
        value = json.dumps(value, separators=(",", ":"))
    try:
        coded = value.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair
        coded = b"\0"
    if len(coded) > MAX_VALUE or value != value.strip() or not is_field(b"x", coded):
        raise TokenError(f"the claim {claim} cannot be handed on")
    return coded


def scopes_of(claims: Claims) -> frozenset[str]:
    """`scope` (RFC 8693 §4.2) or `scp`, as a text of words or as a list."""
    found: set[str] = set()
    for name in ("scope", "scp"):
        value = claims.get(name)
        if isinstance(value, str):
            found.update(value.split())
        elif isinstance(value, list):
            found.update(each for each in value if isinstance(each, str))
    return frozenset(found)


def is_met(claims: Claims, claim: str, wanted: str) -> bool:
    """True when the claim is `wanted`, or a list that has it. Numbers and truth as JSON spells them."""
    value = claims.get(claim)
    values: Sequence[object] = value if isinstance(value, list) else (value,)
    return any(
        (each if isinstance(each, str) else json.dumps(each)) == wanted for each in values if each is not None
    )
