"""What is sent to one client: gathered, joined, bounded, and given up where the client does not take it."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from blastbeat.events import CloseReason
from blastbeat.interfaces import Filter, Pace, RequestView
from blastbeat.transport.client_output import DIRECT_WRITE, RESET_ON_CLOSE, WRITE_HIGH
from blastbeat.transport.connection import Connection
from blastbeat.transport.paced import PIECE
from tests.helpers.engine import response_head
from tests.helpers.settings import HOST
from tests.helpers.transport_fakes import FakeTransport, Wire

GET = b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % HOST.encode()
GET_10 = b"GET / HTTP/1.0\r\nHost: %b\r\n\r\n" % HOST.encode()
KIB = 1024


class Writes(FakeTransport):
    """Counts calls of `write` by size."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.sizes: list[int] = []

    def write(self, data: Any) -> None:
        self.sizes.append(len(data))
        super().write(data)


def streaming(wire: Wire, request: bytes = GET, head: bytes = b"") -> tuple[Connection, FakeTransport]:
    """A client to which a response has begun; what it took so far is dropped."""
    connection, transport = wire.connect()
    transport.receive(request)
    wire.say(connection, "headers", head or response_head())
    transport.take_output()
    return connection, transport


def reason(wire: Wire) -> CloseReason:
    return wire.engine.recorder.exchange.reason


# ---------------------------------------------------------------- gathering


def test_what_comes_in_one_turn_is_one_write() -> None:
    wire = Wire()
    connection, transport = streaming(wire, head=response_head(length=30))
    session = connection.stream.session
    for _ in range(3):
        wire.engine.say(session, "body", b"x" * 10)
    assert transport.output == b""
    wire.loop.run()
    assert transport.output == b"x" * 30
    wire.close()


def test_large_pieces_are_written_as_they_are() -> None:
    wire = Wire()
    connection = Connection(wire.context, "here", 1, set())
    transport = Writes(wire.loop, connection)
    connection.connection_made(transport)
    transport.receive(GET)
    session = connection.stream.session
    wire.engine.say(session, "headers", response_head(length=2 * DIRECT_WRITE + 30))
    for piece in (10, DIRECT_WRITE, 10, 10, DIRECT_WRITE):
        wire.engine.say(session, "body", b"x" * piece)
    wire.loop.run()
    assert transport.sizes[1:] == [DIRECT_WRITE, 20, DIRECT_WRITE]
    assert transport.output.endswith(b"x" * (2 * DIRECT_WRITE + 30))
    transport.lose()


def test_a_driver_that_writes_nonsense_ends_its_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire()
    first, broken = streaming(wire)
    second, good = streaming(wire)
    wire.engine.say(first.stream.session, "chunk", b"x")
    first._out.append("text")  # type: ignore[arg-type]
    wire.engine.say(second.stream.session, "chunk", b"x")
    wire.loop.run()
    assert broken.is_aborted and not good.is_aborted and good.output == b"1\r\nx\r\n"
    assert wire.engine.recorder.exchange.reason is CloseReason.PLUGIN_ERROR
    [record] = caplog.records
    assert record.getMessage() == "a connection broke" and record.__dict__["request_id"] == "request-id"
    wire.close()


# ---------------------------------------------------------------- clients that do not keep up


def test_a_slow_client_is_closed_over_writequeue_buffer() -> None:
    """What was queued before a message counts, so one message may overshoot (`design.md` §6)."""
    wire = Wire({"writequeue_buffer": 200 * KIB})
    connection, transport = streaming(wire, head=response_head(length=10_000 * KIB))
    transport.room = 0
    for _ in range(3):
        wire.say(connection, "body", b"x" * (100 * KIB))
    assert not transport.is_lost and connection.is_congested()
    wire.say(connection, "body", b"x")
    assert transport.is_lost
    assert reason(wire) is CloseReason.SLOW_CLIENT
    assert wire.engine.counters["connections.given-up.slow-client"] == 1
    assert wire.engine.router.sent[-1][2:] == (b"end", b"slow-client")
    wire.close()


def test_one_turn_is_bounded_too() -> None:
    wire = Wire({"writequeue_buffer": 200 * KIB})
    connection, transport = streaming(wire, head=response_head(length=10_000 * KIB))
    transport.room = 0
    wire.say(connection, "body", b"x" * (WRITE_HIGH + 1))
    session = connection.stream.session
    for _ in range(100):
        wire.engine.say(session, "body", b"x" * (100 * KIB))
    assert transport.is_aborted and reason(wire) is CloseReason.SLOW_CLIENT
    wire.close()


def test_a_client_that_reads_again_is_forgiven() -> None:
    wire = Wire({"writequeue_buffer": 200 * KIB})
    connection, transport = streaming(wire, head=response_head(length=1000 * KIB))
    for _ in range(5):
        transport.room = 0
        wire.say(connection, "body", b"x" * (200 * KIB))
        assert connection.is_congested() and wire.context.account.total == 200 * KIB
        transport.take()
        assert not connection.is_congested() and wire.context.account.total == 0
    wire.drain()
    assert reason(wire) is CloseReason.COMPLETE and len(transport.output) == 1000 * KIB
    wire.close()


def test_interim_heads_are_bounded() -> None:
    """A node may send any number of them."""
    wire = Wire({"writequeue_buffer": 100 * KIB})
    connection, transport = wire.connect()
    transport.receive(GET)
    transport.room = 0
    head = b"HTTP/1.1 103 Early Hints\r\nLink: %b\r\n\r\n" % (b"x" * 60_000)
    for _ in range(3):
        assert not transport.is_lost and connection.queued_bytes() < 200 * KIB
        wire.say(connection, "headers", head)
    assert transport.is_lost and reason(wire) is CloseReason.SLOW_CLIENT
    wire.close()


def test_write_timeout() -> None:
    wire = Wire(policy={"write_timeout": 10.0})
    connection, transport = streaming(wire, head=response_head(length=10_000 * KIB))
    transport.room = 0
    wire.say(connection, "body", b"x" * (200 * KIB))
    wire.loop.advance(9.9)
    assert not transport.is_lost
    wire.loop.advance(0.3)
    assert transport.is_lost and reason(wire) is CloseReason.WRITE_TIMEOUT
    assert wire.engine.counters["connections.given-up.write-timeout"] == 1
    wire.close()


def test_any_progress_counts() -> None:
    """A client that takes a byte now and then is slow, not dead."""
    wire = Wire(policy={"write_timeout": 10.0, "idle_timeout": 0.0})
    connection, transport = streaming(wire, head=response_head(length=10_000 * KIB))
    transport.room = 0
    wire.say(connection, "body", b"x" * (200 * KIB))
    for _ in range(5):
        wire.loop.advance(9)
        transport.take(1)
    assert not transport.is_lost
    wire.loop.advance(20.3)
    assert transport.is_lost and reason(wire) is CloseReason.WRITE_TIMEOUT
    wire.close()


def test_what_the_server_adds_is_no_progress() -> None:
    wire = Wire(policy={"write_timeout": 10.0})
    connection, transport = streaming(wire, head=response_head(length=10_000 * KIB))
    transport.room = 0
    wire.say(connection, "body", b"x" * (200 * KIB))
    for _ in range(11):
        wire.loop.advance(1)
        if not transport.is_lost:
            wire.say(connection, "body", b"x" * 100)
    assert transport.is_lost and reason(wire) is CloseReason.WRITE_TIMEOUT
    wire.close()


def test_without_write_timeout_a_client_may_take_its_time() -> None:
    wire = Wire(policy={"write_timeout": 0.0, "idle_timeout": 0.0})
    connection, transport = streaming(wire, head=response_head(length=10_000 * KIB))
    transport.room = 0
    wire.say(connection, "body", b"x" * (200 * KIB))
    wire.loop.advance(10_000)
    assert not transport.is_lost
    wire.close()


@pytest.mark.parametrize("scope", ["virtualhost", "server"])
def test_memory_takes_the_largest_queue(scope: str) -> None:
    bound = 500 * KIB
    settings = {"memory": bound if scope == "server" else 0}
    wire = Wire(settings, policy={"memory": bound if scope == "virtualhost" else 0})
    clients = [streaming(wire, head=response_head(length=10_000 * KIB)) for _ in range(3)]
    for (connection, transport), size in zip(clients, (100, 300, 150), strict=True):
        transport.room = 0
        wire.say(connection, "body", b"x" * (size * KIB))
    assert [transport.is_lost for _, transport in clients] == [False, True, False]
    assert wire.context.account.total == 250 * KIB
    assert reason(wire) is CloseReason.MEMORY
    assert wire.engine.counters["connections.given-up.memory"] == 1
    wire.close()


# ---------------------------------------------------------------- filters that hold back


class Pause(Filter):
    """Asks for pauses of the response."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        return self.seconds if direction == "out" else 0.0


def test_a_pause_holds_what_follows() -> None:
    wire = Wire(filters=[Pause(2.0)])
    connection, transport = wire.connect()
    transport.receive(GET)
    wire.say(connection, "headers", response_head(length=4))
    transport.take_output()
    wire.say(connection, "body", b"ab")
    assert transport.output == b"" and connection.is_congested()
    wire.say(connection, "body", b"cd")
    wire.loop.advance(1.9)
    assert transport.output == b""
    wire.loop.advance(0.2)
    assert transport.output == b"abcd" and not connection.is_congested()
    wire.close()


def test_what_is_held_back_is_bounded() -> None:
    wire = Wire({"writequeue_buffer": 100 * KIB}, filters=[Pause(100.0)])
    connection, transport = streaming(wire, head=response_head(length=1000 * KIB))
    for _ in range(3):
        wire.say(connection, "body", b"x" * (60 * KIB))
    assert transport.is_lost and reason(wire) is CloseReason.SLOW_CLIENT
    wire.close()


def test_the_next_request_waits_until_the_pause_is_over() -> None:
    wire = Wire(filters=[Pause(2.0)])
    connection, transport = wire.connect()
    transport.receive(GET + GET)
    wire.respond(connection)
    assert connection.stream.exchange is None, "the second would pile up behind the first"
    wire.loop.advance(2.1)
    assert transport.output.endswith(b"\r\n\r\nok") and connection.stream.exchange is not None
    wire.close()


@pytest.mark.parametrize("end", ["fin", "close", "stop"])
def test_a_complete_response_that_is_held_back_is_flushed(end: str) -> None:
    """§6: except that a response already complete is flushed."""
    wire = Wire(filters=[Pause(100.0)])
    connection, transport = wire.connect()
    transport.receive(GET if end != "close" else GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    wire.respond(connection)
    if end == "fin":
        transport.receive_fin()
    elif end == "stop":
        connection.stop(at_once=False)
    assert transport.output.endswith(b"\r\n\r\nok")
    wire.close()


# ---------------------------------------------------------------- cut


def test_a_cut_response_is_never_completed() -> None:
    wire = Wire()
    connection, transport = streaming(wire)
    wire.say(connection, "chunk", b"x")
    wire.say(connection, "abort", b"oops")
    assert transport.output == b"1\r\nx\r\n" and transport.has_sent_fin and not transport.is_aborted
    wire.close()


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_cut_response_without_framing_is_a_reset(is_broken: bool) -> None:
    """Only so does an HTTP/1.0 client notice."""
    wire = Wire()
    connection, transport = streaming(wire, GET_10)
    transport.socket.is_broken = is_broken
    wire.say(connection, "chunk", b"x")
    wire.say(connection, "abort", b"oops")
    option = (socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    assert transport.is_aborted and transport.socket.options == ([] if is_broken else [option])
    wire.close()


@pytest.mark.parametrize("head", [response_head(length=5), response_head(204)])
def test_a_framed_response_to_http10_needs_no_reset(head: bytes) -> None:
    wire = Wire()
    connection, transport = streaming(wire, GET_10, head)
    if not transport.is_closing() and connection.stream.exchange is not None:
        wire.say(connection, "abort", b"oops")
    assert not transport.is_aborted and not transport.socket.options
    wire.close()


# ---------------------------------------------------------------- filters that set a pace


class Shared(Filter):
    """One pace for all: `rate` bytes per second, each waits for those before it."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.free_at = 0.0
        self.asked = 0

    def on_output(self, view: RequestView) -> Pace:
        def pace(n: int) -> float:
            now = view.now()
            wait = max(0.0, self.free_at - now)
            self.free_at = max(self.free_at, now) + n / self.rate
            self.asked += n
            return wait

        return pace


def paced(clients: int = 1, size: int = 200 * KIB) -> tuple[Wire, list[FakeTransport]]:
    """Clients that share 100 KiB/s, and were sent `size` bytes each, all at once."""
    wire = Wire(filters=[Shared(100.0 * KIB)])
    transports = []
    for _ in range(clients):
        connection, transport = wire.connect()
        transport.receive(GET)
        wire.say(connection, "headers", response_head(length=size))
        transports.append(transport)
        wire.say(connection, "body", b"x" * size)
        wire.drain()
    return wire, transports


def test_what_a_node_sends_at_once_goes_at_the_pace() -> None:
    wire, (transport,) = paced()
    for second in range(1, 3):
        wire.loop.advance(1.0)
        assert len(transport.output) == pytest.approx(second * 100 * KIB, rel=0.17)
    wire.loop.advance(0.5)
    assert transport.output.endswith(b"x" * 200 * KIB)
    wire.close()


def test_those_who_share_a_pace_take_turns() -> None:
    """Also with one who comes later: it need not wait for what the others still have waiting."""
    wire, transports = paced(clients=3)
    wire.loop.advance(1.0)
    before = [len(transport.output) for transport in transports]
    wire.loop.advance(1.5)
    for transport, size in zip(transports, before, strict=True):
        assert abs(len(transport.output) - size - 50 * KIB) <= PIECE
    connection, late = wire.connect()
    late.receive(GET)
    wire.respond(connection)
    wire.loop.advance(0.6)
    assert late.output.endswith(b"ok"), "each of the three had one piece before it, and no more"
    wire.loop.advance(6.0)
    assert all(transport.output.endswith(b"x" * 200 * KIB) for transport in transports)
    wire.close()


def test_the_next_request_waits_for_what_goes_at_a_pace() -> None:
    wire, (transport,) = paced()
    transport.receive(GET)
    (connection,) = wire.connections
    assert isinstance(connection, Connection)
    wire.loop.advance(1.0)
    assert connection.stream.exchange is None
    wire.loop.advance(1.5)
    assert connection.stream.exchange is not None
    wire.close()


def test_a_connection_closes_after_what_goes_at_a_pace() -> None:
    wire = Wire(filters=[Shared(100.0 * KIB)])
    connection, transport = wire.connect()
    transport.receive(GET_10)
    wire.say(connection, "headers", response_head())
    wire.say(connection, "body", b"x" * 200 * KIB)
    wire.say(connection, "end")
    wire.loop.advance(1.0)
    assert not transport.has_sent_fin and len(transport.output) < 130 * KIB
    wire.loop.advance(1.5)
    assert transport.has_sent_fin and transport.output.endswith(b"x" * 200 * KIB)
    wire.close()


def test_keep_alive_does_not_end_what_goes_at_a_pace() -> None:
    wire = Wire(filters=[Shared(1.0 * KIB)], policy={"keep_alive": 10.0})
    connection, transport = wire.connect()
    transport.receive(GET)
    wire.respond(connection, b"x" * 64 * KIB)
    wire.loop.advance(40.0)
    assert not transport.has_sent_fin and not transport.is_lost
    wire.loop.advance(30.0)
    assert transport.output.endswith(b"x" * 64 * KIB)
    wire.close()


def test_a_client_that_takes_nothing_uses_up_no_pace() -> None:
    wire, (transport,) = paced(size=0)
    (shared,) = wire.engine.virtualhost.filters
    assert isinstance(shared, Shared)
    transport.room = 0
    transport.receive(GET)
    (connection,) = wire.connections
    assert isinstance(connection, Connection)
    wire.respond(connection, b"x" * 200 * KIB)
    wire.loop.advance(10.0)
    assert shared.asked < 120 * KIB, "what the transport buffers, and a piece"
    transport.take()
    wire.loop.advance(3.0)
    assert transport.output.endswith(b"x" * 200 * KIB)
    wire.close()


def test_what_goes_at_a_pace_counts_for_memory() -> None:
    wire, (transport,) = paced()
    assert wire.context.account.total > 150 * KIB
    wire.loop.advance(3.0)
    assert wire.context.account.total == 0
    wire.close()


def test_a_client_that_leaves_takes_what_waited_for_it_along() -> None:
    wire, (transport,) = paced()
    (shared,) = wire.engine.virtualhost.filters
    assert isinstance(shared, Shared)
    asked = shared.asked
    transport.lose()
    assert shared.asked == asked, "nobody waits for what was never sent"
    wire.close()


def test_another_request_of_the_connection_has_a_pace_of_its_own() -> None:
    wire, (transport,) = paced(size=10)
    (shared,) = wire.engine.virtualhost.filters
    assert isinstance(shared, Shared)
    asked = shared.asked
    transport.receive(b"GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n")
    wire.loop.run()
    assert b" 404 " in transport.output and shared.asked == asked
    wire.close()
