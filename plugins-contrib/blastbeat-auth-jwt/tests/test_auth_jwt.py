"""The authenticator as the server makes it: contract, options, answers of RFC 6750."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from auth_jwt_case import SECRET, bearer, ec_key, ed_key, key_file, make, public_pem, rsa_key, token
from blastbeat.errors import ConfigError
from blastbeat.interfaces import Allow, Answer, RequestAuthenticator, RequestView
from blastbeat.testing import RequestAuthenticatorContract, make_request_view


class TestContract(RequestAuthenticatorContract):
    @property
    def allowed(self) -> tuple[RequestView, ...]:  # type: ignore[override]
        return (bearer(token()), bearer(token(sub="bert"), upgrade=True))

    @property
    def denied(self) -> tuple[RequestView, ...]:  # type: ignore[override]
        return (
            make_request_view(),
            bearer(token(ec_key("other"))),
            bearer(token(exp=1)),
            bearer(token(sub=None)),
            bearer(token(sub="")),
            bearer(token(sub="anna\r\nX-Admin: 1")),
            bearer("nonsense"),
            make_request_view(target=f"/?access_token={token()}".encode()),
            make_request_view(headers=[(b"cookie", f"access_token={token()}".encode())]),
        )

    @pytest.fixture(autouse=True)
    def _key(self, tmp_path: Path) -> None:
        self.key = key_file(tmp_path)

    def new_authenticator(self) -> RequestAuthenticator:
        authenticator: RequestAuthenticator = make(key=self.key)
        return authenticator


@pytest.fixture
def key(tmp_path: Path) -> str:
    return key_file(tmp_path)


def judge(authenticator: Any, view: RequestView) -> Allow | Answer:
    verdict: Allow | Answer = anyio.run(authenticator.authenticate, view)
    return verdict


def challenge_of(verdict: Allow | Answer, status: int) -> str:
    assert isinstance(verdict, Answer) and verdict.status == status, verdict
    return dict(verdict.headers)[b"WWW-Authenticate"].decode()


def test_the_node_is_told_who_it_is(key: str) -> None:
    authenticator = make(key=key, variables=["JWT_MAIL=email", "JWT_GROUPS=groups", "JWT_ID=jti"])
    verdict = judge(authenticator, bearer(token(email="a@example.org", groups=["x"])))
    assert isinstance(verdict, Allow)
    assert dict(verdict.variables) == {
        b"REMOTE_USER": b"anna",
        b"AUTH_TYPE": b"Bearer",
        b"JWT_MAIL": b"a@example.org",
        b"JWT_GROUPS": b'["x"]',
    }
    other = judge(make(key=key, **{"user-claim": "email"}), bearer(token(email="a@example.org")))
    assert isinstance(other, Allow) and dict(other.variables)[b"REMOTE_USER"] == b"a@example.org"


def test_fields_for_nodes_that_read_no_variables(key: str) -> None:
    options = {"headers": ["X-Remote-User=sub", "X-Mail=email"], "optional": "yes"}
    told = judge(make(key=key, **options), bearer(token()))
    assert isinstance(told, Allow)
    assert list(told.headers) == [(b"x-remote-user", b"anna")]
    assert list(told.remove_headers) == [b"x-remote-user", b"x-mail"]
    nobody = judge(make(key=key, authorization="remove", **options), make_request_view())
    assert isinstance(nobody, Allow) and not nobody.headers
    assert list(nobody.remove_headers) == [b"x-remote-user", b"x-mail", b"authorization"]


def test_answers_of_rfc_6750(key: str) -> None:
    authenticator = make(key=key, realm="The shop", scopes="read write", claims="tier=gold")
    good: dict[str, Any] = {"scope": "read write", "tier": "gold"}
    assert challenge_of(judge(authenticator, make_request_view()), 401) == 'Bearer realm="The shop"'
    assert challenge_of(judge(authenticator, bearer(token(exp=1))), 401) == (
        'Bearer realm="The shop", error="invalid_token", error_description="the token has expired"'
    )
    assert 'error="invalid_token"' in challenge_of(judge(authenticator, bearer("x")), 401)
    twice = make_request_view(headers=[(b"authorization", f"Bearer {token()}".encode())] * 2)
    assert 'error="invalid_request"' in challenge_of(judge(authenticator, twice), 400)
    assert challenge_of(judge(authenticator, bearer(token(scope="read", tier="gold"))), 403) == (
        'Bearer realm="The shop", error="insufficient_scope", error_description="the token lacks a scope"'
        ', scope="read write"'
    )
    assert "claim tier" in challenge_of(judge(authenticator, bearer(token(**{**good, "tier": "tin"}))), 403)
    assert isinstance(judge(authenticator, bearer(token(**good))), Allow)


def test_other_places_are_for_who_asks_for_them(key: str) -> None:
    authenticator = make(key=key, **{"from": "header cookie:sid query:access_token"})
    for view in (
        bearer(token()),
        make_request_view(headers=[(b"cookie", f"sid={token()}".encode())]),
        make_request_view(target=f"/?access_token={token()}".encode()),
    ):
        assert isinstance(judge(authenticator, view), Allow)


def test_optional_lets_in_who_says_nothing_but_nobody_who_lies(key: str) -> None:
    authenticator = make(key=key, optional="yes")
    nobody = judge(authenticator, make_request_view())
    assert isinstance(nobody, Allow) and not nobody.variables
    assert isinstance(judge(authenticator, bearer(token(exp=1))), Answer)


def test_a_token_that_is_too_long(key: str) -> None:
    authenticator = make(key=key, **{"max-token": "256"})
    assert isinstance(judge(authenticator, bearer(token(pad="x" * 200))), Answer)


def test_several_keys(tmp_path: Path, key: str) -> None:
    other, secret = tmp_path / "other.pem", tmp_path / "secret"
    other.write_bytes(public_pem(rsa_key()))
    secret.write_bytes(SECRET + b"\n")
    authenticator = make(key=[key, str(other)], secret=str(secret))
    for coded in (token(), token(rsa_key(), "RS256"), token(SECRET, "HS256")):
        assert isinstance(judge(authenticator, bearer(coded)), Allow)
    for coded in (token(rsa_key(), "PS256"), token(ed_key(), "EdDSA")):
        assert isinstance(judge(authenticator, bearer(coded)), Answer)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({}, "say either where keys are"),
        ({"key": "KEY", "jwks-url": "https://issuer/keys"}, "say either where keys are"),
        ({"key": "KEY", "algorithms": "none"}, "has 'none'; known: RS256"),
        (
            {"key": "KEY", "algorithms": "ES256 RS256"},
            "no key for RS256; algorithms that the keys are for: ES256",
        ),
        ({"key": "KEY", "algorithms": "HS256"}, "no key for HS256"),
        ({"jwks-url": "https://issuer/keys", "algorithms": "HS256"}, "HS256 needs a secret"),
        ({"jwks-url": "http://issuer/keys"}, "it must be https"),
        ({"jwks-url": "ftp://issuer/keys"}, "is no URL"),
        ({"jwks-url": "https://user:pass@issuer/keys"}, "is no URL"),
        ({"key": "KEY", "jwks-timeout": "1"}, "jwks-timeout is of use with jwks-url only"),
        ({"secret": "KEY"}, "key.pem is a key in PEM form"),
        ({"jwks": "KEY"}, "key.pem is no JSON"),
        ({"key": "MISSING"}, "cannot be read"),
        ({"key": "KEY", "leeway": "1h"}, "from 0"),
        ({"key": "KEY", "from": "body"}, "write header, cookie:NAME or query:NAME"),
        ({"key": "KEY", "variables": "HTTP_HOST=x"}, "the server's own"),
        ({"key": "KEY", "headers": "Host=sub"}, "the server tells nodes itself"),
        ({"key": "KEY", "headers": "X-User"}, "write Name=claim"),
        ({"key": "KEY", "audiences": "x"}, "did you mean 'audience'"),
    ],
)
def test_bad_options_are_explained(key: str, options: dict[str, str], fault: str) -> None:
    named = {name: key if value == "KEY" else value for name, value in options.items()}
    with pytest.raises(ConfigError, match=fault):
        make(**named)
