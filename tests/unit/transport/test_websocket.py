"""An upgraded connection: messages both ways, pings, and every end of it."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.events import CloseReason
from blastbeat.transport.websocket import WebSocketConnection
from tests.helpers.settings import HOST
from tests.helpers.transport_fakes import FakeTransport, Wire
from tests.helpers.websocket import handshake_fields
from tests.helpers.websocket_frames import CLOSE, PING, PONG, TEXT, frame

HANDSHAKE = "\r\n".join(
    ["GET / HTTP/1.1", f"Host: {HOST}", *(f"{name}: {value}" for name, value in handshake_fields()), "", ""]
).encode()


def upgraded(rest: bytes = b"", **options: Any) -> tuple[Wire, WebSocketConnection, FakeTransport]:
    wire = Wire(**options)
    _, transport = wire.connect()
    transport.receive(HANDSHAKE + rest)
    assert transport.output.startswith(b"HTTP/1.1 101 ")
    transport.output = transport.output.partition(b"\r\n\r\n")[2]
    assert isinstance(transport.protocol, WebSocketConnection)
    assert wire.connections == {transport.protocol}
    return wire, transport.protocol, transport


def messages(wire: Wire) -> list[tuple[bytes, bytes]]:
    """What the node was sent, without heads and pings."""
    return [(type, bytes(body)) for _, _, type, body in wire.engine.router.sent if type != b"uwsgi"]


def reason(wire: Wire) -> CloseReason:
    return wire.engine.recorder.exchange.reason


def test_messages_both_ways() -> None:
    wire, websocket, transport = upgraded()
    transport.receive(frame(TEXT, b"hello"))
    wire.say(websocket, "websocket", b"hi")  # type: ignore[arg-type]
    assert messages(wire) == [(b"websocket", b"hello")] and transport.take_output() == b"\x81\x02hi"
    transport.receive(frame(CLOSE, b"\x03\xe8bye"))
    assert transport.take_output() == b"\x88\x02\x03\xe8" and transport.has_sent_fin
    assert messages(wire)[-1] == (b"end", b"1000 bye") and reason(wire) is CloseReason.COMPLETE
    wire.close()


def test_what_came_behind_the_handshake() -> None:
    wire, _, transport = upgraded(frame(TEXT, b"early"))
    transport.receive(frame(TEXT, b"late"))
    assert messages(wire) == [(b"websocket", b"early"), (b"websocket", b"late")]
    wire.close()
    assert messages(wire)[-1] == (b"end", b"1006")


def test_the_node_closes() -> None:
    wire, websocket, transport = upgraded()
    wire.say(websocket, "end", b"4000 enough")  # type: ignore[arg-type]
    assert transport.take_output() == b"\x88\x08\x0f\xa0enough" and not transport.has_sent_fin
    assert messages(wire) == [(b"end", b"4000 enough")] and reason(wire) is CloseReason.NODE_END
    transport.receive(frame(TEXT, b"late") + frame(PING, b"x") + frame(CLOSE, b"\x0f\xa0"))
    assert transport.take_output() == b"" and transport.has_sent_fin and len(messages(wire)) == 1
    wire.close()


def test_a_client_that_does_not_answer_a_close_frame() -> None:
    wire, websocket, transport = upgraded()
    wire.say(websocket, "end")  # type: ignore[arg-type]
    wire.loop.advance(websocket.stream.policy.linger_time + 1)
    assert transport.has_sent_fin and not transport.is_lost
    wire.loop.advance(websocket.stream.policy.linger_time + 1)
    assert transport.is_lost
    wire.close()


def test_pings_are_answered_the_newest_where_the_client_takes_nothing() -> None:
    wire, _, transport = upgraded()
    transport.receive(frame(PING, b"a") + frame(PING, b"b"))
    assert transport.take_output() == b"\x8a\x01a\x8a\x01b"
    transport.protocol.pause_writing()
    transport.receive(frame(PING, b"c") + frame(PING, b"d"))
    assert transport.take_output() == b""
    transport.protocol.resume_writing()
    wire.loop.run()
    assert transport.take_output() == b"\x8a\x01d"
    wire.close()


def test_a_silent_client_is_pinged_and_closed() -> None:
    wire, _, transport = upgraded()
    wire.loop.advance(19)
    assert transport.take_output() == b""
    wire.loop.advance(2)
    assert transport.take_output() == b"\x89\x00"
    transport.receive(frame(PONG, b""))
    wire.loop.advance(19)
    assert transport.take_output() == b""
    wire.loop.advance(22)
    assert transport.take_output().startswith(b"\x89\x00\x88") and messages(wire) == [(b"end", b"1006")]
    assert reason(wire) is CloseReason.PING_TIMEOUT and wire.engine.counters["websockets.silent"] == 1
    wire.close()


def test_a_broken_protocol() -> None:
    wire, _, transport = upgraded()
    transport.receive(frame(TEXT, b"good") + b"\x83\x80abcd")
    assert messages(wire) == [(b"websocket", b"good"), (b"end", b"1002")]
    assert reason(wire) is CloseReason.CLIENT_ERROR and transport.has_sent_fin
    wire.close()


@pytest.mark.parametrize(("at_once", "code"), [(False, b"\x03\xf4"), (True, b"\x03\xe9")])
def test_the_server_stops(at_once: bool, code: bytes) -> None:
    wire, websocket, transport = upgraded()
    websocket.stop(at_once)
    wire.loop.run()
    assert transport.take_output() == b"\x88\x02" + code and reason(wire) is CloseReason.SERVER_STOP
    wire.close()


def test_a_slow_client() -> None:
    wire, websocket, transport = upgraded(settings={"writequeue_buffer": 100_000})
    transport.room = 0
    for _ in range(3):
        wire.say(websocket, "websocket", b"x" * 70_000)  # type: ignore[arg-type]
    assert reason(wire) is CloseReason.SLOW_CLIENT and messages(wire) == [(b"end", b"1008")]
    transport.take()
    assert transport.output.endswith(b"\x88\x0a\x03\xf0too slow") and transport.has_sent_fin
    wire.close()
