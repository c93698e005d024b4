"""Asks a running server something through its control socket, and waits for the answer.

For commands of the command line: blocking, one request per call. Knows no command.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import Any

from blastbeat.config.model import Config
from blastbeat.errors import ControlError

MAX_ANSWER = 256 * 1024 * 1024
"""Bytes of an answer; a server with very many virtualhosts has much to tell."""

ANSWER_TIMEOUT = 30.0
"""Seconds between one piece of an answer and the next."""


def ask(
    config: Config,
    command: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    timeout: float = ANSWER_TIMEOUT,
) -> Any:
    """What the server that runs with `config` answers to `command`.

    Raises ControlError: no `control` is configured, nobody listens there, no permission, or what the server
    itself has against the command.
    """
    path = config.server.control
    if not path:
        place = f"[blastbeat] in {config.file}" if config.file else "[blastbeat]"
        hint = "control = /run/blastbeat/control.sock"
        raise ControlError(f"no control socket is configured: write `{hint}` under {place} and restart")
    request = json.dumps({**(arguments or {}), "command": command}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(path)
            connection.sendall(request)
            return _result_of(_read(connection))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise ControlError(f"nobody listens on {path}: is the server running?") from None
    except PermissionError:
        raise ControlError(f"no permission to use {path}: {_owner_of(path)}") from None
    except TimeoutError:
        raise ControlError(f"the server did not answer within {timeout:g} s on {path}") from None
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror}") from error


def _read(connection: socket.socket) -> bytes:
    pieces, size = [], 0
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER:
            raise ControlError(f"the answer is longer than {MAX_ANSWER} bytes")
        if piece.endswith(b"\n"):
            break
    return b"".join(pieces)


def _result_of(line: bytes) -> Any:
    if not line:
        raise ControlError(
            "the server closed the connection without an answer: it stops, or runs as another user"
        )
    try:
        answer = json.loads(line)
        if answer["ok"]:
            return answer["result"]
        error = str(answer["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ControlError("the answer can't be read: is that BlastBeat, and the same version?") from None
    raise ControlError(error)


def _owner_of(path: str) -> str:
    try:
        uid = os.stat(path).st_uid
    except OSError:
        return "run this as the server's user or as root"
    return f"it belongs to user {uid}; run this as that user or as root"
