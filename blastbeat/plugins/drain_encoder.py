"""The message type `drain`: the instance takes no further request. Its body says nothing."""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.events import Buffer, NodeDrain
from blastbeat.interfaces import Options, Register


class DrainEncoder:
    """Decodes `drain`."""

    def decode(self, body: Buffer) -> NodeDrain:
        return NodeDrain()


def make_encoder(options: Options) -> DrainEncoder:
    return DrainEncoder()


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("drain", make_encoder)
