"""The message type `end`: the response is complete.

The body, a WebSocket's close code and reason, is handed on as it is; what it may say is judged by whoever
closes the WebSocket.
"""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.events import Buffer, NodeEnd
from blastbeat.interfaces import Options, Register

MAX_DETAIL = 128
"""Bytes: a code of four digits, a space and the 123 bytes a close frame has room for."""


class EndEncoder:
    """Decodes `end`."""

    def decode(self, body: Buffer) -> NodeEnd:
        """A detail that no close frame can carry counts as none."""
        return NodeEnd(bytes(body) if len(body) <= MAX_DETAIL else b"")


def make_encoder(options: Options) -> EndEncoder:
    return EndEncoder()


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("end", make_encoder)
