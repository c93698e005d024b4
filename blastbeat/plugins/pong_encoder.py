"""The message type `pong`: the node is alive, and may announce capabilities (`protocol.md` §1).

Nodes of the original send any body, so nothing here is an error: what is no capability word is ignored.
Knows no instance: which words come into force is decided by the node table.
"""

from __future__ import annotations

import re

from blastbeat import hookimpl
from blastbeat.events import Buffer, NodePong
from blastbeat.interfaces import Options, Register

MAX_BODY = 1024
"""Bytes: a longer body holds no capability words."""

_WORD = re.compile(rb"batch|binary|accept|exchange|credit=[1-9][0-9]{0,11}")
_NO_WORDS = NodePong()


class PongEncoder:
    """Decodes `pong`."""

    def decode(self, body: Buffer) -> NodePong:
        """The known words in order, each once; of several `credit=N` the first."""
        if not len(body) or len(body) > MAX_BODY:
            return _NO_WORDS
        words: dict[bytes, bytes] = {}
        for word in bytes(body).split():
            if _WORD.fullmatch(word) is not None:
                words.setdefault(word.partition(b"=")[0], word)
        return NodePong(tuple(words.values()))


def make_encoder(options: Options) -> PongEncoder:
    return PongEncoder()


@hookimpl
def blastbeat_register_encoders(register: Register) -> None:
    register("pong", make_encoder)
