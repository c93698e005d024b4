"""Invariant: any bytes that a node sends as `json` are a head that can stand in a response, or a NodeError of
one line.

Runs like http1_gate.py, under atheris where that is installed: `python fuzz/json_head.py 60`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "plugins-contrib/blastbeat-json-encoder/src"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from blastbeat.errors import NodeError
from blastbeat_json_encoder.responses import parse_response
from fuzz import mutation

SEEDS = [
    b'{"status": 200}',
    b'{"status":404,"reason":"Gone fishing","headers":{"Content-Length":5,"Set-Cookie":["a=1","b=\\u00ff"]}}',
    '{"headers":[["X-Name","Zo\xeb"],["x-name","2"]],"status":101}'.encode(),
]
TOKENS = b'" { } [ ] , : \\ \\u0000 \\ud800 \\r\\n \xff null NaN 1e999 "status": "headers":'.split()
TOKENS += [b"9" * 5000, b"[" * 2000, b" " * 9]

CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def test_one_input(data: bytes) -> None:
    """The first byte is the one that seeds the cuts of other targets; here it says nothing."""
    try:
        head = parse_response(memoryview(data)[1:])
    except NodeError as error:
        assert error.reason.isascii() and error.reason.isprintable(), error.reason
        return
    assert 100 <= head.status <= 599
    for text in (head.reason, *(part for field in head.headers for part in field)):
        assert not CONTROL.search(text), text


if __name__ == "__main__":
    sys.exit(mutation.run(test_one_input, SEEDS, TOKENS))
