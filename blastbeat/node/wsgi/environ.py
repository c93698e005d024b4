"""The WSGI environ of a request (PEP 3333, "environ Variables"), but for what reads or writes.

Pure. Native strings are bytes decoded as latin-1, whatever their real encoding ("Unicode Issues").
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from blastbeat.node.request import Request

MAX_NAMES = 1000
"""Names of variables that are remembered as text; clients invent any."""


class _Names(dict[bytes, str]):
    def __missing__(self, variable: bytes) -> str:
        name = variable.decode("latin-1")
        if len(self) < MAX_NAMES:
            self[variable] = name
        return name


_NAMES = _Names()
_NOT_AS_HTTP = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


def build_environ(request: Request, root_path: bytes = b"") -> dict[str, Any]:
    """`root_path` is where the application is mounted, without a slash at its end: it goes in front of
    SCRIPT_NAME, and off PATH_INFO where that begins with it."""
    environ: dict[str, Any]
    if request.variables:
        names = _NAMES
        environ = {names[name]: value.decode("latin-1") for name, value in request.variables.items()}
        script, path = request.variables.get(b"SCRIPT_NAME", b""), request.variables.get(b"PATH_INFO", b"/")
        if b"%" in path and request.raw_path.endswith(path):
            path = unquote_to_bytes(path)  # a virtualhost with `path-info = raw`
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if environ.get(name) == "":
                del environ[name]
        environ.setdefault("SERVER_NAME", "")
        environ.setdefault("SERVER_PORT", "")
    else:
        environ = _environ_of_fields(request)
        script, path = request.root_path.encode(), unquote_to_bytes(request.raw_path)
    if root_path:
        if path == root_path or path.startswith(root_path + b"/"):
            path = path[len(root_path) :]
        script = root_path + script
    environ["SCRIPT_NAME"] = script.decode("latin-1")
    environ["PATH_INFO"] = path.decode("latin-1") if path != b"*" else ""  # OPTIONS for no resource
    if not environ["SERVER_NAME"]:  # HTTP/1.0 without Host; "can never be empty strings"
        environ["SERVER_NAME"] = "localhost"
    if not environ["SERVER_PORT"].strip("0"):
        environ["SERVER_PORT"] = "443" if request.scheme == "https" else "80"
    environ["wsgi.url_scheme"] = request.scheme
    return environ


def _environ_of_fields(request: Request) -> dict[str, Any]:
    """Of a `headers` message, which has no variables."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "REQUEST_URI": (request.raw_path + (b"?" + request.query if request.query else b"")).decode(
            "latin-1"
        ),
        "QUERY_STRING": request.query.decode("latin-1"),
        "SERVER_NAME": request.server[0],
        "SERVER_PORT": str(request.server[1]),
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "REMOTE_ADDR": request.client[0],
        "REMOTE_PORT": str(request.client[1]),
        "REQUEST_SCHEME": request.scheme,
    }
    if request.scheme == "https":
        environ["HTTPS"] = "on"
    for name, value in request.headers:
        key = _NOT_AS_HTTP.get(name) or "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        if key in environ:  # fields of a request that came more than once are one (RFC 9110 §5.3)
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ", ") + text
        environ[key] = text
    return environ
