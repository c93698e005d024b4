"""A person at the control socket of a running server: raw lines, and what commands use.

Knows the socket's path only.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from blastbeat.config.model import Config, ServerConfig
from tests.helpers.server import PATIENCE


def config_of(path: Path) -> Config:
    """A configuration whose commands go to this socket."""
    return Config(ServerConfig(control=str(path)), file="blastbeat.toml")


def connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(PATIENCE)
    connection.connect(str(path))
    return connection


def read_answer(connection: socket.socket) -> dict[str, Any]:
    """The whole answer; the server closes behind it."""
    data = b""
    while piece := connection.recv(65536):
        data += piece
    assert data.endswith(b"\n") and data.count(b"\n") == 1, data[:200]
    answer: dict[str, Any] = json.loads(data)
    return answer


def say(path: Path, line: bytes) -> dict[str, Any]:
    """The answer to one raw line."""
    with connect(path) as connection:
        connection.sendall(line)
        return read_answer(connection)
