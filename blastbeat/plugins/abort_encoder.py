"""The message type `abort`: the response failed, for a short reason that ends up in the log."""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.events import Buffer, NodeAbort
from blastbeat.interfaces import Options, Register

MAX_REASON = 200
"""Bytes of the reason that are kept."""


class AbortEncoder:
    """Decodes `abort`."""

    def decode(self, body: Buffer) -> NodeAbort:
        return NodeAbort(bytes(body[:MAX_REASON]))


def make_encoder(options: Options) -> AbortEncoder:
    return AbortEncoder()


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("abort", make_encoder)
