"""The reference driver: frames that passed the gate into events, and messages into frames."""

from __future__ import annotations

import zlib

from blastbeat.events import (
    Buffer,
    WebSocketClose,
    WebSocketEvent,
    WebSocketFailure,
    WebSocketMessage,
    WebSocketPing,
    WebSocketPong,
)
from blastbeat.interfaces import WebSocketDriver, WebSocketOptions
from blastbeat.plugins import websocket_wsproto
from blastbeat.plugins.websocket_wsproto import WsprotoDriverFactory
from blastbeat.testing import WebSocketDriverContract
from tests.helpers.websocket_frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame


class TestWsproto(WebSocketDriverContract):
    plugin = websocket_wsproto
    name = "wsproto"


def driver(compression: bool = False) -> WebSocketDriver:
    options = WebSocketOptions(max_message=100_000, compression=compression)
    answer, made = WsprotoDriverFactory({}).negotiate([b"permessage-deflate"], options)
    assert bool(answer) is compression
    return made


def receive(data: bytes, size: int = 10_000_000) -> list[WebSocketEvent]:
    made = driver()
    return [event for i in range(0, len(data), size) for event in made.receive_data(data[i : i + size])]


def test_events_are_the_same_however_the_bytes_come() -> None:
    data = (
        frame(TEXT, "h\u00e9".encode()[:2], fin=False)
        + frame(PING, b"p")
        + frame(CONTINUATION, "h\u00e9".encode()[2:])
        + frame(BINARY, b"\xff")
        + frame(PONG, b"q")
        + frame(CLOSE, b"\x0f\xa0bye")
    )
    expected = [
        WebSocketPing(1, b"p"),
        WebSocketMessage(1, "h\u00e9".encode(), True),
        WebSocketMessage(1, b"\xff", False),
        WebSocketPong(1, b"q"),
        WebSocketClose(1, 4000, b"bye"),
    ]
    for size in (1, 2, 5, 1000):
        assert receive(data, size) == expected


def test_text_that_is_none_fails_as_soon_as_it_is_there() -> None:
    (event,) = receive(frame(TEXT, b"a\xff" + b"b" * 100)[:10])
    assert isinstance(event, WebSocketFailure) and event.code == 1007


def test_what_came_before_a_failure_is_told() -> None:
    first, second = receive(frame(TEXT, b"good") + frame(TEXT, b"\xc0"))
    assert first == WebSocketMessage(1, b"good", True)
    assert isinstance(second, WebSocketFailure)


def test_close_frames_that_are_none() -> None:
    for payload, code in ((b"\x03", 1002), (b"\x03\xed", 1002), (b"\x03\xe8\xff", 1007), (b"\x00\x01", 1002)):
        (event,) = receive(frame(CLOSE, payload))
        assert isinstance(event, WebSocketFailure) and event.code == code
    assert receive(frame(CLOSE, b"")) == [WebSocketClose(1, 1005, b"")]


def test_what_is_sent() -> None:
    made, out = driver(), list[Buffer]()
    made.send_message(b"hi", True, out)
    made.send_message(memoryview(b"\xff"), False, out)
    made.send_ping(b"1", out)
    made.send_pong(b"2", out)
    made.send_close(1000, b"bye", out)
    assert b"".join(out) == b"\x81\x02hi\x82\x01\xff\x89\x011\x8a\x012\x88\x05\x03\xe8bye"
    out.clear()
    driver().send_close(1005, b"", out)
    assert b"".join(out) == b"\x88\x00"


def test_compressed_messages() -> None:
    made, out = driver(compression=True), list[Buffer]()
    compressor = zlib.compressobj(wbits=-15)
    data = (compressor.compress(b"ha" * 500) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
    first = frame(TEXT, data[:3], fin=False, rsv=4) + frame(PING, b"") + frame(CONTINUATION, data[3:])
    assert made.receive_data(first) == [WebSocketPing(1, b""), WebSocketMessage(1, b"ha" * 500, True)]
    assert made.receive_data(frame(TEXT, b"plain")) == [WebSocketMessage(1, b"plain", True)]
    made.send_message(b"ha" * 500, True, out)
    assert len(b"".join(out)) < 100 and out[0][0] == 0xC1
    bomb = zlib.compressobj(wbits=-15)
    data = (bomb.compress(b"0" * 1_000_000) + bomb.flush(zlib.Z_SYNC_FLUSH))[:-4]
    (event,) = made.receive_data(frame(TEXT, data, rsv=4))
    assert isinstance(event, WebSocketFailure) and event.code == 1009
