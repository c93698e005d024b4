"""A client connection: pipelining, back pressure, FIN in every state, deadlines, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import Callable
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.events import CloseReason
from blastbeat.interfaces import Filter, RequestView
from blastbeat.stream import Stream
from blastbeat.transport.connection import Connection
from tests.helpers.engine import response_head
from tests.helpers.engine_fakes import GatedAuthenticator
from tests.helpers.settings import HOST
from tests.helpers.transport_fakes import FakeTransport, Wire

KIB = 1024


def request(
    target: str = "/", method: str = "GET", *fields: str, host: str = HOST, version: str = "1.1"
) -> bytes:
    lines = [f"{method} {target} HTTP/{version}", f"Host: {host}", *fields, "", ""]
    return "\r\n".join(lines).encode()


GET = request()
HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
POST = request("/", "POST", "Content-Length: 10")
NOBODY = request(host="nobody.test")


def statuses(output: bytes) -> list[int]:
    """Of the responses in `output`; no body here looks like one."""
    return [int(digits) for digits in re.findall(rb"HTTP/1\.1 (\d{3}) ", output)]


def only_reason(wire: Wire) -> CloseReason:
    return wire.engine.recorder.exchange.reason


# ---------------------------------------------------------------- pipelining


def test_ten_thousand_pipelined_requests_answered_by_the_server() -> None:
    """In one read, and not by recursion."""
    wire = Wire()
    connection, transport = wire.connect()
    transport.receive(NOBODY * 10_000)
    assert transport.output.count(b"HTTP/1.1 404 ") == 10_000
    assert len(wire.engine.recorder.exchanges) == 10_000 and transport.is_reading()
    wire.close()


def test_pipelined_requests_are_forwarded_one_after_the_other() -> None:
    wire = Wire()
    connection, transport = wire.connect()
    transport.receive(b"".join(request(f"/{number}") for number in range(100)))
    for number in range(100):
        sent = [body for _, _, type, body in wire.engine.router.sent if type == b"uwsgi"]
        assert sent[-1] == b"GET /%d" % number and len(sent) == number + 1
        wire.respond(connection, b"%d" % number)
    assert statuses(transport.output) == [200] * 100
    wire.close()


@given(st.lists(st.integers(1, 200), max_size=20))
def test_any_split_of_pipelined_requests(sizes: list[int]) -> None:
    wire = Wire()
    connection, transport = wire.connect()
    upload = request("/", "POST", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n"
    data = GET + POST + b"0123456789" + upload + NOBODY + GET
    while data:
        size = sizes.pop() if sizes else len(data)
        transport.receive(data[:size])
        data = data[size:]
    for _ in range(4):
        wire.respond(connection)
        wire.drain()
    assert statuses(transport.output) == [200, 200, 200, 404, 200]
    assert len(wire.engine.recorder.exchanges) == 5
    wire.close()


def test_reading_stops_when_enough_of_the_next_requests_is_here() -> None:
    wire = Wire({"read_ahead": 1000})
    connection, transport = wire.connect()
    transport.receive(GET)
    transport.receive(GET * 10)
    assert transport.is_reading()
    transport.receive(GET * 50)
    assert not transport.is_reading()
    for _ in range(61):
        wire.respond(connection)
    assert transport.is_reading() and connection.stream.exchange is None
    assert statuses(transport.output) == [200] * 61
    wire.close()


def test_requests_of_a_client_that_does_not_read_wait() -> None:
    """HEAD and 404 have no payload that could be over `writequeue-buffer`: their heads must not pile up."""
    wire = Wire({"read_ahead": KIB})
    connection, transport = wire.connect()
    transport.room = 0
    head = request(method="HEAD", host="nobody.test")
    for _ in range(1000):
        if not transport.is_reading():
            break
        transport.receive(head * 200)
    assert not transport.is_reading() and not transport.is_lost
    assert connection.queued_bytes() < 600 * KIB
    sent = len(wire.engine.recorder.exchanges)
    wire.loop.advance(10)
    assert len(wire.engine.recorder.exchanges) == sent
    transport.take()
    while connection.is_congested() or not transport.is_reading():
        transport.take()
    assert transport.is_reading()
    wire.drain()
    assert len(statuses(transport.output)) == len(wire.engine.recorder.exchanges) > sent
    wire.close()


def test_a_bad_request_in_a_pipeline_is_answered_in_its_turn() -> None:
    wire = Wire()
    connection, transport = wire.connect()
    transport.receive(GET + b"BROKEN\r\n\r\n" + GET)
    assert statuses(transport.output) == []
    wire.respond(connection)
    assert statuses(transport.output) == [200, 400] and transport.has_sent_fin
    wire.close()


# ---------------------------------------------------------------- FIN


class Scene:
    def __init__(self, **policy: Any) -> None:
        self.gate = GatedAuthenticator()
        self.gate.is_open = True
        self.wire = Wire(policy=policy, authenticators=[self.gate])
        self.connection, self.transport = self.wire.connect()

    def send(self, data: bytes) -> None:
        self.transport.receive(data)
        self.wire.engine.tasks.run()
        self.wire.drain()


def nothing_yet(scene: Scene) -> None:
    pass


def half_a_head(scene: Scene) -> None:
    scene.send(b"GET / HT")


def being_looked_at(scene: Scene) -> None:
    scene.gate.is_open = False
    scene.send(GET)


def waiting(scene: Scene) -> None:
    scene.send(GET)


def half_a_body(scene: Scene) -> None:
    scene.send(POST + b"12345")


def half_a_response(scene: Scene) -> None:
    scene.send(GET)
    scene.wire.say(scene.connection, "headers", response_head(length=2) + b"o")


def response_without_its_request(scene: Scene) -> None:
    scene.send(POST + b"12345")
    scene.wire.respond(scene.connection)


def between_requests(scene: Scene) -> None:
    scene.send(GET)
    scene.wire.respond(scene.connection)


def closing(scene: Scene) -> None:
    scene.send(b"BROKEN\r\n\r\n")


# Whether the exchange goes on: with `half-close = end`, and with `finish` (`protocol.md` §6).
FINS: dict[Callable[[Scene], None], tuple[bool, bool]] = {
    nothing_yet: (False, False),
    half_a_head: (False, False),
    being_looked_at: (False, True),
    waiting: (False, True),
    half_a_body: (False, False),
    half_a_response: (False, True),
    response_without_its_request: (False, False),
    between_requests: (False, False),
    closing: (False, False),
}


@pytest.mark.parametrize("half_close", ["end", "finish"])
@pytest.mark.parametrize("prepare", FINS, ids=lambda each: each.__name__)
def test_fin(prepare: Callable[[Scene], None], half_close: str) -> None:
    scene = Scene(half_close=half_close)
    prepare(scene)
    output = scene.transport.output
    opened = len(scene.wire.engine.recorder.opened)
    scene.transport.receive_fin()
    goes_on = FINS[prepare][half_close == "finish"]
    assert scene.transport.is_lost is not goes_on
    if goes_on:
        scene.gate.is_open = True
        scene.wire.engine.tasks.run()
        if prepare is half_a_response:
            scene.wire.say(scene.connection, "body", b"k")
        else:
            scene.wire.respond(scene.connection)
        assert scene.transport.output.endswith(b"ok") and scene.transport.is_lost
        assert only_reason(scene.wire) is CloseReason.COMPLETE
    else:
        assert scene.transport.output == output
        assert len(scene.wire.engine.recorder.opened) == opened
    scene.wire.close()


@pytest.mark.parametrize("end", ["fin", "lost"])
def test_the_node_hears_of_it_at_once(end: str) -> None:
    wire = Wire()
    connection, transport = wire.connect()
    transport.receive(GET)
    session = connection.stream.session
    transport.receive_fin() if end == "fin" else transport.lose()
    assert wire.engine.heard(session)[-1] == (b"end", b"client-left")
    wire.close()


def test_a_complete_response_is_flushed_to_a_client_that_sent_fin() -> None:
    wire = Wire()
    connection, transport = wire.connect()
    transport.receive(POST + b"12345")
    transport.room = 0
    wire.respond(connection, b"x" * 1000)
    transport.receive_fin()
    assert not transport.is_lost
    transport.take()
    assert transport.output.endswith(b"x" * 1000) and transport.is_lost and not transport.is_aborted
    wire.close()


@pytest.mark.parametrize("end", ["fin", "keep-alive", "stop"])
@pytest.mark.parametrize("size", [100, 200 * KIB])
def test_a_client_that_never_takes_the_rest_does_not_stay_for_ever(end: str, size: int) -> None:
    wire = Wire(policy={"write_timeout": 20.0, "keep_alive": 5.0})
    connection, transport = wire.connect()
    transport.receive(GET)
    transport.room = 0
    wire.respond(connection, b"x" * size)
    if end == "fin":
        transport.receive_fin()
    elif end == "stop":
        connection.stop(at_once=False)
    wire.loop.advance(30)
    assert transport.is_lost
    wire.close()


# ---------------------------------------------------------------- closing


def refused_upload(wire: Wire) -> tuple[Connection, FakeTransport]:
    connection, transport = wire.connect()
    transport.receive(request("/", "POST", "Content-Length: 1000000"))
    assert statuses(transport.output) == [413] and transport.has_sent_fin
    return connection, transport


def test_lingering_discards_up_to_linger() -> None:
    wire = Wire(policy={"max_body": 10, "linger": 1000})
    _, transport = refused_upload(wire)
    transport.receive(b"x" * 1000)
    assert not transport.is_lost
    transport.receive(b"x")
    assert transport.is_lost
    wire.close()


def test_lingering_ends_with_the_clients_fin() -> None:
    wire = Wire(policy={"max_body": 10})
    _, transport = refused_upload(wire)
    transport.receive(b"x" * 1000)
    transport.receive_fin()
    assert transport.is_lost and not transport.is_aborted
    wire.close()


def test_lingering_ends_after_linger_time() -> None:
    wire = Wire(policy={"max_body": 10, "linger_time": 2.0})
    _, transport = refused_upload(wire)
    wire.loop.advance(1.9)
    assert not transport.is_lost
    wire.loop.advance(0.3)
    assert transport.is_lost
    wire.close()


def test_linger_time_begins_when_everything_was_taken() -> None:
    """Before that the client is busy with reading; `write-timeout` watches over it."""
    wire = Wire(policy={"linger_time": 2.0, "write_timeout": 10.0})
    connection, transport = wire.connect()
    transport.receive(request("/", "GET", "Connection: close"))
    transport.room = 0
    wire.respond(connection, b"x" * 1000)
    wire.loop.advance(9)
    assert not transport.is_lost and not transport.has_sent_fin
    transport.take()
    assert transport.has_sent_fin
    wire.loop.advance(1.9)
    assert not transport.is_lost
    wire.loop.advance(0.3)
    assert transport.is_lost
    wire.close()


def test_pipelined_requests_after_a_close_are_not_read() -> None:
    wire = Wire()
    connection, transport = wire.connect()
    transport.receive(request("/", "GET", "Connection: close") + GET)
    wire.respond(connection)
    transport.receive(GET)
    assert statuses(transport.output) == [200] and len(wire.engine.recorder.exchanges) == 1
    wire.close()


def test_a_client_that_was_given_up_gets_nothing_forwarded_any_more() -> None:
    """Its next request waits for the ROUTER to be read empty while its queue becomes the largest."""
    wire = Wire()
    connection, transport = wire.connect()
    transport.receive(GET + request("/next"))
    wire.engine.respond(connection.stream.session)
    connection.close_for_memory()
    wire.drain()
    assert b"GET /next" not in [body for *_, body in wire.engine.router.sent]
    wire.close()


def test_a_fault_ends_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire()
    broken, _ = wire.connect()
    good, transport = wire.connect()

    broken._driver = None  # type: ignore[assignment]
    broken.data_received(GET)
    wire.loop.run()
    assert len(wire.connections) == 1 and "a connection broke" in caplog.text
    transport.receive(GET)
    wire.respond(good)
    assert statuses(transport.output) == [200]
    wire.close()


@pytest.mark.parametrize("at_once", [False, True])
def test_stop_closes_idle_connections(at_once: bool) -> None:
    wire = Wire()
    connection, transport = wire.connect()
    transport.receive(GET)
    wire.respond(connection)
    connection.stop(at_once)
    wire.loop.run()
    assert transport.is_lost
    assert wire.engine.recorder.closed[0].reason is CloseReason.SERVER_STOP
    wire.close()


@pytest.mark.parametrize("at_once", [False, True])
def test_a_connection_that_is_accepted_as_the_server_stops_is_closed_when_it_is_made(at_once: bool) -> None:
    wire = Wire()
    wire.engine.dispatcher.is_stopping = True
    connection = Connection(wire.context, "listener", 1, wire.connections)
    wire.connections.add(connection)
    connection.stop(at_once)
    transport = FakeTransport(wire.loop, connection)
    connection.connection_made(transport)
    wire.loop.run()
    assert transport.is_lost and not wire.connections
    assert wire.engine.counters["connections.closed"] == 1


@pytest.mark.parametrize("prepare", [half_a_body, half_a_response, waiting, being_looked_at])
def test_stop_lets_exchanges_finish_unless_at_once(prepare: Callable[[Scene], None]) -> None:
    scene = Scene()
    prepare(scene)
    scene.connection.stop(at_once=False)
    scene.wire.loop.run()
    assert not scene.transport.is_lost
    scene.connection.stop(at_once=True)
    scene.wire.loop.run()
    assert scene.transport.is_lost and only_reason(scene.wire) is CloseReason.SERVER_STOP
    scene.wire.close()


# ---------------------------------------------------------------- deadlines


def test_a_connection_without_a_byte_is_closed_silently() -> None:
    wire = Wire({"header_timeout": 10.0})
    _, transport = wire.connect()
    wire.loop.advance(9.9)
    assert not transport.is_lost
    wire.loop.advance(0.3)
    assert transport.is_lost and transport.output == b"" and not wire.engine.recorder.exchanges
    wire.close()


def test_a_slow_head_is_a_408() -> None:
    """Counted from its first byte, whatever comes after it."""
    wire = Wire({"header_timeout": 10.0})
    _, transport = wire.connect()
    wire.loop.advance(5)
    for byte in GET[:11]:
        transport.receive(bytes([byte]))
        wire.loop.advance(0.9)
    assert not transport.output
    wire.loop.advance(0.4)
    assert statuses(transport.output) == [408] and transport.has_sent_fin
    assert only_reason(wire) is CloseReason.SLOW_REQUEST
    wire.close()


def test_keep_alive() -> None:
    wire = Wire({"header_timeout": 3.0}, policy={"keep_alive": 10.0})
    connection, transport = wire.connect()
    for _ in range(3):
        transport.receive(GET)
        wire.respond(connection)
        wire.loop.advance(9.9)
        assert not transport.is_lost
    wire.loop.advance(0.4)
    assert transport.is_lost and not transport.is_aborted
    assert wire.engine.recorder.closed[0].reason is CloseReason.KEEP_ALIVE_OVER
    wire.close()


def test_empty_lines_are_no_request() -> None:
    wire = Wire({"header_timeout": 3.0}, policy={"keep_alive": 10.0})
    connection, transport = wire.connect()
    transport.receive(GET)
    wire.respond(connection)
    transport.take_output()
    transport.receive(b"\r\n")
    wire.loop.advance(10.3)
    assert transport.is_lost and not transport.output
    wire.close()


def test_a_silent_node_is_a_504() -> None:
    wire = Wire(policy={"response_timeout": 7.0})
    _, transport = wire.connect()
    transport.receive(GET)
    wire.loop.advance(6.9)
    assert not transport.output
    wire.loop.advance(0.3)
    assert statuses(transport.output) == [504] and not transport.has_sent_fin
    wire.close()


def test_a_slow_body_is_a_408() -> None:
    wire = Wire(policy={"body_timeout": 7.0})
    _, transport = wire.connect()
    transport.receive(POST)
    for _ in range(3):
        wire.loop.advance(6.9)
        transport.receive(b"x")
    wire.loop.advance(7.3)
    assert statuses(transport.output) == [408]
    wire.close()


def test_a_body_that_was_held_back_has_its_time_again() -> None:
    """Until then it was the server that did not take it."""
    wire = Wire(policy={"body_timeout": 7.0, "response_timeout": 0.0}, here={"app/1": "credit=4"})
    connection, transport = wire.connect()
    transport.receive(POST)
    transport.receive(b"12345")
    transport.receive(b"67")
    assert not transport.is_reading()
    wire.loop.advance(60)
    assert not transport.output
    wire.say(connection, "credit", b"10")
    assert transport.is_reading()
    wire.loop.advance(6.8)
    assert not transport.output
    wire.loop.advance(1.5)  # this deadline came nearer, so it is noticed with the next regular look
    assert statuses(transport.output) == [408]
    wire.close()


def test_between_two_requests_there_is_no_deadline() -> None:
    """The ROUTER is about to be read empty; the next request is here already."""
    wire = Wire()
    connection, transport = wire.connect()
    transport.receive(GET)
    wire.engine.respond(connection.stream.session)
    assert connection.deadline() == inf
    wire.drain()
    assert connection.deadline() < inf
    wire.close()


# ---------------------------------------------------------------- holding reading


class PauseInput(Filter):
    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        return 2.0 if direction == "in" else 0.0


def test_a_filter_pauses_the_upload() -> None:
    wire = Wire(filters=[PauseInput()])
    connection, transport = wire.connect()
    transport.receive(POST)
    transport.receive(b"12345")
    assert not transport.is_reading()
    wire.loop.advance(1.9)
    assert not transport.is_reading()
    wire.loop.advance(0.2)
    transport.receive(b"67890")
    wire.respond(connection)
    transport.lose()
    wire.loop.advance(5)
    wire.close()


def test_a_pause_is_no_timeout() -> None:
    """Neither the client nor its node is late: it is us who take nothing."""
    wire = Wire(filters=[PauseInput()], policy={"body_timeout": 1.0, "response_timeout": 1.0})
    connection, transport = wire.connect()
    transport.receive(POST)
    transport.receive(b"12345")
    wire.loop.advance(1.9)
    assert transport.output == b""
    wire.loop.advance(0.2)
    transport.receive(b"67890")
    wire.respond(connection)
    assert b" 200 " in transport.output
    wire.close()


def test_reading_goes_on_when_the_last_hold_is_released() -> None:
    wire = Wire()
    connection, transport = wire.connect()
    connection.hold_reading()
    connection.hold_reading()
    connection.release_reading()
    assert not transport.is_reading()
    connection.release_reading()
    assert transport.is_reading()
    wire.close()


def test_a_held_connection_still_discards_while_it_closes() -> None:
    wire = Wire(policy={"max_body": 10, "linger": 1000})
    connection, transport = wire.connect()
    connection.hold_reading()
    connection.data_received(request("/", "POST", "Content-Length: 1000000"))
    assert transport.is_reading()
    transport.receive(b"x" * 1000)
    connection.release_reading()
    assert not transport.is_lost
    wire.close()


@pytest.mark.parametrize(
    ("state", "half_close", "ends"),
    [(7, "end", True), (8, "end", True), (1, "end", False), (7, "finish", True), (8, "finish", False)],
)
def test_a_client_that_leaves_while_nothing_is_read_from_it(state: int, half_close: str, ends: bool) -> None:
    """TCP_INFO tells of a reset (7) and of a FIN (8)."""
    wire = Wire(policy={"half_close": half_close}, here={"app/1": "credit=4"})
    connection, transport = wire.connect()
    transport.receive(request("/", "POST", "Content-Length: 100"))
    transport.receive(b"12345")
    transport.receive(b"67")
    assert not transport.is_reading()
    transport.socket.state = state
    wire.loop.advance(2)
    assert transport.is_lost is ends
    if ends:
        assert only_reason(wire) is CloseReason.CLIENT_LEFT
    wire.close()


# ---------------------------------------------------------------- what is told


def test_notices_and_counters() -> None:
    wire = Wire()
    connection, transport = wire.connect()
    assert [view.id for view in wire.engine.recorder.connections] == [1]
    view = wire.engine.recorder.connections[0]
    assert (view.remote_addr, view.remote_port, view.listener) == ("192.0.2.1", 50000, "127.0.0.1:8080")
    assert not wire.engine.recorder.connections_closed
    transport.lose()
    assert wire.engine.recorder.connections_closed == [view]
    wire.close()


EVENTS = ["get", "post", "data", "bad", "fin", "lose", "respond", "begin", "chunk", "end", "retry", "tick",
          "stall", "take", "credit", "drain", "stop", "allow", "gone"]  # fmt: skip


@given(st.lists(st.sampled_from(EVENTS), max_size=40), st.booleans(), st.booleans())
def test_any_course_of_events_leaves_nothing_over(events: list[str], needs_credit: bool, slow: bool) -> None:
    """No exception into the loop, no session, timer or account entry left; every exchange told of once."""
    gate = GatedAuthenticator()
    gate.is_open = not slow
    wire = Wire(
        {"writequeue_buffer": KIB, "read_ahead": 100},
        policy={"linger": 100, "half_close": "finish" if slow else "end"},
        here={"app/1": "credit=4" if needs_credit else ""},
        authenticators=[gate],
    )
    connection, transport = wire.connect()
    head = request("/", "POST", "Transfer-Encoding: chunked")
    sent = {"get": GET, "post": head, "data": b"5\r\n12345\r\n", "bad": b"\0", "end": b"0\r\n\r\n"}
    said = {
        "respond": ("headers", response_head(length=2) + b"ok"),
        "begin": ("headers", response_head()),
        "chunk": ("chunk", b"x" * 700),
        "credit": ("credit", b"9"),
        "retry": ("retry", b""),
    }
    for event in events:
        wire.engine.tasks.run()
        if transport.is_lost:
            break
        if event in sent and transport.is_reading() and not connection._fin_seen:
            transport.receive(sent[event])
        elif event in said and connection.stream.session is not None:
            wire.say(connection, *said[event])
        elif event == "fin" and transport.is_reading() and not connection._fin_seen:
            transport.receive_fin()
        elif event == "lose":
            transport.lose()
        elif event == "tick":
            wire.loop.advance(40)
            wire.engine.node("app/1", "credit=4" if needs_credit else "")
        elif event == "stall":
            transport.room = 0
        elif event == "take":
            transport.take(500)
        elif event == "drain":
            wire.drain()
        elif event == "stop":
            connection.stop(at_once=slow)
            wire.loop.run()
        elif event == "allow":
            gate.is_open = True
        elif event == "gone" and wire.engine.table.find(b"app/1") is not None:
            wire.engine.lose("app/1")
            wire.engine.node("app/1")
    assert not wire.loop.failures
    wire.close()


# ---------------------------------------------------------------- at rest


def test_a_silent_connection_keeps_nothing_of_its_last_request() -> None:
    wire = Wire()
    connection, transport = wire.connect()
    for number in range(3):
        transport.receive(GET)
        wire.respond(connection)
        wire.loop.advance(1.0)
        assert connection.facts.repeated is not None
        wire.loop.advance(5.0)
        assert connection.facts.repeated is None and connection.facts.found is None
        assert connection.stream.session is not None and connection.stream.session.exchange is None
        assert statuses(transport.output) == [200] * (number + 1)
    wire.close()


def test_one_that_waits_for_its_response_is_not_at_rest() -> None:
    wire = Wire()
    connection, transport = wire.connect()
    transport.receive(GET)
    wire.loop.advance(10.0)
    assert connection.facts.repeated is not None
    wire.respond(connection)
    assert statuses(transport.output) == [200]
    wire.close()


def test_an_upgraded_one_lets_go_of_http() -> None:
    wire = Wire()
    connection, transport = wire.connect()
    transport.receive(request("/", "GET", *HANDSHAKE))
    wire.drain()
    assert statuses(transport.output) == [101]
    assert not hasattr(connection, "facts") and not hasattr(connection, "_gate")
    wire.close()


@pytest.mark.parametrize("requests", [0, 2])
def test_a_client_that_has_left_is_forgotten_without_the_garbage_collector(requests: int) -> None:
    wire = Wire()
    gc.collect()
    gc.disable()
    try:
        connection, transport = wire.connect()
        for _ in range(requests):
            transport.receive(GET)
            wire.respond(connection)
        stream = id(connection.stream)
        transport.lose()
        wire._accepted.remove(transport)
        transport.protocol = asyncio.Protocol()
        wire.loop.advance(60)  # the timers look at it once more
        del connection
        assert not any(id(each) == stream and isinstance(each, Stream) for each in gc.get_objects())
    finally:
        gc.enable()
