"""The message type `retry`: somebody else should answer this request. Its body says nothing."""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.events import Buffer, NodeRetry
from blastbeat.interfaces import Options, Register


class RetryEncoder:
    """Decodes `retry`."""

    def decode(self, body: Buffer) -> NodeRetry:
        return NodeRetry()


def make_encoder(options: Options) -> RetryEncoder:
    return RetryEncoder()


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("retry", make_encoder)
