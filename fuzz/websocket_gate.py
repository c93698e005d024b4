"""Invariant: any bytes of an upgraded client, in any pieces, give the same events and the same close code.

And never another error. Runs under atheris where that is installed
(`python fuzz/websocket_gate.py corpus/ -max_total_time=600`), else mutates seeds at random for so many
seconds (`python fuzz/websocket_gate.py 60`); what it finds is printed as a Python literal.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fuzz import mutation
from tests.helpers.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Deflate,
    close,
    frame,
    frame_header,
)
from tests.helpers.websocket_reading import read_frames

MAX = 2000
SEEDS = [
    frame(TEXT, "κόσμε".encode()),
    frame(BINARY, bytes(range(200))),
    frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(CONTINUATION, b"b"),
    frame(PONG, b"x" * 125),
    close(1000, "bye"),
    close(None),
    Deflate().message(TEXT, b"hello " * 100),
    frame(TEXT, b"x" * 300, mask=b"\0\0\0\0"),
]
TOKENS = [bytes([value]) for value in (0, 1, 0x7E, 0x7F, 0x80, 0x81, 0x88, 0xC1, 0xFE, 0xFF)]
TOKENS += [frame_header(TEXT, 1 << power) for power in (7, 16, 62, 63)]
TOKENS += [frame(CLOSE, b"\x03"), frame(TEXT, b"\xed\xa0\x80"), frame(CONTINUATION), frame(BINARY, bytes(50))]


def test_one_input(data: bytes) -> None:
    """The first byte seeds the cuts, the rest is what the client sends."""
    if not data:
        return
    dice, sent = random.Random(data[0]), data[1:]
    for compression in (False, True):
        whole = read_frames([sent], MAX, compression)
        assert whole.failure in (None, 1002, 1007, 1009), sent
        ends = [0, *sorted(dice.randint(0, len(sent)) for _ in range(4)), len(sent)]
        pieces = [sent[start:end] for start, end in zip(ends, ends[1:], strict=False)]
        for other in (pieces, [sent[at : at + 1] for at in range(len(sent))]):
            assert read_frames(other, MAX, compression) == whole, (sent, other)


if __name__ == "__main__":
    sys.exit(mutation.run(test_one_input, SEEDS, TOKENS))
