"""What a row of the tables in `cases_*.py` is: frames of a client, and what must come of them.

How to use the tables: each module has `CASES`, names to rows. On driver level feed `data` to gate and driver
(`test_websocket_cases.py`). End to end (`test_echoed_cases.py`) a node echoes it: `told` are then what
comes back, with a pong for each ping; `code` is the close code the server sends: the client's own where
the case ends with a good close frame, None where the WebSocket stays open. The classes are those of the
Autobahn test suite; the cases are our own.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_MESSAGE = 1 << 20
"""`websocket-max-message` that the tables count on: the default."""

Told = tuple[str, bytes]
"""What is told: `text`, `binary`, `ping` or `pong`, and the payload."""


@dataclass(frozen=True)
class Case:
    data: bytes
    told: tuple[Told, ...] = ()
    code: int | None = None
    is_failure: bool = True  # `code` is the verdict; else it is the client's own, which is answered


def good(data: bytes, *told: Told) -> Case:
    """All of it is told, and the WebSocket stays open."""
    return Case(data, told)


def bad(code: int, data: bytes, *told: Told) -> Case:
    """Closed with `code` after what is told."""
    return Case(data, told, code)


def closed(code: int, data: bytes, *told: Told) -> Case:
    """The client's close frame is a good one, and ends it; 1005 where it has no code."""
    return Case(data, told, code, is_failure=False)
