"""What the tests of auth-jwt share: keys of each kind, tokens signed with them, an issuer of keys."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import blastbeat_auth_jwt
from blastbeat.interfaces import RequestView
from blastbeat.testing import make_registered, make_request_view

SECRET = b"0123456789abcdef0123456789abcdef"


@cache
def rsa_key(name: str = "") -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key(name: str = "") -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def ed_key(name: str = "") -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def public_pem(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def jwk(key: Any, **members: Any) -> dict[str, Any]:
    """The public half as a JWK."""
    kinds = {rsa.RSAPrivateKey: "RS256", ec.EllipticCurvePrivateKey: "ES256"}
    name = next((name for kind, name in kinds.items() if isinstance(key, kind)), "EdDSA")
    written = jwt.get_algorithm_by_name(name).to_jwk(key.public_key(), as_dict=True)
    return {**written, **members}


def claims(**changes: Any) -> dict[str, Any]:
    """What a token says that is good for an hour; None leaves a claim out."""
    said = {"sub": "anna", "exp": int(time.time()) + 3600, **changes}
    return {name: value for name, value in said.items() if value is not None}


def token(
    key: Any = None, algorithm: str = "ES256", header: Mapping[str, Any] | None = None, **said: Any
) -> str:
    """Signed with `key`, by default `ec_key()`."""
    payload = json.dumps(claims(**said)).encode()
    return jwt.api_jws.encode(payload, key or ec_key(), algorithm, headers=dict(header or {}))


def forged(header: Mapping[str, Any], payload: Mapping[str, Any], signature: bytes = b"sig") -> str:
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def bearer(coded: str, **changes: Any) -> RequestView:
    return make_request_view(headers=[(b"authorization", b"Bearer " + coded.encode())], **changes)


def key_file(folder: Path, key: Any = None) -> str:
    path = folder / "key.pem"
    path.write_bytes(public_pem(key or ec_key()))
    return str(path)


def make(**options: Any) -> Any:
    return make_registered(
        blastbeat_auth_jwt, "request-authenticator", "auth-jwt", options, plugin_name="auth-jwt"
    )


class Issuer:
    """A key set at a URL: what is answered can be changed, what was asked is counted."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, b'{"keys": []}')
        self.requests = 0
        self.hold: threading.Event | None = None
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests += 1
                if issuer.hold is not None:
                    issuer.hold.wait(5)
                status, body = issuer.answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/jwks.json"

    def offer(self, *keys: Mapping[str, Any]) -> None:
        self.answer = (200, json.dumps({"keys": keys}).encode())

    def close(self) -> None:
        if self.hold is not None:
            self.hold.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
