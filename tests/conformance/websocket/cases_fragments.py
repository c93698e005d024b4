"""Fragments and what may come between them (Autobahn 5.*). See case.py."""

from __future__ import annotations

from tests.conformance.websocket.case import Case, bad, good
from tests.helpers.websocket_frames import BINARY, CONTINUATION, PING, PONG, TEXT, frame

_FIRST = frame(TEXT, b"one", fin=False)
_MORE = frame(CONTINUATION, b"two", fin=False)
_LAST = frame(CONTINUATION, b"three")

CASES: dict[str, Case] = {
    "ping in fragments": bad(1002, frame(PING, b"a", fin=False) + frame(CONTINUATION, b"b")),
    "pong in fragments": bad(1002, frame(PONG, b"a", fin=False) + frame(CONTINUATION, b"b")),
    "two": good(_FIRST + _LAST, ("text", b"onethree")),
    "three": good(_FIRST + _MORE + _LAST, ("text", b"onetwothree")),
    "ping between": good(_FIRST + frame(PING, b"p") + _LAST, ("ping", b"p"), ("text", b"onethree")),
    "pings between all": good(
        _FIRST + frame(PING, b"1") + _MORE + frame(PING, b"2") + _LAST,
        ("ping", b"1"),
        ("ping", b"2"),
        ("text", b"onetwothree"),
    ),
    "empty ones": good(
        frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) + frame(CONTINUATION), ("text", b"")
    ),
    "text between empty ones": good(
        frame(TEXT, fin=False) + frame(CONTINUATION, b"x", fin=False) + frame(CONTINUATION), ("text", b"x")
    ),
    "binary within text": bad(1002, _FIRST + frame(BINARY, b"x")),
    "continuation of nothing, last": bad(1002, _LAST + frame(TEXT, b"x")),
    "continuation of nothing, more": bad(1002, _MORE + frame(TEXT, b"x")),
    "continuation after the last": bad(1002, _FIRST + _LAST + _LAST, ("text", b"onethree")),
    "message within a message": bad(1002, _FIRST + frame(TEXT, b"x")),
}
