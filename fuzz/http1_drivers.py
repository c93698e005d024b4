"""Invariant: the drivers `fast` and `h11` give the same events, verdicts and answers for the same bytes.

Both read each input whole, in random pieces and byte by byte, behind a gate each; after each request both
write the same response. Runs under atheris where that is installed (`python fuzz/http1_drivers.py corpus/`),
else makes inputs by a grammar and damages them, for so many seconds of its processor's time
(`python fuzz/http1_drivers.py 60 [SEED]`).
`--coverage` says at the end which lines of the fast driver no input reached.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from blastbeat.errors import ClientError
from blastbeat.events import Buffer, ClientEvent, ResponseHead
from blastbeat.gates import plain
from blastbeat.gates.http1 import Http1Gate
from blastbeat.gates.plain import PlainHeads
from blastbeat.interfaces import Driver, HttpLimits
from blastbeat.plugins import http1_fast
from blastbeat.plugins.http1_h11 import H11Driver
from fuzz import grammar, mutation
from fuzz.http1_gate import LIMITS, SEEDS, TOKENS

RESPONSES = (
    ResponseHead(1, 200, b"OK", [(b"Content-Type", b"text/plain")], length=5),
    ResponseHead(1, 200, b"OK", [], length=None),
    ResponseHead(1, 204, b"", [], length=None, bodyless=True),
    ResponseHead(1, 404, b"Not Found", [(b"Connection", b"x")], length=0, close=True),
)


def new_fast(limits: HttpLimits) -> Driver:
    """As a server gets it."""
    factories: dict[str, Any] = {}
    http1_fast.blastbeat_register_drivers(lambda name, make, *, options=None: factories.update({name: make}))
    driver: Driver = factories["fast"]({}).new_driver(limits)
    return driver


class Lane:
    """One gate with one driver behind it, and everything that came of the bytes so far."""

    def __init__(self, driver: Driver, limits: HttpLimits) -> None:
        self.heads: PlainHeads | None = getattr(driver, "plain_heads", None)
        self.gate = Http1Gate(limits, self.heads)
        self.driver = driver
        self.told: list[object] = []
        self.is_over = False

    def feed(self, piece: bytes) -> None:
        """What the server would do with `piece`, each request answered as soon as it was read."""
        try:
            passed = self.gate.receive(piece)
            while True:
                self.tell(self.driver.receive_data(passed))
                if not self.gate.request_complete:
                    return
                self.respond(RESPONSES[len(self.told) % len(RESPONSES)])
                self.driver.start_next_exchange()
                if self.heads is not None and len(self.told) % 3 == 0:
                    self.heads.rest()  # as after a silence between two requests
                passed = self.gate.next_request()
        except ClientError as error:
            self.is_over = True
            self.told.append((error.status, error.reason))
            self.respond(RESPONSES[-1])

    def tell(self, events: Sequence[ClientEvent]) -> None:
        self.told += events

    def respond(self, head: ResponseHead) -> None:
        out: list[Buffer] = []
        driver = self.driver
        driver.send_continue(out)
        driver.send_head(head, out)
        driver.send_data(b"hello"[: head.length], out)
        driver.send_end(out)
        self.told.append((b"".join(out), driver.must_close()))


def compare(pieces: Sequence[bytes], limits: HttpLimits) -> None:
    """Raises AssertionError where the two differ."""
    fast, reference = Lane(new_fast(limits), limits), Lane(H11Driver(limits), limits)
    for piece in pieces:
        fast.feed(piece)
        reference.feed(piece)
        assert fast.told == reference.told, (pieces, fast.told, reference.told)
        if fast.is_over:
            return


def test_one_input(data: bytes) -> None:
    """The first byte seeds the cuts, the rest is what the client sends."""
    if not data:
        return
    dice, sent = random.Random(data[0]), data[1:]
    ends = [0, *sorted(dice.randint(0, len(sent)) for _ in range(dice.randint(1, 6))), len(sent)]
    pieces = [sent[start:end] for start, end in zip(ends, ends[1:], strict=False)]
    for limits in LIMITS:
        compare([sent], limits)
        compare(pieces, limits)
    if len(sent) < 400:
        compare([sent[at : at + 1] for at in range(len(sent))], LIMITS[0])


if __name__ == "__main__":
    sys.exit(
        mutation.run(
            test_one_input,
            SEEDS,
            TOKENS,
            make=grammar.http1_requests,
            covers=(plain.__file__, http1_fast.__file__),
        )
    )
