"""The fast driver: what it reads by itself, in any pieces; the contract compares it with the reference."""

from __future__ import annotations

import os

import pytest

from blastbeat.events import Buffer, WebSocketFailure, WebSocketMessage, WebSocketPong
from blastbeat.interfaces import WebSocketOptions
from blastbeat.plugins import websocket_fast
from blastbeat.plugins.websocket_fast import FastDriver, FastDriverFactory, unmasked
from blastbeat.plugins.websocket_wsproto import WsprotoDriver
from blastbeat.testing import WebSocketDriverContract
from tests.helpers.websocket_frames import BINARY, CONTINUATION, PING, PONG, TEXT, close, frame, masked

MAX = 1000


class TestFast(WebSocketDriverContract):
    plugin = websocket_fast
    name = "fast"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 63, 64, 125, 126, 4095, 4096, 4097, 4098, 4099, 70_001])
def test_masks_are_undone_whatever_the_size(size: int) -> None:
    data, mask = os.urandom(size), b"\x01\x80\xff\x00"
    assert unmasked(data, mask) == masked(data, mask)


def test_compression_is_left_to_wsproto() -> None:
    factory, options = FastDriverFactory({}), WebSocketOptions(compression=True)
    answer, driver = factory.negotiate([b"permessage-deflate"], options)
    assert answer and isinstance(driver, WsprotoDriver)
    answer, driver = factory.negotiate([b"x-unknown"], options)
    assert not answer and isinstance(driver, FastDriver)


def test_headers_are_checked_as_the_gate_does() -> None:
    good = frame(TEXT, b"good")
    for bad, code in (
        (frame(TEXT, b"a", mask=None), 1002),
        (frame(BINARY, b"x" * (MAX + 1)), 1009),
        (frame(TEXT, b"x" * MAX, fin=False) + frame(CONTINUATION, b"x"), 1009),
        (frame(CONTINUATION, b"a"), 1002),
        (b"\x83", 1002),
    ):
        for size in (1, 2, 7, 5000):
            driver, data = FastDriver(MAX), good + bad + good
            events = [
                event
                for at in range(0, len(data), size)
                for event in driver.receive_data(data[at : at + size])
            ]
            assert events[0] == WebSocketMessage(1, b"good", True)
            assert len(events) == 2
            assert isinstance(events[1], WebSocketFailure) and events[1].code == code
            assert driver.failure == (code, events[1].detail)


def test_small_messages_have_their_limit_too() -> None:
    assert isinstance(FastDriver(9).receive_data(frame(TEXT, b"x" * 10))[0], WebSocketFailure)
    assert FastDriver(10).receive_data(frame(TEXT, b"x" * 10)) == [WebSocketMessage(1, b"x" * 10, True)]


@pytest.mark.parametrize("end", [close(1000, "bye"), close(None), frame(TEXT, b"\xff")])
def test_nothing_is_read_behind_the_end(end: bytes) -> None:
    driver = FastDriver(MAX)
    assert len(driver.receive_data(end + frame(PING, b""))) == 1
    assert not driver.receive_data(frame(TEXT, b"more"))
    driver = FastDriver(MAX)
    events = [event for at in range(len(end)) for event in driver.receive_data(end[at : at + 1])]
    assert len(events) == 1 and not driver.receive_data(end)


def test_any_buffer_is_read() -> None:
    assert FastDriver(MAX).receive_data(memoryview(frame(PONG, b"x"))) == [WebSocketPong(1, b"x")]


def test_pieces_are_held_and_told() -> None:
    driver = FastDriver(MAX)
    driver.receive_data(frame(BINARY, b"12345", fin=False) + frame(CONTINUATION, b"678")[:8])
    assert driver.held == 7
    assert driver.receive_data(frame(CONTINUATION, b"678")[8:]) == [WebSocketMessage(1, b"12345678", False)]
    assert driver.held == 0


def test_a_large_message_is_sent_uncopied() -> None:
    for size, header in ((126, b"\x82\x7e\x00\x7e"), (65536, b"\x82\x7f" + (65536).to_bytes(8, "big"))):
        payload, out = memoryview(bytes(size)), list[Buffer]()
        FastDriver(MAX).send_message(payload, False, out)
        assert out[0] == header and out[1] is payload


def test_what_a_close_frame_must_not_say_is_not_sent() -> None:
    out: list[Buffer] = []
    FastDriver(MAX).send_close(1006, b"\xc3\xa9" * 62, out)
    assert b"".join(out) == b"\x88\x7c\x03\xe8" + b"\xc3\xa9" * 61
