"""The message types `websocket` and `websocket-binary`: one whole WebSocket message.

Passes the bytes on uncopied; whether they are text is looked at where they are sent.
"""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.events import Buffer, NodeMessage
from blastbeat.interfaces import Options, Register


class WebSocketEncoder:
    """Decodes both; `is_binary` says which."""

    def __init__(self, is_binary: bool) -> None:
        self._is_binary = is_binary

    def decode(self, body: Buffer) -> NodeMessage:
        return NodeMessage(body, self._is_binary)


def make_encoder(options: Options) -> WebSocketEncoder:
    return WebSocketEncoder(False)


def make_binary_encoder(options: Options) -> WebSocketEncoder:
    return WebSocketEncoder(True)


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("websocket", make_encoder)
    register("websocket-binary", make_binary_encoder)
