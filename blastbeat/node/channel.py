"""What a supervisor and its worker say to each other: one JSON object a line over a pair of sockets.

The worker's side, which blocks; the supervisor's is in workers.py. Its end is the end of the other process,
however that came about: no worker outlives its supervisor.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from typing import Any

MAX_LINE = 256 * 1024
"""Bytes; longer than any traceback that is sent."""

MAX_TRACE = 64 * 1024
"""Characters of a traceback that are sent: the end, which says most."""


class Channel:
    """`descriptor`: of a connected stream socket, which no process that the application starts shall have."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        os.set_inheritable(descriptor, False)
        self._lines = self._socket.makefile("rb")
        self._lock = threading.Lock()

    def read(self) -> dict[str, Any] | None:
        """The next message; None at the end."""
        try:
            line = self._lines.readline(MAX_LINE)
        except OSError:
            return None
        return json.loads(line) if line.endswith(b"\n") else None

    def send(self, type: str, /, **values: Any) -> None:
        """One message. Nothing happens where nobody reads any more: the end is noticed by who reads."""
        with self._lock, contextlib.suppress(OSError):
            self._socket.sendall(format_line(type, **values))

    def close(self) -> None:
        """Nothing more is read or sent."""
        self._lines.close()
        self._socket.close()


def format_line(type: str, /, **values: Any) -> bytes:
    """A message as it travels."""
    return json.dumps({"type": type, **values}).encode() + b"\n"
