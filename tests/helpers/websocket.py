"""A raw WebSocket client: the handshake with any fields, any frame, and a strict reader of what comes back.

Knows the raw HTTP client and frames, nothing of the server's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.helpers.client import RawClient, Response, ResponseHead, request_head
from tests.helpers.settings import HOST
from tests.helpers.websocket_frames import (
    BINARY,
    CLOSE,
    KEY,
    PING,
    PONG,
    TEXT,
    Assembler,
    Deflate,
    Frame,
    accept_key,
    agreed_deflate,
    close,
    frame,
    parse_frame,
)

Headers = Sequence[tuple[str, str]]


def handshake_fields(
    *,
    key: str = KEY,
    version: str = "13",
    protocols: Sequence[str] = (),
    extensions: str = "",
    origin: str = "",
) -> list[tuple[str, str]]:
    """The fields of a client's handshake (RFC 6455, section 4.1), besides `Host`."""
    fields = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", version),
    ]
    if protocols:
        fields.append(("Sec-WebSocket-Protocol", ", ".join(protocols)))
    if extensions:
        fields.append(("Sec-WebSocket-Extensions", extensions))
    if origin:
        fields.append(("Origin", origin))
    return fields


class WebSocketClient:
    """One connection. `raw` is the socket below, for all that is not a WebSocket's business.

    Waits end with an AssertionError after some seconds. `deflate` is set where the handshake agreed on it.
    """

    def __init__(self, raw: RawClient) -> None:
        self.raw = raw
        self.deflate: Deflate | None = None
        self._buffer = bytearray()
        self._assembler = Assembler()

    # ------------------------------------------------------------ handshake

    def handshake(
        self,
        target: str = "/",
        *,
        host: str = HOST,
        headers: Headers = (),
        protocols: Sequence[str] = (),
        extensions: str = "",
        origin: str = "",
        early: bytes = b"",
    ) -> ResponseHead:
        """Asks, and must be accepted. `early` follows the head in the same segment."""
        self.ask(
            target,
            host=host,
            headers=headers,
            protocols=protocols,
            extensions=extensions,
            origin=origin,
            early=early,
        )
        return self.expect_accepted()

    def ask(
        self,
        target: str = "/",
        *,
        host: str = HOST,
        headers: Headers = (),
        protocols: Sequence[str] = (),
        extensions: str = "",
        origin: str = "",
        early: bytes = b"",
    ) -> None:
        """Sends a handshake."""
        fields = handshake_fields(protocols=protocols, extensions=extensions, origin=origin)
        self.raw.send(request_head(target, headers=[*fields, *headers], host=host) + early)

    def expect_accepted(self, key: str = KEY) -> ResponseHead:
        """The next head, which must be a 101 as RFC 6455 wants it."""
        head = self.raw.read_head()
        assert head.status == 101, head
        assert head["Upgrade"].lower() == "websocket" and head["Connection"].lower() == "upgrade", head
        assert head["Sec-WebSocket-Accept"] == accept_key(key), head
        assert not head.all("Content-Length") and not head.all("Transfer-Encoding"), head
        if "Sec-WebSocket-Extensions" in head:
            self.deflate = agreed_deflate(head["Sec-WebSocket-Extensions"])
            self._assembler.is_compressed = True
        return head

    def expect_refused(self, status: int) -> Response:
        """The next response, which must be whole and have this status."""
        response = self.raw.read_response()
        assert response.status == status, response
        return response

    # ------------------------------------------------------------ sending

    def send(self, *pieces: bytes) -> None:
        """Bytes as they are, each piece in a call of its own."""
        for piece in pieces:
            self.raw.send(piece)

    def send_all(self, pieces: Iterable[bytes]) -> None:
        """All of them in one go."""
        self.raw.send(b"".join(pieces))

    def send_text(self, payload: str | bytes) -> None:
        self.raw.send(frame(TEXT, payload.encode() if isinstance(payload, str) else payload))

    def send_binary(self, payload: bytes) -> None:
        self.raw.send(frame(BINARY, payload))

    def send_ping(self, payload: bytes = b"") -> None:
        self.raw.send(frame(PING, payload))

    def send_close(self, code: int | None = 1000, reason: str | bytes = b"") -> None:
        self.raw.send(close(code, reason))

    # ------------------------------------------------------------ receiving

    def read_frame(self) -> Frame:
        """The next frame, of any kind."""
        while (parsed := parse_frame(self._buffer)) is None:
            self._buffer += self.raw.read_some(1 << 20)
        del self._buffer[: parsed[1]]
        return parsed[0]

    def read(self) -> Frame:
        """The next message whole and inflated, or a control frame that came before or inside it."""
        while (whole := self._assembler.add(self.read_frame())) is None:
            pass
        if whole.rsv:
            assert self.deflate is not None
            return Frame(whole.opcode, self.deflate.decompress(whole.payload))
        return whole

    def expect(self, opcode: int, payload: bytes | None = None) -> Frame:
        """The next message or control frame, which must be this one. `payload` None: any."""
        got = self.read()
        assert got.opcode == opcode, f"expected opcode {opcode}, got {got}"
        assert payload is None or got.payload == payload, f"expected {payload[:100]!r}, got {got}"
        return got

    def expect_text(self, payload: str | bytes) -> None:
        self.expect(TEXT, payload.encode() if isinstance(payload, str) else payload)

    def expect_binary(self, payload: bytes) -> None:
        self.expect(BINARY, payload)

    def expect_ping(self) -> bytes:
        return self.expect(PING).payload

    def expect_pong(self, payload: bytes = b"") -> None:
        self.expect(PONG, payload)

    def expect_close(self, code: int, reason: str | None = None) -> str:
        """The next frame, which must close with `code` (1005: with none). Returns the reason."""
        got = self.expect(CLOSE)
        assert got.close_code == code, f"expected close code {code}, got {got}"
        assert reason is None or got.close_reason == reason, f"expected {reason!r}, got {got}"
        return got.close_reason

    def expect_eof(self) -> None:
        """The connection ends here; nothing follows."""
        rest = bytes(self._buffer) + self.raw.read_to_eof()
        assert rest == b"", f"expected the end of the connection, got {rest[:200]!r}"

    def expect_closed(self, code: int, reason: str | None = None) -> str:
        """The server closes with `code`; the close is answered; the connection ends."""
        said = self.expect_close(code, reason)
        self.send_close(code if code != 1005 else None)
        self.expect_eof()
        return said

    def finish(self, code: int | None = 1000, reason: str = "") -> None:
        """The whole close handshake, begun by us: the server gives the code back and ends the connection."""
        self.send_close(code, reason)
        self.expect_close(1005 if code is None else code)
        self.expect_eof()

    def close(self) -> None:
        """Leaves without a word."""
        self.raw.close()
