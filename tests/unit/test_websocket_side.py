"""The node's side of an upgraded session: every message in both states."""

from __future__ import annotations

import pytest

from blastbeat.counters import Counters
from blastbeat.events import (
    CloseReason,
    NodeAbort,
    NodeChunk,
    NodeData,
    NodeEnd,
    NodeHead,
    NodeMessage,
    NodeRetry,
    SessionEvent,
)
from blastbeat.flow import Grant
from blastbeat.response import ResponseState
from blastbeat.websocket_side import WebSocketSide, is_sendable, parse_end
from tests.helpers.fakes import SID, FakeClient, FakeOwner, FakeRouter, make_exchange, make_peer


class Sink:
    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bool]] = []

    def send_message(self, data: object, is_text: bool) -> None:
        self.messages.append((bytes(data), is_text))  # type: ignore[call-overload]


def make(*, can_refuse: bool = False) -> tuple[WebSocketSide, Sink, FakeOwner, Counters]:
    client, sink, counters = FakeClient(), Sink(), Counters()
    owner = FakeOwner(client)
    grant = Grant(SID, make_peer(FakeRouter()), client, 1000)
    side = WebSocketSide(sink, owner, make_exchange(), grant, counters, can_refuse)
    return side, sink, owner, counters


def test_messages() -> None:
    side, sink, owner, _ = make()
    for event in (NodeMessage(b"text", False), NodeMessage(b"\xff", False), NodeMessage(b"text", True)):
        side.receive(event)
    assert sink.messages == [(b"text", True), (b"\xff", False), (b"text", False)]
    assert owner.passed == 9


@pytest.mark.parametrize(("status", "closings"), [(101, []), (403, [(1008, b"")]), (500, [(1011, b"")])])
def test_an_instance_that_answers_handshakes_refuses_too_late(status: int, closings: object) -> None:
    side, _, owner, counters = make(can_refuse=True)
    side.receive(NodeHead(status, b"", []))
    assert owner.websocket_closings == closings and counters["messages.dropped.leftover"] == 1


ENDS: list[tuple[SessionEvent, CloseReason, tuple[int, bytes]]] = [
    (NodeEnd(b""), CloseReason.NODE_END, (1000, b"")),
    (NodeEnd(b"4000 bye"), CloseReason.NODE_END, (4000, b"bye")),
    (NodeAbort(b"broken"), CloseReason.NODE_ABORT, (1011, b"")),
    (NodeRetry(), CloseReason.NODE_RETRY, (1013, b"")),
]


@pytest.mark.parametrize(("event", "reason", "closing"), ENDS)
def test_ends(event: SessionEvent, reason: CloseReason, closing: tuple[int, bytes]) -> None:
    side, _, owner, _ = make()
    side.receive(event)
    assert owner.websocket_closings == [closing] and owner.told == [("closed", reason)]


@pytest.mark.parametrize("event", [NodeHead(200, b"OK", []), NodeData(b"x"), NodeChunk(b"x")])
def test_what_an_old_node_answers_a_handshake_with_is_dropped(event: SessionEvent) -> None:
    side, sink, owner, counters = make()
    side.receive(event)
    assert counters["messages.dropped.leftover"] == 1 and not sink.messages and not owner.told


def test_nothing_is_welcome_once_it_is_closed() -> None:
    side, sink, owner, counters = make()
    side.close()
    for event in (NodeMessage(b"", False), NodeEnd(), NodeAbort(), NodeRetry(), NodeHead(101, b"", [])):
        side.receive(event)
    assert counters["messages.dropped.leftover"] == 5 and not sink.messages and not owner.told
    assert side.state is ResponseState.CLOSED


def test_a_malformed_message() -> None:
    side, _, owner, _ = make()
    side.malformed("bad")
    assert owner.websocket_closings == [(1011, b"")]


@pytest.mark.parametrize(
    ("detail", "code", "text"),
    [
        (b"1000", 1000, b""),
        (b"3000 a b", 3000, b"a b"),
        (b"1005 x", 1000, b""),
        (b"1006", 1000, b""),
        (b"999", 1000, b""),
        (b"5000", 1000, b""),
        (b"1001 " + b"x" * 124, 1000, b""),
        (b"1001 \xff", 1001, b""),
        (b"hello", 1000, b""),
    ],
)
def test_what_an_end_says(detail: bytes, code: int, text: bytes) -> None:
    assert parse_end(detail) == (code, text)


def test_codes_on_the_wire() -> None:
    assert [code for code in range(1000, 1017) if not is_sendable(code)] == [1004, 1005, 1006, 1015, 1016]
    assert is_sendable(3000) and is_sendable(4999) and not is_sendable(2999) and not is_sendable(5000)
