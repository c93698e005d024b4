"""What the tests of auth-basic share: cheap hashes, files, requests with credentials."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import blastbeat_auth_basic
from blastbeat.interfaces import RequestView
from blastbeat.testing import make_registered, make_request_view

ANNA = "anna:$2b$04$CRe.BhstLHjQH3M4DRqHB.6UBm3cSMow88TjmPiSOAohgBveGX9UO"  # sesame
BERT = "b\u00e9rt:$apr1$abcdefgh$TkI6jCTPaZvLHoqgYjg/T/"  # s\u00e9cret 1
CARL = (
    "carl:$6$rounds=1000$saltstring$KD1orSaTdlC0ZgkPZxnsYbQ9e9I2MaC4buQe3fPAaJNuKIkZc0sGb46WBN12jfHkJ3lVrfgIDR"
    ".inN8mttog20"  # Hello
)


def field(user: str, password: str) -> tuple[bytes, bytes]:
    return b"authorization", b"Basic " + base64.b64encode(f"{user}:{password}".encode())


def request(user: str, password: str, **changes: Any) -> RequestView:
    return make_request_view(headers=[field(user, password)], **changes)


def write(folder: Path, *lines: str) -> Path:
    path = folder / "users"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make(path: Path, **options: Any) -> Any:
    return load({"file": str(path), **options})


def load(options: dict[str, Any]) -> Any:
    return make_registered(
        blastbeat_auth_basic, "request-authenticator", "auth-basic", options, plugin_name="auth-basic"
    )
