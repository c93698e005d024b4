"""WebSockets between a client's stream and a node: who accepts, what passes, every way it ends."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.errors import ClientError
from blastbeat.events import CloseReason, ResponseHead
from blastbeat.interfaces import Filter, RequestView
from blastbeat.progress import Phase
from blastbeat.stream import Stream
from tests.helpers.engine import Engine, request_head
from tests.helpers.engine_fakes import FakeClient, FakeWebSocket, GatedAuthenticator

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


# ---------------------------------------------------------------- who accepts

ACCEPTS = {"app/1": "accept binary"}


def by_node(engine: Engine, *fields: tuple[bytes, bytes]) -> Stream:
    stream = ask(engine, *fields)
    assert stream.phase is Phase.FORWARDING and not client_of(stream).statuses
    return stream


def test_a_node_accepts_with_a_protocol_and_fields_of_its_own() -> None:
    engine = Engine(here=ACCEPTS)
    stream = by_node(engine, (b"sec-websocket-protocol", b"soap, Chat"))
    said = b"HTTP/1.1 101 X\r\nConnection: Upgrade, X-Hop\r\nX-Hop: 1\r\nX-A: b\r\nUpgrade: websocket\r\n"
    said += b"Sec-WebSocket-Protocol: Chat\r\nSec-WebSocket-Accept: forged\r\nContent-Length: 0\r\n\r\n"
    engine.say(stream.session, "headers", said)
    assert websocket_of(stream).upgrade.headers == [(b"X-A", b"b"), (b"Sec-WebSocket-Protocol", b"Chat")]
    assert [view.sid for view in engine.recorder.upgraded] == [view.sid for view in engine.recorder.opened]
    stream.message_received(b"\xff", False)
    assert engine.heard(stream.session)[-1] == (b"websocket-binary", b"\xff")
    engine.close()


@pytest.mark.parametrize(
    "fields",
    [
        b"Sec-WebSocket-Protocol: other\r\n",
        b"Sec-WebSocket-Protocol: chat\r\n",  # they are compared as they are written
        b"Sec-WebSocket-Protocol: Chat\r\nSec-WebSocket-Protocol: soap\r\n",
        b"Sec-WebSocket-Protocol: Chat, soap\r\n",
    ],
)
def test_a_protocol_that_was_not_offered_is_the_nodes_fault(fields: bytes) -> None:
    engine = Engine(here=ACCEPTS)
    stream = by_node(engine, (b"sec-websocket-protocol", b"soap, Chat"))
    engine.say(stream.session, "headers", b"HTTP/1.1 101 X\r\n%b\r\n" % fields)
    assert client_of(stream).statuses == [502]
    engine.close()
    engine.assert_settled()


def test_a_node_refuses_and_the_connection_goes_on() -> None:
    engine = Engine(here=ACCEPTS)
    stream = by_node(engine)
    engine.say(stream.session, "websocket", b"too early")
    engine.say(stream.session, "headers", b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
    engine.router.drain()
    client = client_of(stream)
    assert client.statuses == [403] and client.body == b"no" and client.next_exchanges == 1
    assert engine.counters["messages.dropped.leftover"] == 1 and not engine.recorder.upgraded
    engine.close()


def test_what_a_node_announces_meanwhile_changes_nothing() -> None:
    engine = Engine(here=ACCEPTS)
    stream = by_node(engine)
    engine.table.pong(engine.instance("app/1"), (), engine.clock.now)
    engine.say(stream.session, "headers", b"HTTP/1.1 101 X\r\n\r\n")
    assert stream.phase is Phase.UPGRADED
    engine.close()


def test_a_node_that_never_answers_the_handshake() -> None:
    engine = Engine(here=ACCEPTS)
    stream = by_node(engine)
    engine.expire(stream)
    assert client_of(stream).statuses == [504]
    engine.close()


@pytest.mark.parametrize(
    ("accept", "words", "waits"),
    [("auto", "", False), ("auto", "accept", True), ("server", "accept", False), ("node", "", True)],
)
def test_who_accepts(accept: str, words: str, waits: bool) -> None:
    engine = Engine(here={"app/1": words}, policy={"websocket_accept": accept})
    stream = ask(engine)
    assert (stream.phase is Phase.FORWARDING) is waits
    engine.close()


def test_a_retry_before_the_101_is_another_hop() -> None:
    engine = Engine(here={"app/1": "accept", "app/2": ""})
    stream = by_node(engine)
    engine.say(stream.session, "retry")
    assert stream.phase is Phase.UPGRADED and [view.identity for view in engine.recorder.retried] == ["app/1"]
    assert [view.identity for view in engine.recorder.upgraded] == ["app/2"]
    engine.close()


def test_a_node_that_goes_before_the_101_leaves_it_to_another() -> None:
    engine = Engine(here={"app/1": "accept", "app/2": ""})
    stream = by_node(engine)
    engine.lose("app/1")
    assert stream.phase is Phase.UPGRADED
    engine.close()


@pytest.mark.parametrize(("known", "chosen"), [(("b", "a"), b"b"), (("x",), None), ((), None)])
def test_the_first_protocol_that_is_configured(known: tuple[str, ...], chosen: bytes | None) -> None:
    engine = Engine(policy={"websocket_protocols": known})
    stream = ask(engine, (b"sec-websocket-protocol", b"a, b"))
    expected = [(b"Sec-WebSocket-Protocol", chosen)] if chosen is not None else []
    assert websocket_of(stream).upgrade.headers == expected
    engine.close()


def test_pages_of_another_origin() -> None:
    engine = Engine(policy={"websocket_origins": ("same", "https://a.test")})
    refused = ask(engine, (b"origin", b"https://b.test"))
    assert client_of(refused).statuses == [403]
    assert engine.virtualhost.tally.limits == {"websocket-origins": 1}
    assert engine.counters["websockets.refused.origin"] == 1
    assert ask(engine, (b"origin", b"https://a.test")).phase is Phase.UPGRADED
    assert ask(engine).phase is Phase.UPGRADED
    engine.close()


def test_no_instance_is_503_before_anything_else() -> None:
    engine = Engine(here={})
    assert client_of(ask(engine)).statuses == [503]
    engine.router.full.add(b"app")
    engine.node("app")
    assert client_of(ask(engine)).statuses == [503]
    engine.close()


def test_it_continues_the_session_of_its_connection() -> None:
    engine = Engine()
    stream = engine.stream()
    session = engine.request(stream)
    engine.respond(session)
    engine.router.drain()
    engine.request(stream, request_head(headers=FIELDS, upgrade=True))
    assert stream.phase is Phase.UPGRADED and stream.session is session
    engine.close()


def test_a_head_that_cannot_go_now_begins_another_session() -> None:
    """A 101 would promise what the instance of this connection cannot keep."""
    engine = Engine(here={"app/1": "", "app/2": ""})
    stream = engine.stream()
    session = engine.request(stream)
    engine.respond(session)
    engine.router.drain()
    assert session is not None
    engine.router.full.add(session.instance.identity)
    engine.request(stream, request_head(headers=FIELDS, upgrade=True))
    assert stream.phase is Phase.UPGRADED and stream.session is not session
    assert engine.types(session)[-1] == b"end"
    engine.close()


def test_it_waits_for_an_instance_where_requests_are_held() -> None:
    engine = Engine(here={}, policy={"hold": 5.0})
    stream = ask(engine)
    assert not engine.recorder.opened and engine.counters["requests.held"] == 1
    engine.dispatcher.admit(engine.node("app"), "1.2.3.4")
    engine.router.drain()
    assert stream.phase is Phase.UPGRADED
    engine.close()


def test_authenticators_are_asked_first() -> None:
    gate = GatedAuthenticator()
    engine = Engine(authenticators=[gate])
    stream = ask(engine)
    engine.tasks.run()
    assert gate.asked == 1 and not engine.recorder.opened
    gate.is_open = True
    engine.tasks.run()
    assert stream.phase is Phase.UPGRADED
    engine.close()


# ---------------------------------------------------------------- filters


class Watcher(Filter):
    """Adds a field, paces, and looks at messages."""

    def __init__(self, verdict: Any = None) -> None:
        self.verdict = verdict
        self.seen: list[tuple[str, int]] = []
        self.statuses: list[int] = []
        self.closed = 0

    def on_response(self, view: RequestView, head: ResponseHead) -> ResponseHead:
        self.statuses.append(head.status)
        head.headers.append((b"X-Filter", b"1"))
        return head

    def on_message(self, view: RequestView, direction: str, n: int) -> CloseReason | None:
        self.seen.append((direction, n))
        if isinstance(self.verdict, Exception):
            raise self.verdict
        verdict: CloseReason | None = self.verdict
        return verdict

    def on_closed(self, view: RequestView) -> None:
        self.closed += 1


def test_filters_see_the_101_and_each_message() -> None:
    watcher = Watcher()
    engine = Engine(filters=[watcher])
    stream = ask(engine)
    assert watcher.statuses == [101] and (b"X-Filter", b"1") in websocket_of(stream).upgrade.headers
    stream.message_received(b"in", True)
    engine.say(stream.session, "websocket", b"out")
    assert watcher.seen == [("in", 2), ("out", 3)] and not engine.recorder.exchanges
    stream.websocket_over(CloseReason.COMPLETE, 1000, b"")
    assert watcher.closed == 1
    engine.close()


@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize(
    ("verdict", "reason", "code"),
    [
        (CloseReason.LIMIT, CloseReason.LIMIT, 1008),
        (CloseReason.REFUSED, CloseReason.REFUSED, 1008),
        (ClientError(429, "too many", limit="messages"), CloseReason.LIMIT, 1008),
        (ClientError(403, "no"), CloseReason.REFUSED, 1008),
        (ClientError(200, "fine"), CloseReason.PLUGIN_ERROR, 1011),
        (ValueError("broken"), CloseReason.PLUGIN_ERROR, 1011),
        ("nonsense", CloseReason.PLUGIN_ERROR, 1011),
    ],
)
def test_a_filter_closes(
    direction: str, verdict: Any, reason: CloseReason, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine(filters=[Watcher(verdict)])
    stream = ask(engine)
    session = stream.session
    if direction == "in":
        stream.message_received(b"hi", True)
    else:
        engine.say(session, "websocket", b"hi")
    assert websocket_of(stream).closings == [(code, b"")]
    assert engine.recorder.exchange.reason is reason
    assert engine.heard(session)[-1] == (b"end", b"%d" % code)
    assert bool(caplog.records) is (code == 1011)
    limit = getattr(verdict, "limit", "")
    assert engine.virtualhost.tally.limits == ({limit: 1} if limit else {})
    engine.close()
    engine.assert_settled()


class Meter(Filter):
    """Refuses bytes of messages."""

    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        raise ClientError(503, "the month's traffic is used up", limit="traffic")


@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_filter_refuses_the_bytes_of_a_message(direction: str) -> None:
    engine = Engine(filters=[Meter()])
    stream = ask(engine)
    session = stream.session
    if direction == "in":
        stream.message_received(b"hi", True)
    else:
        engine.say(session, "websocket", b"hi")
    assert websocket_of(stream).closings == [(1008, b"")]
    assert engine.types(session) == [b"uwsgi", b"end"]
    view = engine.recorder.exchange
    assert (view.status, view.reason, view.close_code) == (101, CloseReason.LIMIT, 1008)
    assert view.detail == "the month's traffic is used up"
    assert engine.virtualhost.tally.limits == {"traffic": 1}
    engine.close()
    engine.assert_settled()


# ---------------------------------------------------------------- ends


@pytest.mark.parametrize(
    ("end", "code", "reason"),
    [
        (lambda stream: stream.fail(502, CloseReason.PLUGIN_ERROR, "x"), 1011, CloseReason.PLUGIN_ERROR),
        (lambda stream: stream.abandon(CloseReason.LIMIT, "x"), 1008, CloseReason.LIMIT),
        (lambda stream: stream.response_cut(CloseReason.IDLE_TIMEOUT, "x"), 1001, CloseReason.IDLE_TIMEOUT),
    ],
)
def test_what_would_end_a_response_closes_it(end: Any, code: int, reason: CloseReason) -> None:
    engine = Engine()
    stream = ask(engine)
    session = stream.session
    end(stream)
    assert websocket_of(stream).closings == [(code, b"")]
    assert engine.heard(session)[-1] == (b"end", b"%d" % code)
    exchange = engine.recorder.exchange
    assert (exchange.reason, exchange.close_code) == (reason, code)
    engine.close()
    engine.assert_settled()


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (CloseReason.CLIENT_LEFT, 1006),
        (CloseReason.MEMORY, 1008),
        (CloseReason.WRITE_TIMEOUT, 1008),
        (CloseReason.PLUGIN_ERROR, 1011),
    ],
)
def test_a_client_that_is_gone(reason: CloseReason, code: int) -> None:
    engine = Engine()
    stream = ask(engine)
    session = stream.session
    stream.client_left(reason, "why")
    assert not websocket_of(stream).closings and engine.heard(session)[-1] == (b"end", b"%d" % code)
    assert engine.recorder.exchange.close_code == code
    assert engine.counters["websockets.closed"] == 1
    engine.close()
    engine.assert_settled()


def test_nothing_happens_for_long() -> None:
    engine = Engine()
    stream = ask(engine)
    engine.expire(stream)
    assert websocket_of(stream).closings == [(1001, b"")]
    engine.close()


@pytest.mark.parametrize(
    ("type", "body", "code", "text"),
    [
        ("end", b"", 1000, b""),
        ("end", b"4321 so", 4321, b"so"),
        ("abort", b"x", 1011, b""),
        ("retry", b"", 1013, b""),
    ],
)
def test_a_node_ends_it(type: str, body: bytes, code: int, text: bytes) -> None:
    engine = Engine()
    stream = ask(engine)
    session = stream.session
    engine.say(session, type, body)
    assert websocket_of(stream).closings == [(code, text)]
    assert [kind for kind in engine.types(session) if kind == b"end"] == [b"end"]
    engine.close()
    engine.assert_settled()


def test_a_drain_leaves_it_alone_and_so_do_idle_ends() -> None:
    engine = Engine(here={"app/1": ""})
    stream = ask(engine)
    engine.dispatcher.message_received(engine.instance("app/1"), b"", b"drain", b"")
    stream.drop_idle_session(CloseReason.OTHER_VIRTUALHOST)
    assert stream.phase is Phase.UPGRADED and stream.session is not None
    engine.say(stream.session, "websocket", b"hi")
    assert websocket_of(stream).messages == [(b"hi", True)]
    engine.close()


def test_open_ones_are_counted_per_virtualhost() -> None:
    engine = Engine()
    streams = [ask(engine) for _ in range(3)]
    count = engine.virtualhost.count
    assert [count.websockets] == [3]
    streams[0].websocket_over(CloseReason.COMPLETE, 1005, b"")
    streams[1].client_left()
    assert [count.websockets] == [1]
    assert engine.counters["websockets.opened"] == 3 and engine.counters["websockets.closed"] == 2
    engine.close()


def test_messages_behind_the_end_are_dropped() -> None:
    engine = Engine()
    stream = ask(engine)
    session = stream.session
    stream.close_websocket(CloseReason.LIMIT, 1008, b"", "x")
    stream.message_received(b"late", True)
    engine.say(session, "websocket", b"late")
    assert (
        engine.types(session) == [b"uwsgi", b"end"] and engine.counters["messages.dropped.unknown-sid"] == 1
    )
    engine.close()
