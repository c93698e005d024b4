"""A WebSocket's client side on top of `client`: messages, pings and closes, without extensions.

Knows RFC 6455, nothing of the server's code.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blastbeat.testing.client import Client, HeaderFields, Response

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_FIN, _MASKED = 0x80, 0x80
_MASK = b"\x37\xfa\x21\x3d"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


class WebSocket:
    """Open when the constructor returns. `close_code` is the server's, 1005 for a close frame without one,
    None as long as there was none."""

    def __init__(self, client: Client, target: str, headers: HeaderFields, protocols: Sequence[str]) -> None:
        self.close_code: int | None = None
        self.close_reason = ""
        self._client = client
        self.response = self._open(target, headers, protocols)
        """The head that has accepted it."""

    def _open(self, target: str, headers: HeaderFields, protocols: Sequence[str]) -> Response:
        key = base64.b64encode(os.urandom(16))
        fields = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key.decode()),
            ("Sec-WebSocket-Version", "13"),
            *([("Sec-WebSocket-Protocol", ", ".join(protocols))] if protocols else ()),
            *(headers.items() if isinstance(headers, Mapping) else headers),
        ]
        self._client.send_request("GET", target, fields)
        response = self._client.read_response()
        assert response.status == 101, f"refused: {response}"
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
        assert response["Sec-WebSocket-Accept"] == accept, response
        return response

    def send(self, message: str | bytes) -> None:
        """One message: text as text, bytes as binary."""
        if isinstance(message, str):
            self.send_frame(_TEXT, message.encode())
        else:
            self.send_frame(_BINARY, message)

    def ping(self, payload: bytes = b"") -> None:
        """Sends a ping and waits for its pong, in front of which no message may come."""
        self.send_frame(_PING, payload)
        opcode, answer, _ = self.read_frame()
        assert (opcode, answer) == (_PONG, payload), f"expected a pong, got opcode {opcode}: {answer!r}"

    def receive(self) -> str | bytes:
        """The next message; AssertionError where the server closes instead. Pings are answered on the way."""
        pieces, kind = bytearray(), 0
        while True:
            opcode, payload, is_last = self.read_frame()
            if opcode == _PING:
                self.send_frame(_PONG, payload)
            elif opcode == _CLOSE:
                raise AssertionError(
                    f"closed with {self.close_code} {self.close_reason!r}; expected a message"
                )
            elif opcode != _PONG:
                kind = opcode or kind
                pieces += payload
                if is_last:
                    return pieces.decode() if kind == _TEXT else bytes(pieces)

    def wait_close(self) -> int:
        """The code that the server closes with, passing over messages; the close is answered, and the
        connection must end then."""
        while self.close_code is None:
            self.read_frame()
        payload = b"" if self.close_code == 1005 else self.close_code.to_bytes(2, "big")
        with contextlib.suppress(OSError):  # a server need not wait for it
            self.send_frame(_CLOSE, payload)
        self._expect_end()
        return self.close_code

    def close(self, code: int = 1000, reason: str = "") -> int:
        """Closes; returns the code that the server answers with."""
        self.send_frame(_CLOSE, code.to_bytes(2, "big") + reason.encode())
        while self.close_code is None:
            self.read_frame()
        self._expect_end()
        return self.close_code

    def send_frame(self, opcode: int, payload: bytes = b"", *, is_last: bool = True) -> None:
        """One frame, masked."""
        size = len(payload)
        if size < 126:
            length = bytes([_MASKED | size])
        elif size < 65536:
            length = bytes([_MASKED | 126]) + size.to_bytes(2, "big")
        else:
            length = bytes([_MASKED | 127]) + size.to_bytes(8, "big")
        mask = int.from_bytes((_MASK * (size // 4 + 1))[:size], "big")
        masked = (int.from_bytes(payload, "big") ^ mask).to_bytes(size, "big")
        self._client.send(bytes([(_FIN if is_last else 0) | opcode]) + length + _MASK + masked)

    def read_frame(self) -> tuple[int, bytes, bool]:
        """The opcode, the payload, and whether the message ends with it."""
        first, second = self._client.read(2)
        assert not second & _MASKED, "a server's frame is masked"
        assert not first & 0x70, "reserved bits are set, and nothing was agreed"
        size = second
        if second >= 126:
            size = int.from_bytes(self._client.read(2 if second == 126 else 8), "big")
        payload = self._client.read(size)
        if first & 15 == _CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big") if payload else 1005
            self.close_reason = payload[2:].decode()
        return first & 15, payload, bool(first & _FIN)

    def _expect_end(self) -> None:
        rest = self._client.read_to_end()
        self._client.close()
        assert rest == b"", f"expected the end of the connection, got {rest[:200]!r}"
