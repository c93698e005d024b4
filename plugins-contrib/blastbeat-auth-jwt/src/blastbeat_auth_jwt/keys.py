"""Keys to check signatures with, each with the algorithms it may be used for and no others.

That is what keeps a token from choosing how it is checked: a public RSA key is never taken for the secret of
an HMAC. Pure: texts in, keys out; where they come from is others' business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
HMAC = ("HS256", "HS384", "HS512")
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512", "secp256k1": "ES256K"}
ALGORITHMS = (*RSA, *_CURVES.values(), "EdDSA", *HMAC)
"""All that can be allowed. `none` is not among them."""

OF_KEY_PAIRS = ("RS256", "ES256", "ES384", "ES512", "EdDSA")
"""What is allowed where nothing is said and the keys come from a URL."""

MIN_SECRET = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Bytes a secret must have (RFC 7518 §3.2)."""

MIN_RSA, MAX_RSA = 2048, 16384
"""Bits of an RSA key (RFC 7518 §3.3); one longer than that takes a millisecond and more for each token."""

MAX_KEYS = 64
"""Keys of one set."""

MAX_TRIED = 8
"""Keys that one token is held against where it names none."""


class KeyFault(ValueError):
    """A key or a set can't be used; the text says why and holds nothing secret."""


@dataclass(frozen=True, slots=True)
class Key:
    """`algorithms` are those it can be used for; `kid` is None where it has no name."""

    algorithms: tuple[str, ...]
    material: Any
    kid: str | None = None


def _algorithms_of(material: object) -> tuple[str, ...]:
    """Raises KeyFault."""
    if isinstance(material, rsa.RSAPublicKey):
        if not MIN_RSA <= material.key_size <= MAX_RSA:
            raise KeyFault(f"an RSA key of {material.key_size} bits; {MIN_RSA} to {MAX_RSA} are taken")
        return RSA
    if isinstance(material, ec.EllipticCurvePublicKey):
        if material.curve.name in _CURVES:
            return (_CURVES[material.curve.name],)
        raise KeyFault(f"a key on the curve {material.curve.name}, which JWT does not know")
    if isinstance(material, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return ("EdDSA",)
    raise KeyFault("no public key for signatures (a private one has no place on this server)")


# ---------------------------------------------------------------- files


def parse_pem(content: bytes) -> Key:
    """A public key or a certificate. Raises KeyFault."""
    if b"PRIVATE KEY" in content:
        raise KeyFault("a private key; write the public one, `openssl pkey -pubout` makes it")
    try:
        if b"BEGIN CERTIFICATE" in content:
            material: object = load_pem_x509_certificate(content).public_key()
        else:
            material = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFault("no public key or certificate in PEM form") from None
    return Key(_algorithms_of(material), material)


def parse_secret(content: bytes) -> Key:
    """A secret for HMAC: the bytes of the file, without the newline at its end. Raises KeyFault."""
    secret = content.removesuffix(b"\n").removesuffix(b"\r")
    algorithms = tuple(name for name in HMAC if len(secret) >= MIN_SECRET[name])
    if not algorithms:
        raise KeyFault(f"a secret of {len(secret)} bytes; it needs 32 at least (RFC 7518 §3.2)")
    if secret.startswith(b"-----BEGIN"):
        raise KeyFault("a key in PEM form, which is no secret; name it with `key`")
    return Key(algorithms, secret)


def parse_key_set(content: bytes, *, secrets: bool) -> tuple[Key, ...]:
    """A JWK set (RFC 7517). Keys that are not for signatures, or not of a kind known here, are passed over.
    Symmetric ones are taken only with `secrets`: from a file. Raises KeyFault, also where no key is left."""
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        raise KeyFault("no JSON") from None
    listed = read.get("keys") if isinstance(read, dict) else None
    if not isinstance(listed, list):
        raise KeyFault('no key set: a JSON object with a list "keys"')
    if len(listed) > MAX_KEYS:
        raise KeyFault(f"{len(listed)} keys; {MAX_KEYS} are taken")
    found = [_parse_jwk(each, secrets) for each in listed if isinstance(each, dict)]
    keys = tuple(key for key in found if key is not None)
    if not keys:
        raise KeyFault("a key set without a key for signatures that can be used here")
    return keys


# PyJWT takes a member that is missing, or of another type, as it comes.
_NO_JWK = (
    *(jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError),
    *(LookupError, AttributeError, OverflowError),
)


def _parse_jwk(read: Mapping[str, Any], secrets: bool) -> Key | None:
    kid, kind, operations = read.get("kid"), read.get("kty"), read.get("key_ops")
    if read.get("use", "sig") != "sig" or "d" in read:
        return None
    if isinstance(operations, list) and "verify" not in operations:
        return None
    if kind == "oct" and not secrets or kid is not None and not isinstance(kid, str):
        return None
    try:
        material = jwt.PyJWK(dict(read), None if kind != "oct" else "HS256").key
        algorithms = parse_secret(material).algorithms if kind == "oct" else _algorithms_of(material)
    except _NO_JWK:
        return None
    if (only := read.get("alg")) is not None:
        algorithms = tuple(name for name in algorithms if name == only)
    return Key(algorithms, material, kid) if algorithms else None


# ---------------------------------------------------------------- which fit a token


def fitting(keys: Sequence[Key], kid: str | None, algorithm: str) -> list[Key]:
    """Those a token with this header may be signed with, at most MAX_TRIED. One that names its key is held
    against that and against those that have no name."""
    return [
        key
        for key in keys
        if algorithm in key.algorithms and (kid is None or key.kid is None or key.kid == kid)
    ][:MAX_TRIED]
