"""A raw peer that speaks ZMTP 3.0 by hand: for what no ZeroMQ library would ever send.

Knows the NULL mechanism and frames only.
"""

from __future__ import annotations

import socket
import struct
from urllib.parse import urlsplit

from tests.helpers.server import PATIENCE

MORE, LONG, COMMAND = 1, 2, 4


class RawPeer:
    """A DEALER named `name`, handshake done."""

    def __init__(self, endpoint: str, name: str) -> None:
        address = urlsplit(endpoint)
        self._socket = socket.create_connection((address.hostname or "", address.port or 0), PATIENCE)
        self._socket.settimeout(PATIENCE)
        self.send_bytes(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
        self._read(64)
        properties = [(b"Socket-Type", b"DEALER"), (b"Identity", name.encode())]
        ready = b"\x05READY" + b"".join(
            struct.pack("!B", len(key)) + key + struct.pack("!I", len(value)) + value
            for key, value in properties
        )
        self.send_frame(ready, COMMAND)
        self._read_frame()

    def send_frame(self, data: bytes, flags: int = 0) -> None:
        """One frame; `flags` MORE when another follows."""
        size = struct.pack("!BQ", flags | LONG, len(data)) if len(data) > 255 else bytes((flags, len(data)))
        self.send_bytes(size + data)

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(data)

    def close(self) -> None:
        self._socket.close()

    def _read_frame(self) -> bytes:
        flags, size = self._read(2)
        if flags & LONG:
            (size,) = struct.unpack("!Q", bytes((size,)) + self._read(7))
        return self._read(size)

    def _read(self, number: int) -> bytes:
        data = b""
        while len(data) < number:
            piece = self._socket.recv(number - len(data))
            assert piece, "the server closed the connection"
            data += piece
        return data
