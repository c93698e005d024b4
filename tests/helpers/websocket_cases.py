"""What a case of a WebSocket table is, and the server with an echo behind it that all of them run on.

The classes are those of Autobahn's test suite, the rules its strictest verdict (OK): what came before a
failure is echoed, the failure has its code, and the server ends the connection.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.helpers.stage import Stage
from tests.helpers.websocket import WebSocketClient
from tests.helpers.websocket_frames import CLOSE

MIB = 1024 * 1024


@dataclass(frozen=True)
class Case:
    """`sent` gives `answers` (opcode and payload each). Then the server closes with `code` and the connection
    ends; None: it stays, and closes as the client asks it to."""

    name: str
    sent: bytes
    answers: tuple[tuple[int, bytes], ...] = ()
    code: int | None = None

    def __str__(self) -> str:
        return self.name


class EchoServer:
    """A server whose one node sends back every message, binary as binary."""

    def __init__(self, stage: Stage, **options: object) -> None:
        self._stage = stage
        sizes = {"websocket-max-message": 16 * MIB}
        stage.serve({"writequeue-buffer": 40 * MIB, "memory": 0}, {**sizes, **options})
        self.node = stage.echo("app/echo", "binary")

    def client(self, extensions: str = "") -> WebSocketClient:
        client = self._stage.websocket()
        client.handshake(extensions=extensions)
        return client

    def run(self, case: Case, chop: int | None = None) -> None:
        """`chop`: so many bytes in each call of send."""
        client = self.client()
        size = chop or len(case.sent) or 1
        client.send(*(case.sent[start : start + size] for start in range(0, len(case.sent), size)))
        for opcode, payload in case.answers:
            client.expect(opcode, payload)
        if case.code is None:
            client.finish()
        else:
            assert client.expect(CLOSE).close_code == case.code
            client.expect_eof()
        client.close()
