"""WebSockets between a client's stream and a node: who accepts, what passes, every way it ends."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.events import CloseReason
from blastbeat.progress import Phase
from blastbeat.stream import Stream
from tests.helpers.engine import Engine, request_head
from tests.helpers.engine_fakes import FakeClient, FakeWebSocket

FIELDS = [
    (b"connection", b"Upgrade"),
    (b"upgrade", b"websocket"),
    (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    (b"sec-websocket-version", b"13"),
]


def ask(engine: Engine, *fields: tuple[bytes, bytes]) -> Stream:
    """A client's handshake."""
    return request(engine, headers=[*FIELDS, *fields], upgrade=True)


def request(engine: Engine, **changes: Any) -> Stream:
    stream = engine.stream()
    engine.request(stream, request_head(**changes))
    return stream


def client_of(stream: Stream) -> FakeClient:
    assert isinstance(stream.client, FakeClient)
    return stream.client


def websocket_of(stream: Stream) -> FakeWebSocket:
    assert stream.phase in (Phase.UPGRADED, Phase.CLOSED)
    client: Any = stream.client
    assert isinstance(client, FakeWebSocket)
    return client


def test_the_server_accepts_and_the_node_hears_the_head_first() -> None:
    engine = Engine()
    stream = ask(engine)
    assert engine.types(stream.session) == [b"uwsgi"]
    stream.message_received(b"hi", True)
    stream.message_received(b"\xff", False)
    assert engine.heard(stream.session)[1:] == [(b"websocket", b"hi"), (b"websocket", b"\xff")]
    engine.say(stream.session, "websocket", b"back")
    engine.say(stream.session, "websocket-binary", b"back")
    assert websocket_of(stream).messages == [(b"back", True), (b"back", False)]
    stream.websocket_over(CloseReason.COMPLETE, 1000, b"bye")
    assert engine.recorder.exchange.status == 101 and engine.recorder.exchange.bytes_in == 3
    engine.close()
    engine.assert_settled()


@pytest.mark.parametrize("version", [b"8", b"14", b""])
def test_another_version_is_answered_426(version: bytes) -> None:
    engine = Engine()
    fields = [field for field in FIELDS if field[0] != b"sec-websocket-version"]
    stream = request(engine, headers=[*fields, (b"sec-websocket-version", version)], upgrade=True)
    assert client_of(stream).statuses == [426]
    engine.close()


def test_a_node_that_goes_away() -> None:
    engine = Engine()
    stream = ask(engine)
    engine.lose("app")
    assert websocket_of(stream).closings == [(1012, b"")]
    assert engine.recorder.exchange.reason is CloseReason.NODE_GONE
    engine.close()


def test_a_101_that_nobody_waits_for() -> None:
    engine = Engine()
    stream = request(engine)
    engine.say(stream.session, "headers", b"HTTP/1.1 101 Switching\r\n\r\n")
    assert client_of(stream).statuses == [502]
    engine.close()
