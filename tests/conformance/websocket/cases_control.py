"""Pings and pongs (Autobahn 2.*), reserved bits (3.*) and reserved opcodes (4.*). See case.py."""

from __future__ import annotations

from tests.conformance.websocket.case import Case, bad, good
from tests.helpers.websocket_frames import CLOSE, PING, PONG, TEXT, frame

_HELLO = frame(TEXT, b"hello")
_TOLD = ("text", b"hello")

CASES: dict[str, Case] = {
    "ping": good(frame(PING), ("ping", b"")),
    "ping with text": good(frame(PING, b"hello"), ("ping", b"hello")),
    "ping with bytes": good(frame(PING, b"\x00\xff\xfe\xfd"), ("ping", b"\x00\xff\xfe\xfd")),
    "ping of 125": good(frame(PING, b"\xfe" * 125), ("ping", b"\xfe" * 125)),
    "ping of 126": bad(1002, frame(PING, b"\xfe" * 126)),
    "pong nobody asked for": good(frame(PONG), ("pong", b"")),
    "pong nobody asked for, then a ping": good(
        frame(PONG, b"x") + frame(PING, b"y"), ("pong", b"x"), ("ping", b"y")
    ),
    "ten pings": good(frame(PING, b"p") * 10, *[("ping", b"p")] * 10),
    **{f"reserved bits {rsv}": bad(1002, _HELLO + frame(TEXT, b"x", rsv=rsv), _TOLD) for rsv in range(1, 8)},
    **{
        f"reserved bits {rsv} on opcode {opcode}": bad(1002, _HELLO + frame(opcode, b"", rsv=rsv), _TOLD)
        for opcode in (CLOSE, PING, PONG)
        for rsv in (1, 4)
    },
    **{
        f"opcode {opcode} with {len(payload)} bytes": bad(1002, _HELLO + frame(opcode, payload), _TOLD)
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
        for payload in (b"", b"x")
    },
}
