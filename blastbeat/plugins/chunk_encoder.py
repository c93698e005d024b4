"""The message type `chunk`: the payload of one HTTP chunk; an empty one is the last chunk.

Passes the bytes on uncopied; whether chunks exist towards the client is the session's business.
"""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.events import Buffer, NodeChunk
from blastbeat.interfaces import Options, Register


class ChunkEncoder:
    """Decodes `chunk`."""

    def decode(self, body: Buffer) -> NodeChunk:
        return NodeChunk(body)


def make_encoder(options: Options) -> ChunkEncoder:
    return ChunkEncoder()


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("chunk", make_encoder)
