"""Invariant: any bytes, in any pieces, give the same requests and the same verdict, never another error.

And no reader is stricter than the gate: what passed it, h11 takes. Runs under atheris where that is installed
(`python fuzz/http1_gate.py corpus/ -max_total_time=600`), else mutates seeds at random for so many seconds
(`python fuzz/http1_gate.py 60`); what it finds is printed as a Python literal.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from blastbeat.interfaces import HttpLimits
from fuzz import mutation
from tests.helpers.http1 import Reading, each_byte, read_requests

LIMITS = (HttpLimits(), HttpLimits(max_head=150, max_uri=40, max_headers=4))
SEEDS = [
    b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    b'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a="b"\r\nhello\r\n0\r\nT: x\r\n\r\n',
    b"GET http://[::1]/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%b: %b\r\n\r\n"
    % (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
]
TOKENS = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"0",
    b"f",
    b"\xff",
    b"\x0b",
    b"#",
    b'"',
]
TOKENS += [
    b"\r\n\r\n",
    b"0\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"HTTP/1.1",
]
TOKENS += [b"Host: a\r\n", b"http://b", b"chunked", b"x" * 50, b"X: y\r\n" * 5]


def summary(reading: Reading) -> tuple[object, ...]:
    """What must not depend on the pieces."""
    if reading.refusal is not None:
        return reading.refusal, reading.complete, len(reading.requests)
    return None, reading.requests, reading.held


def test_one_input(data: bytes) -> None:
    """The first byte seeds the cuts, the rest is what the client sends."""
    if not data:
        return
    dice, sent = random.Random(data[0]), data[1:]
    for limits in LIMITS:
        whole = read_requests([sent], limits)
        # h11's refusals bear this reason: the gate should have refused first, with a better one.
        assert whole.refusal is None or whole.refusal[1] != "malformed request", sent
        ends = [0, *sorted(dice.randint(0, len(sent)) for _ in range(4)), len(sent)]
        pieces = [sent[start:end] for start, end in zip(ends, ends[1:], strict=False)]
        for other in (pieces, each_byte(sent)):
            assert summary(read_requests(other, limits)) == summary(whole), (sent, other)


if __name__ == "__main__":
    sys.exit(mutation.run(test_one_input, SEEDS, TOKENS))
