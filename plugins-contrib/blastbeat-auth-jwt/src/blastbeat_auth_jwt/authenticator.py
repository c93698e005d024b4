"""Judges a request by its token, and words the answers of RFC 6750.

Knows where the parts are, not how they work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blastbeat.interfaces import Allow, Answer, RequestView
from blastbeat_auth_jwt.claims import Handed, handed_value, is_met, scopes_of
from blastbeat_auth_jwt.tokens import Ambiguous, Malformed, Source, find_token
from blastbeat_auth_jwt.verifying import Claims, KeySource, KeysUnavailable, Rules, TokenError, verify

RETRY_AFTER = 5
"""Seconds a client waits while there are no keys."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked of a request beside a token that is right, and what of it the node is told."""

    places: tuple[Source, ...]
    realm: str = "Restricted"
    max_token: int = 16384
    scopes: tuple[str, ...] = ()
    conditions: tuple[tuple[str, str], ...] = ()
    user_claim: str = "sub"
    variables: tuple[Handed, ...] = ()
    headers: tuple[Handed, ...] = ()
    keeps_authorization: bool = True
    is_optional: bool = False


COUNTERS = {
    "auth-jwt.refused": "requests without a token that is taken",
    "auth-jwt.without-keys": "requests refused because there were no keys to check tokens with",
}


class TokenAuthenticator:
    """Lets in who has a token that `rules` and `policy` take, signed with one of `keys`."""

    def __init__(self, keys: KeySource, rules: Rules, policy: Policy) -> None:
        self._source, self._rules, self._policy = keys, rules, policy
        # Also those that a token says nothing of: else a client could say it itself.
        removed = [handed.name for handed in policy.headers]
        self._removed = tuple(removed if policy.keeps_authorization else [*removed, b"authorization"])

    async def authenticate(self, view: RequestView) -> Allow | Answer:
        verdict = await self._authenticate(view)
        if isinstance(verdict, Answer):
            view.count("auth-jwt.without-keys" if verdict.status == 503 else "auth-jwt.refused")
        return verdict

    async def _authenticate(self, view: RequestView) -> Allow | Answer:
        policy = self._policy
        try:
            token = find_token(view.request, policy.places, policy.max_token)
        except Ambiguous as error:
            return self._refuse(400, "invalid_request", str(error))
        except Malformed as error:
            return self._refuse(401, "invalid_token", str(error))
        if token is None:
            return Allow((), (), self._removed) if policy.is_optional else self._refuse(401, "", "no token")
        try:
            claims = await verify(token, self._source, self._rules)
            return self._judge(claims)
        except TokenError as error:
            return self._refuse(401, "invalid_token", str(error))
        except KeysUnavailable as error:
            return Answer(503, headers=((b"Retry-After", b"%d" % RETRY_AFTER),), detail=str(error))

    def _judge(self, claims: Claims) -> Allow | Answer:
        policy = self._policy
        if not scopes_of(claims).issuperset(policy.scopes):
            return self._refuse(403, "insufficient_scope", "the token lacks a scope")
        for claim, wanted in policy.conditions:
            if not is_met(claims, claim, wanted):
                return self._refuse(403, "insufficient_scope", f"the claim {claim} is not as it must be")
        return self._allow(claims)

    def _allow(self, claims: Claims) -> Allow:
        policy = self._policy
        user = handed_value(claims, policy.user_claim)
        if not user:
            raise TokenError(f"the token has no claim {policy.user_claim}")
        variables = [(b"REMOTE_USER", user), (b"AUTH_TYPE", b"Bearer")]
        variables += _handed(policy.variables, claims)
        return Allow(variables, _handed(policy.headers, claims), self._removed)

    def _refuse(self, status: int, error: str, detail: str) -> Answer:
        return Answer(status, headers=((b"WWW-Authenticate", self._challenge(error, detail)),), detail=detail)

    def _challenge(self, error: str, detail: str) -> bytes:
        """RFC 6750 §3. Who sent no token is not told an error (§3.1)."""
        parts = [f'Bearer realm="{self._policy.realm}"']
        if error:
            parts.append(f'error="{error}", error_description="{detail}"')
        if error == "insufficient_scope" and self._policy.scopes:
            parts.append(f'scope="{" ".join(self._policy.scopes)}"')
        return ", ".join(parts).encode("ascii")

    async def aclose(self) -> None:
        await self._source.aclose()


def _handed(wanted: Sequence[Handed], claims: Claims) -> list[tuple[bytes, bytes]]:
    values = ((handed.name, handed_value(claims, handed.claim)) for handed in wanted)
    return [(name, value) for name, value in values if value is not None]
