"""Request heads as JSON objects.

Each character from U+0000 to U+00FF stands for the byte with its number (ISO 8859-1), so that any bytes a
client sends are told exactly; what a node takes them for, UTF-8 mostly, is the node's business.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote_to_bytes

from blastbeat.events import Request
from blastbeat.headers import NameTable
from blastbeat.paths import cut_prefix, format_path

_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False).encode
_names: NameTable[str] = NameTable(lambda name: name.decode("latin-1"))


def format_request(request: Request) -> bytes:
    """The object in one line of ASCII: at most six bytes for each byte of the client's head, which the server
    bounds."""
    names = _names
    head: dict[str, Any] = {
        "method": _text(request.method),
        "target": _text(request.target),
        "path": _text(_path(request)),
        "query": _text(request.query),
        "script_name": _text(request.script_name),
        "version": _text(request.version),
        "scheme": _text(request.scheme),
        "server_name": _text(request.server_name),
        "server_port": _number(request.server_port),
        "remote_addr": _text(request.remote_addr),
        "remote_port": _number(request.remote_port),
        "request_id": _text(request.request_id),
        "headers": [(names[name], value.decode("latin-1")) for name, value in request.headers],
        "content_length": request.content_length,
        "chunked": request.chunked,
        "websocket": request.upgrade,
        "variables": {_text(name): _text(value) for name, value in request.variables},
    }
    return _encode(head).encode("ascii")


def _text(data: bytes) -> str:
    return data.decode("latin-1")


def _number(data: bytes) -> int | None:
    """A port; None where nobody knows it."""
    return int(data) if data.isdigit() else None


def _path(request: Request) -> bytes:
    """What `PATH_INFO` is in the type `uwsgi`."""
    if request.path_info is not None:
        return format_path(request.path_info) if request.raw_path_info else request.path_info
    path = request.path if request.raw_path_info else unquote_to_bytes(request.path)
    return cut_prefix(path, request.script_name) if request.script_name else path
