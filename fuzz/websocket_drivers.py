"""Invariant: the drivers `fast` and `wsproto` give the same events, codes and frames for the same bytes.

Both read each input whole, in random pieces and byte by byte, `wsproto` behind its gate; each writes back
what it was told. Runs under atheris where that is installed (`python fuzz/websocket_drivers.py corpus/`),
else makes inputs by a grammar and damages them, for so many seconds of its processor's time
(`python fuzz/websocket_drivers.py 60 [SEED]`).
`--coverage` says at the end which lines of the fast driver no input reached.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from blastbeat.events import (
    Buffer,
    WebSocketClose,
    WebSocketEvent,
    WebSocketFailure,
    WebSocketMessage,
    WebSocketPing,
    WebSocketPong,
)
from blastbeat.gates import websocket as websocket_gate
from blastbeat.gates.websocket import WebSocketGate
from blastbeat.interfaces import WebSocketDriver, WebSocketOptions
from blastbeat.plugins import websocket_fast, websocket_wsproto
from fuzz import grammar, mutation
from fuzz.websocket_gate import SEEDS, TOKENS

LIMITS = (100_000, 300, 20)
LONG_REASON = "κόσμε".encode() * 15
OFFER = b"permessage-deflate; client_max_window_bits"


class Lane:
    """A driver, its gate where it has one, and everything that came of the bytes so far."""

    def __init__(self, driver: WebSocketDriver, limit: int, is_compressed: bool) -> None:
        checks_frames = getattr(driver, "checks_frames", False)
        self.gate = None if checks_frames else WebSocketGate(limit, is_compressed)
        self.driver = driver
        self.told: list[object] = []
        self.is_over = False

    def feed(self, piece: bytes) -> None:
        """What the server would do with `piece`, each event answered at once."""
        passed = piece if self.gate is None else self.gate.receive(piece)
        for event in self.driver.receive_data(passed) if passed else ():
            self.tell(event)
            if self.is_over:
                return
        if self.gate is not None and self.gate.failure is not None:
            self.tell(WebSocketFailure(1, *self.gate.failure))

    def tell(self, event: WebSocketEvent) -> None:
        """Words are each driver's own."""
        out: list[Buffer] = []
        if isinstance(event, WebSocketMessage):
            event.data = bytes(event.data)
            self.driver.send_message(memoryview(event.data), event.is_text, out)
        elif isinstance(event, WebSocketFailure):
            event.detail = ""
            self.driver.send_close(event.code, LONG_REASON, out)
            self.is_over = True
        elif isinstance(event, WebSocketClose):
            self.driver.send_close(event.code, event.reason, out)
            self.is_over = True
        elif isinstance(event, WebSocketPing):
            self.driver.send_pong(event.payload, out)
        else:
            self.driver.send_ping(event.payload, out)
        self.told += (event, b"".join(out))


def compare(pieces: Sequence[bytes], limit: int, offers: Sequence[bytes]) -> None:
    """Raises AssertionError where the two differ."""
    options = WebSocketOptions(max_message=limit, compression=bool(offers))
    factories: dict[str, Any] = {}
    for plugin in (websocket_fast, websocket_wsproto):
        plugin.blastbeat_register_websocket_drivers(factories.__setitem__)
    lanes = []
    for factory in factories.values():
        answer, driver = factory({}).negotiate(offers, options)
        lanes.append(Lane(driver, limit, bool(answer)))
    fast, reference = lanes
    for piece in pieces:
        is_lone_pong = reference.gate is not None and reference.gate.is_lone_pong(piece)
        told = len(fast.told)
        fast.feed(piece)
        reference.feed(piece)
        assert fast.told == reference.told, (pieces, limit, fast.told, reference.told)
        assert not is_lone_pong or isinstance(fast.told[told], WebSocketPong), pieces
        if fast.is_over:
            assert (
                reference.gate is None or not reference.gate.failure or not reference.gate.receive(SEEDS[0])
            )
            assert fast.gate is not None or not fast.driver.receive_data(memoryview(SEEDS[0])), pieces
            return
        # wsproto does not count a character that is not whole.
        assert 0 <= fast.driver.held - reference.driver.held < 4, pieces


def test_one_input(data: bytes) -> None:
    """The first byte seeds the cuts, the rest is what the client sends."""
    if not data:
        return
    dice, sent = random.Random(data[0]), data[1:]
    ends = [0, *sorted(dice.randint(0, len(sent)) for _ in range(dice.randint(1, 6))), len(sent)]
    pieces = [sent[start:end] for start, end in zip(ends, ends[1:], strict=False)]
    for limit in LIMITS:
        compare([sent], limit, ())
        compare(pieces, limit, ())
    if len(sent) < 600:
        compare([sent[at : at + 1] for at in range(len(sent))], dice.choice(LIMITS), ())
    if dice.random() < 0.05:
        compare(pieces, LIMITS[0], (OFFER,))


if __name__ == "__main__":
    sys.exit(
        mutation.run(
            test_one_input,
            SEEDS,
            TOKENS,
            make=grammar.websocket_frames,
            covers=(websocket_fast.__file__, websocket_gate.__file__),
        )
    )
