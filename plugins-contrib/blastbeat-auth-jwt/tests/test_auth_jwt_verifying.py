"""What a token must be like, attacked."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import anyio
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_jwt_case import SECRET, claims, ec_key, ed_key, forged, public_pem, rsa_key, token
from blastbeat_auth_jwt.keys import Key, parse_pem, parse_secret
from blastbeat_auth_jwt.verifying import FixedKeys, Rules, TokenError, verify

ALL = ("ES256", "RS256", "PS256", "EdDSA", "HS256")


def keys() -> list[Key]:
    found = [parse_pem(public_pem(key)) for key in (ec_key(), rsa_key(), ed_key())]
    return [*found, parse_secret(SECRET)]


def check(
    coded: str, *, algorithms: tuple[str, ...] = ALL, held: list[Key] | None = None, **rules: Any
) -> Any:
    source = FixedKeys(keys() if held is None else held)
    return anyio.run(verify, coded.encode(), source, Rules(frozenset(algorithms), **rules))


def refused(coded: str, why: str, **options: Any) -> None:
    with pytest.raises(TokenError, match=why):
        check(coded, **options)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(ec_key, "ES256"), (rsa_key, "RS256"), (rsa_key, "PS256"), (ed_key, "EdDSA"), (lambda: SECRET, "HS256")],
)
def test_each_kind_of_key(key: Any, algorithm: str) -> None:
    coded = token(key(), algorithm)
    assert check(coded)["sub"] == "anna"
    refused(coded, "algorithm is not allowed", algorithms=tuple(name for name in ALL if name != algorithm))
    head, payload, signature = coded.split(".")
    changed = json.dumps(claims(sub="root")).encode()
    other = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
    refused(f"{head}.{other}.{signature}", "signature is wrong")
    refused(f"{head}.{payload}.{'A' * len(signature)}", "signature is wrong")


@pytest.mark.parametrize("none", ["none", "None", "NONE", "", None, 7, ["ES256"], {"a": 1}])
def test_no_algorithm_is_none(none: Any) -> None:
    refused(forged({"alg": none}, claims()), "algorithm is not allowed")
    refused(jwt.encode(claims(), "", "none") + "AAAA", "algorithm is not allowed")


def test_a_public_key_is_never_a_secret() -> None:
    """The classic: HS256 with the text of the RSA key everybody has."""
    import hashlib
    import hmac

    for pem in (public_pem(rsa_key()), public_pem(rsa_key()).strip()):
        head, payload, _ = forged({"alg": "HS256"}, claims()).split(".")
        mac = hmac.new(pem, f"{head}.{payload}".encode(), hashlib.sha256).digest()
        coded = f"{head}.{payload}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        refused(coded, "signature is wrong")
        refused(coded, "unknown key", held=[parse_pem(public_pem(rsa_key()))])


def test_times() -> None:
    now = int(time.time())
    refused(token(exp=now - 31), "expired")
    assert check(token(exp=now - 20))
    refused(token(exp=now - 20), "expired", leeway=0.0)
    refused(token(nbf=now + 60), "not valid yet")
    assert check(token(nbf=now + 20))
    refused(token(iat=now + 60), "not valid yet")
    refused(token(exp=None), "no claim exp")
    assert check(token(exp=None), may_be_eternal=True)["sub"] == "anna"
    refused(token(exp=now - 60), "expired", may_be_eternal=True)


@pytest.mark.parametrize("bad", ["soon", [], {}, 1e400, -1, True])
def test_times_that_are_none(bad: Any) -> None:
    for name in ("exp", "nbf", "iat"):
        if name == "exp" or not isinstance(bad, int):
            refused(token(**{name: bad}), "malformed|expired")


def test_issuer_and_audience() -> None:
    mine: dict[str, Any] = {"issuers": ("https://a", "https://b"), "audiences": ("shop",)}
    assert check(token(iss="https://b", aud=["x", "shop"]), **mine)
    refused(token(iss="https://c", aud="shop"), "another issuer", **mine)
    refused(token(iss="https://a/", aud="shop"), "another issuer", **mine)
    refused(token(iss=["https://a"], aud="shop"), "issuer|malformed", **mine)
    refused(token(iss="https://a", aud="shops"), "another audience", **mine)
    refused(token(iss="https://a", aud=["sho", {"a": 1}]), "audience|malformed", **mine)
    refused(token(iss="https://a"), "no claim aud", **mine)
    refused(token(aud="shop"), "no claim iss", **mine)
    assert check(token(aud="anybody"))


def test_required_claims_and_types() -> None:
    refused(token(), "no claim jti", required=("jti",))
    assert check(token(jti="1"), required=("jti",))
    assert check(token(header={"typ": "at+jwt"}), type="application/AT+JWT")
    refused(token(), "another type", type="at+jwt")
    refused(token(header={"typ": ["at+jwt"]}), "another type", type="at+jwt")
    refused(token(sub=7), "malformed")


def test_keys_by_their_names() -> None:
    public = parse_pem(public_pem(ec_key())).material
    other = parse_pem(public_pem(ec_key("other"))).material
    held = [Key(("ES256",), other, "o"), Key(("ES256",), public, "p")]
    assert check(token(header={"kid": "p"}), held=held)
    assert check(token(), held=held), "each is tried where none is named"
    refused(token(header={"kid": "o"}), "signature is wrong", held=held)
    refused(token(header={"kid": "../../dev/null"}), "unknown key", held=held)
    refused(forged({"alg": "ES256", "kid": ["p"]}, claims()), "malformed", held=held)
    refused(token(header={"kid": "k" * 257}), "malformed", held=held)


def test_keys_that_a_token_brings_along_are_not_looked_at() -> None:
    evil = ec_key("evil")
    written = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(evil.public_key()))
    refused(token(evil, header={"jwk": written, "jku": "http://127.0.0.1:1/"}), "signature is wrong")


def test_extensions_that_are_not_known() -> None:
    refused(token(header={"crit": ["exp"], "exp": 1}), "extension|malformed")
    refused(forged({"alg": "ES256", "b64": False, "crit": ["b64"]}, claims()), "extension|malformed")


@pytest.mark.parametrize(
    "head", [b"", b"[]", b"7", b"{", b"\xff", b"[" * 8000, b'{"alg":' + b"[" * 4000 + b"]" * 4000 + b"}"]
)
def test_heads_that_are_none(head: bytes) -> None:
    coded = base64.urlsafe_b64encode(head).rstrip(b"=").decode()
    refused(f"{coded}.e30.AAAA", "malformed|not allowed")


def test_contents_that_are_none() -> None:
    for content in (b"[]", b"7", b"{", b"[" * 8000, b'{"exp":' + b"1" * 5000 + b"}"):
        coded = jwt.api_jws.encode(content, ec_key(), "ES256")
        refused(coded, "malformed")


@given(st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", max_size=80))
def test_any_text_is_refused(coded: str) -> None:
    refused(coded, "malformed|not allowed|unknown")
