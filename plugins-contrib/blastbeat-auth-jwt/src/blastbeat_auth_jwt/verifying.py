"""Checks a token: form, signature, times, issuer, audience; what it says is returned only when all is right.

Knows no HTTP. The time is the machine's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jwt

from blastbeat_auth_jwt.keys import Key, fitting

Claims = Mapping[str, Any]


class TokenError(Exception):
    """The token is not taken. The text is for the client (RFC 6750 §3: printable ASCII without quotes) and
    the log; it holds nothing of the token."""


class KeySource(Protocol):
    """Where keys come from."""

    async def keys(self, kid: str | None) -> Sequence[Key]:
        """The keys there are, looked for anew where none is named `kid`. Raises KeysUnavailable."""
        ...

    async def aclose(self) -> None: ...


class KeysUnavailable(Exception):
    """There are no keys to check with, and so nobody is let in."""


class FixedKeys:
    """Keys from files."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)

    async def keys(self, kid: str | None) -> Sequence[Key]:
        return self._keys

    async def aclose(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Rules:
    """What a token must be like. `leeway` seconds; empty `issuers`, `audiences` or `type` ask for nothing."""

    algorithms: frozenset[str]
    issuers: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    leeway: float = 30.0
    required: tuple[str, ...] = ()
    may_be_eternal: bool = False
    type: str = ""


# What PyJWT says, in words for clients. The order matters: the first that fits.
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token is not valid yet"),
    (jwt.InvalidIssuerError, "the token is from another issuer"),
    (jwt.InvalidAudienceError, "the token is for another audience"),
    (jwt.InvalidSignatureError, "the signature is wrong"),
)
_ANY = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


async def verify(token: bytes, source: KeySource, rules: Rules) -> Claims:
    """What the token says. Raises TokenError, KeysUnavailable."""
    header = _header_of(token)
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in rules.algorithms:
        raise TokenError("the algorithm is not allowed")
    if kid is not None and (not isinstance(kid, str) or len(kid) > 256):
        raise TokenError("the token is malformed")
    if "crit" in header:  # RFC 7515 §4.1.11: extensions we do not understand
        raise TokenError("the token asks for an extension that is not known")
    if rules.type and _plain_type(header.get("typ")) != _plain_type(rules.type):
        raise TokenError("the token is of another type")
    keys = fitting(await source.keys(kid), kid, algorithm)
    if not keys:
        raise TokenError("the token is signed with an unknown key")
    for key in keys[:-1]:
        try:
            return _decode(token, key, algorithm, rules)
        except jwt.InvalidSignatureError:
            continue
        except _ANY as error:
            raise _told(error) from None
    try:
        return _decode(token, keys[-1], algorithm, rules)
    except _ANY as error:
        raise _told(error) from None


def _header_of(token: bytes) -> Mapping[str, Any]:
    try:
        return jwt.get_unverified_header(token)
    except _ANY:
        raise TokenError("the token is malformed") from None


def _plain_type(name: object) -> str:
    """RFC 7515 §4.1.9: compared without case and without `application/`."""
    return name.lower().removeprefix("application/") if isinstance(name, str) else ""


def _decode(token: bytes, key: Key, algorithm: str, rules: Rules) -> Claims:
    claims: Claims = jwt.decode(
        token,
        key.material,
        algorithms=[algorithm],
        audience=list(rules.audiences) or None,
        issuer=list(rules.issuers) or None,
        leeway=rules.leeway,
        options={
            "require": [*rules.required, *(() if rules.may_be_eternal else ("exp",))],
            "verify_aud": bool(rules.audiences),
            "verify_iss": bool(rules.issuers),
        },
    )
    return claims


def _told(error: BaseException) -> TokenError:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return TokenError(f"the token has no claim {error.claim}")
    return TokenError(
        next((words for kind, words in _WORDS if isinstance(error, kind)), "the token is malformed")
    )
