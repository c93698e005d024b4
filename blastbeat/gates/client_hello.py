"""The server name in a TLS ClientHello (RFC 6066 §3), read before anybody answers it.

So the context of the right virtualhost is there from the first byte on, with its own certificate and its own
demand for a client's. Pure and bounded. What is malformed names nobody: OpenSSL judges the rest of it.
"""

from __future__ import annotations

import re

HANDSHAKE = 0x16
"""The first byte of every TLS connection: a record of this type (RFC 8446 §5.1)."""

MAX_HELLO = 16 * 1024
"""Bytes looked at. Hellos of today have 250 to 2,000; a longer one gets the default certificate."""

_CLIENT_HELLO = 1
_SERVER_NAME, _HOST_NAME = 0, 0
_MAX_RECORD = 2**14
_NAME = re.compile(rb"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


class Malformed(Exception):
    """No hello, or none that names anybody."""


class HelloGate:
    """Reads the beginning of one connection, in pieces as they come; each byte is looked at once, however
    small the pieces and the records are."""

    __slots__ = ("_message", "_rest")

    def __init__(self) -> None:
        self._message = bytearray()
        self._rest = b""  # of a record that is not whole

    def receive(self, data: bytes) -> bytes | None:
        """The name asked for, in lower case and without a dot at its end, ``b""`` for none; None while too
        little of the hello is here. What was decided is not to be asked again."""
        try:
            self._take_records(self._rest + data)
            message = self._message
            if message and message[0] != _CLIENT_HELLO:
                raise Malformed
            if len(message) < 4:
                return None
            end = 4 + int.from_bytes(message[1:4], "big")
            if end > MAX_HELLO:
                raise Malformed
            return _name_in(_Reader(bytes(message[4:end]))) if len(message) >= end else None
        except Malformed:
            return b""

    def _take_records(self, data: bytes) -> None:
        """Of the first handshake message, out of as many records as it takes."""
        position = 0
        while position + 5 <= len(data) and len(self._message) <= MAX_HELLO:
            size = int.from_bytes(data[position + 3 : position + 5], "big")
            if data[position] != HANDSHAKE or not 0 < size <= _MAX_RECORD:
                raise Malformed
            end = position + 5 + size
            if end > len(data):
                break
            self._message += data[position + 5 : end]
            position = end
        self._rest = data[position:]


class _Reader:
    """Takes what lengths announce. Raises Malformed where it is not there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise Malformed
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """What is preceded by its length in `size` bytes."""
        return self.take(self.number(size))


def _name_in(hello: _Reader) -> bytes:
    hello.take(2 + 32)  # version and random
    hello.vector(1)  # session id
    hello.vector(2)  # cipher suites
    hello.vector(1)  # compression methods
    if not hello:
        return b""
    extensions = _Reader(hello.vector(2))
    while extensions:
        kind, content = extensions.number(2), extensions.vector(2)
        if kind == _SERVER_NAME:
            names = _Reader(_Reader(content).vector(2))
            while names:
                name_kind, name = names.number(1), names.vector(2)
                if name_kind == _HOST_NAME:
                    return name.lower().removesuffix(b".") if _NAME.fullmatch(name) else b""
            return b""
    return b""
