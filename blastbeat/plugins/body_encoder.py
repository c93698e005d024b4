"""The message type `body`: raw payload, or the node's own chunked coding where its head says so.

Passes the bytes on uncopied; what they mean is the session's business.
"""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.events import Buffer, NodeData
from blastbeat.interfaces import Options, Register


class BodyEncoder:
    """Decodes `body`."""

    def decode(self, body: Buffer) -> NodeData:
        return NodeData(body)


def make_encoder(options: Options) -> BodyEncoder:
    return BodyEncoder()


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("body", make_encoder)
