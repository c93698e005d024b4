"""The gate before WebSocket drivers: which frame headers pass, and what is said of those that do not."""

from __future__ import annotations

import pytest

from blastbeat.gates.websocket import WebSocketGate
from tests.helpers.websocket_frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

LIMIT = 1000


def passed_in_pieces(data: bytes, size: int) -> tuple[bytes, tuple[int, str] | None]:
    gate = WebSocketGate(LIMIT)
    out = b"".join(gate.receive(data[i : i + size]) for i in range(0, len(data), size))
    return out, gate.failure


GOOD = (
    frame(TEXT, b"hel", fin=False)
    + frame(PING, b"p")
    + frame(CONTINUATION, b"lo")
    + frame(BINARY, b"x" * 300)
    + frame(PONG, b"")
    + frame(CLOSE, b"\x03\xe8bye")
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_good_frames_pass_unchanged_however_they_come(size: int) -> None:
    assert passed_in_pieces(GOOD, size) == (GOOD, None)


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_nothing_passes_behind_a_close_frame(size: int) -> None:
    assert passed_in_pieces(GOOD + frame(TEXT, b"no"), size) == (GOOD, None)


BAD = {
    "not masked": (frame(TEXT, b"a", mask=None), 1002),
    "reserved opcode": (b"\x83\x80abcd", 1002),
    "reserved control opcode": (b"\x8b\x80abcd", 1002),
    "rsv1 without compression": (b"\xc1\x80abcd", 1002),
    "rsv2": (b"\xa1\x80abcd", 1002),
    "long control frame": (b"\x89\xfe\x00\x7eabcd", 1002),
    "control frame in fragments": (b"\x09\x80abcd", 1002),
    "continuation of nothing": (b"\x80\x80abcd", 1002),
    "message within a message": (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    "16 bits where 7 do": (b"\x81\xfe\x00\x7dabcd", 1002),
    "64 bits where 16 do": (b"\x81\xff" + (0xFFFF).to_bytes(8, "big") + b"abcd", 1002),
    "2^63": (b"\x81\xff" + (2**63).to_bytes(8, "big"), 1002),
    "2^64-1": (b"\x82\xff" + (2**64 - 1).to_bytes(8, "big"), 1002),
    "2^62": (b"\x82\xff" + (2**62).to_bytes(8, "big"), 1009),
    "too big": (frame(TEXT, b"a" * 1001), 1009),
    "too big in fragments": (frame(TEXT, b"a" * 600, fin=False) + frame(CONTINUATION, b"a" * 401), 1009),
}


@pytest.mark.parametrize("size", [1, 3, 5000])
@pytest.mark.parametrize(("data", "code"), BAD.values(), ids=list(BAD))
def test_what_is_wrong_fails_behind_what_was_good(data: bytes, code: int, size: int) -> None:
    good = frame(BINARY, b"before")
    out, failure = passed_in_pieces(good + data, size)
    assert failure is not None and failure[0] == code and failure[1]
    assert out.startswith(good) and len(out) < len(good + data)


def test_a_refused_connection_stays_refused() -> None:
    gate = WebSocketGate(LIMIT)
    gate.receive(b"\x83\x80abcd")
    assert gate.receive(frame(TEXT, b"a")) == b"" and gate.failure is not None


def test_a_message_may_be_as_big_as_the_limit_and_the_next_one_too() -> None:
    data = frame(TEXT, b"a" * 600, fin=False) + frame(CONTINUATION, b"a" * 400) + frame(TEXT, b"a" * 1000)
    assert passed_in_pieces(data, 100) == (data, None)


def test_rsv1_begins_a_compressed_message_only() -> None:
    gate = WebSocketGate(LIMIT, is_compressed=True)
    assert gate.receive(b"\xc1\x80abcd") and gate.failure is None
    gate.receive(b"\x41\x80abcd\xc0\x80abcd")
    assert gate.failure is not None and gate.failure[0] == 1002


def test_a_lone_pong() -> None:
    gate = WebSocketGate(LIMIT)
    assert gate.is_lone_pong(frame(PONG, b"")) and gate.is_lone_pong(frame(PONG, b"x" * 125))
    assert not gate.is_lone_pong(frame(PONG, b"") + b"x") and not gate.is_lone_pong(frame(PING, b""))
    assert not gate.is_lone_pong(b"\x8a") and not gate.is_lone_pong(b"\x8a\x00")
    # Not masked, and too long: the gate is to refuse these.
    assert not gate.is_lone_pong(b"\x8a\x03" + bytes(4 + 131))
    assert not gate.is_lone_pong(b"\x8a\xfe\x00\x7e" + bytes(2 + 126))
    gate.receive(frame(TEXT, b"abc")[:-1])
    assert not gate.is_lone_pong(frame(PONG, b""))
