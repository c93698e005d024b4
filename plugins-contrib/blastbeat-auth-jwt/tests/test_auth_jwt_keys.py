"""Keys are taken for the algorithms of their kind and no others."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from auth_jwt_case import SECRET, ec_key, ed_key, jwk, public_pem, rsa_key
from blastbeat_auth_jwt.keys import (
    MAX_KEYS,
    MAX_TRIED,
    RSA,
    Key,
    KeyFault,
    fitting,
    parse_key_set,
    parse_pem,
    parse_secret,
)


def key_set(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


def test_public_keys_in_files() -> None:
    assert parse_pem(public_pem(rsa_key())).algorithms == RSA
    assert parse_pem(public_pem(ec_key())).algorithms == ("ES256",)
    assert parse_pem(public_pem(ec.generate_private_key(ec.SECP521R1()))).algorithms == ("ES512",)
    assert parse_pem(public_pem(ed_key())).algorithms == ("EdDSA",)


def test_what_is_no_key_to_check_with_is_explained() -> None:
    private = ec_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    short = rsa.generate_private_key(65537, 1024)
    odd_curve = ec.generate_private_key(ec.SECP224R1())
    for content, fault in (
        (private, "a private key"),
        (public_pem(short), "1024 bits"),
        (public_pem(odd_curve), "secp224r1"),
        (public_pem(dsa.generate_private_key(1024)), "no public key for signatures"),
        (b"", "in PEM form"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "in PEM form"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "in PEM form"),
    ):
        with pytest.raises(KeyFault, match=fault):
            parse_pem(content)


def test_secrets() -> None:
    assert parse_secret(SECRET + b"\r\n") == Key(("HS256",), SECRET)
    assert parse_secret(SECRET * 2).algorithms == ("HS256", "HS384", "HS512")
    with pytest.raises(KeyFault, match="31 bytes"):
        parse_secret(SECRET[:31] + b"\n")
    with pytest.raises(KeyFault, match="PEM"):
        parse_secret(public_pem(ec_key()))


def test_a_key_set() -> None:
    keys = parse_key_set(
        key_set(jwk(rsa_key(), kid="r"), jwk(ec_key(), kid="e", use="sig"), jwk(ed_key())), secrets=False
    )
    assert [(key.kid, key.algorithms) for key in keys] == [("r", RSA), ("e", ("ES256",)), (None, ("EdDSA",))]
    narrowed = parse_key_set(key_set(jwk(rsa_key(), alg="PS256")), secrets=False)
    assert narrowed[0].algorithms == ("PS256",)


def test_keys_of_a_set_that_are_passed_over() -> None:
    coded = base64.urlsafe_b64encode(SECRET).decode().rstrip("=")
    passed_over = [
        jwk(rsa_key(), use="enc"),
        jwk(rsa_key(), key_ops=["encrypt"]),
        jwk(rsa_key(), alg="ES256"),
        jwk(rsa_key(), alg="HS256"),
        jwk(rsa_key(), kid=7),
        {**jwk(ec_key()), "crv": "P-384"},
        {**jwk(ec_key()), "d": "AAAA"},
        {"kty": "oct", "k": coded},
        {"kty": "RSA", "n": 1, "e": []},
        {"kty": "quantum"},
        {"kty": "oct"},
        {"kty": "EC", "crv": "P-256", "x": 1, "y": []},
        {},
        "nothing",
    ]
    for each in passed_over:
        with pytest.raises(KeyFault, match="without a key"):
            parse_key_set(key_set(each), secrets=False)
    assert len(parse_key_set(key_set(*passed_over, jwk(ec_key())), secrets=False)) == 1
    assert parse_key_set(key_set({"kty": "oct", "k": coded}), secrets=True)[0].algorithms == ("HS256",)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"keys": {}}', b'{"keys": null}', b"[" * 100_000, b'{"keys": [' + b"{}," * 64 + b"{}]}"],
)
def test_what_is_no_set(content: bytes) -> None:
    with pytest.raises(KeyFault):
        parse_key_set(content, secrets=True)


MEMBERS = st.sampled_from(["keys", "kty", "crv", "x", "y", "n", "e", "k", "alg", "use", "kid"])
WORDS = st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "Ed25519"]) | st.text(max_size=5)


@given(
    st.recursive(
        st.none() | st.integers() | WORDS,
        lambda each: st.lists(each) | st.dictionaries(MEMBERS, each),
        max_leaves=8,
    )
)
def test_any_json_is_a_set_or_a_fault(read: Any) -> None:
    for content in (read, {"keys": [read]}):
        try:
            parse_key_set(json.dumps(content).encode(), secrets=True)
        except KeyFault:
            pass


def test_which_keys_a_token_is_held_against() -> None:
    one, other, nameless = Key(("ES256",), 1, "a"), Key(("ES256",), 2, "b"), Key(("ES256",), 3)
    keys = [one, other, nameless, Key(("HS256",), 4, "a")]
    assert fitting(keys, "a", "ES256") == [one, nameless]
    assert fitting(keys, None, "ES256") == [one, other, nameless]
    assert fitting(keys, "c", "HS256") == [] and fitting(keys, "a", "none") == []
    assert len(fitting([nameless] * MAX_KEYS, None, "ES256")) == MAX_TRIED
