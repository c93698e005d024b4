"""What goes to an upgraded client: pongs, the close handshake begun by us, and clients too slow for it."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.events import CloseReason
from blastbeat.interfaces import Filter, Pace, RequestView
from blastbeat.plugins.websocket_fast import FastDriverFactory
from blastbeat.plugins.websocket_wsproto import WsprotoDriverFactory
from blastbeat.transport.websocket_output import MESSAGE_OVERHEAD
from tests.helpers.transport_fakes import FakeTransport, Wire
from tests.helpers.upgraded import messages, reason, say, upgraded
from tests.helpers.websocket_frames import CLOSE, PING, TEXT, frame, parse_frame

KIB = 1024


class Slowly(Filter):
    """Lets `rate` bytes per second pass."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def on_output(self, view: RequestView) -> Pace:
        free_at = 0.0

        def pace(size: int) -> float:
            nonlocal free_at
            now = view.now()
            wait, free_at = max(0.0, free_at - now), max(free_at, now) + size / self.rate
            return wait

        return pace


def frames(output: bytes) -> list[tuple[int, int]]:
    """Opcode and payload size of each; nothing may be left over."""
    found = []
    while output:
        parsed = parse_frame(bytearray(output))
        assert parsed is not None
        found.append((parsed[0].opcode, len(parsed[0].payload)))
        output = output[parsed[1] :]
    return found


# ---------------------------------------------------------------- pongs


@pytest.fixture(autouse=True, params=[FastDriverFactory, WsprotoDriverFactory])
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test with a driver that checks frames itself, and with one behind the gate."""
    monkeypatch.setattr(Wire, "websocket_driver", request.param({}))


def test_pings_are_answered_the_newest_where_the_client_takes_nothing() -> None:
    wire, websocket, transport = upgraded()
    transport.receive(frame(PING, b"a") + frame(PING, b"b"))
    assert transport.take_output() == b"\x8a\x01a\x8a\x01b"
    transport.room = 0
    say(wire, websocket, "websocket", b"x" * 100_000)
    transport.receive(frame(PING, b"c") + frame(PING, b"d"))
    transport.take()
    assert frames(transport.output) == [(TEXT, 100_000), (10, 1)] and transport.output.endswith(b"d")
    wire.close()


# ---------------------------------------------------------------- our own close


def test_the_node_closes() -> None:
    wire, websocket, transport = upgraded()
    say(wire, websocket, "end", b"4000 enough")
    assert transport.take_output() == b"\x88\x08\x0f\xa0enough" and not transport.has_sent_fin
    assert messages(wire) == [(b"end", b"4000 enough")] and reason(wire) is CloseReason.NODE_END
    transport.receive(frame(TEXT, b"late") + frame(PING, b"x") + frame(CLOSE, b"\x0f\xa0"))
    assert transport.take_output() == b"" and transport.has_sent_fin and len(messages(wire)) == 1
    wire.close()


def test_it_goes_behind_what_was_sent() -> None:
    wire, websocket, transport = upgraded()
    transport.room = 10
    say(wire, websocket, "websocket", b"x" * 200_000)
    say(wire, websocket, "end", b"1000")
    transport.take()
    assert frames(transport.take_output()) == [(TEXT, 200_000), (CLOSE, 2)] and not transport.has_sent_fin
    transport.receive(frame(CLOSE, b"\x03\xe8"))
    assert transport.has_sent_fin
    wire.close()


def test_both_close_at_once() -> None:
    wire, websocket, transport = upgraded()
    say(wire, websocket, "end", b"4000")
    transport.receive(frame(CLOSE, b"\x03\xe9mine"))
    assert transport.take_output() == b"\x88\x02\x0f\xa0" and transport.has_sent_fin
    assert messages(wire) == [(b"end", b"4000")] and wire.engine.counters["websockets.closed"] == 1
    wire.close()


def test_a_client_that_does_not_answer_a_close_frame() -> None:
    wire, websocket, transport = upgraded()
    say(wire, websocket, "end")
    wire.loop.advance(websocket.stream.policy.linger_time + 1)
    assert transport.has_sent_fin and not transport.is_lost
    wire.loop.advance(websocket.stream.policy.linger_time + 1)
    assert transport.is_lost
    wire.close()


def test_its_time_begins_when_it_has_the_close_frame() -> None:
    wire, websocket, transport = upgraded()
    transport.room = 0
    say(wire, websocket, "websocket", b"x" * 1000)
    say(wire, websocket, "end")
    for _ in range(10):
        transport.take(100)
        wire.loop.advance(50)
    assert not transport.has_sent_fin
    transport.take()
    wire.loop.advance(websocket.stream.policy.linger_time - 1)
    assert not transport.has_sent_fin
    wire.loop.advance(2)
    assert transport.has_sent_fin
    wire.close()


@pytest.mark.parametrize("write_timeout", [30.0, 0.0])
def test_a_client_that_never_takes_the_close_frame(write_timeout: float) -> None:
    wire, websocket, transport = upgraded(policy={"write_timeout": write_timeout})
    transport.room = 0
    say(wire, websocket, "end")
    wire.loop.advance((write_timeout or 5) - 1)
    assert not transport.is_lost
    wire.loop.advance(2)
    assert transport.is_lost and reason(wire) is CloseReason.NODE_END
    wire.close()


def test_a_close_that_goes_at_its_pace() -> None:
    wire, websocket, transport = upgraded(filters=[Slowly(KIB)])
    say(wire, websocket, "websocket", b"x" * (100 * KIB))
    say(wire, websocket, "end")
    wire.loop.advance(90)
    assert not transport.has_sent_fin and len(transport.output) < 100 * KIB
    wire.loop.advance(11)
    assert frames(transport.output) == [(TEXT, 100 * KIB), (CLOSE, 2)] and not transport.has_sent_fin
    wire.loop.advance(6)
    assert transport.has_sent_fin
    wire.close()


def test_a_client_that_closes_while_more_goes_at_its_pace() -> None:
    wire, websocket, transport = upgraded(filters=[Slowly(KIB)])
    say(wire, websocket, "websocket", b"x" * (100 * KIB))
    transport.receive(frame(CLOSE, b"\x03\xe8"))
    wire.loop.advance(50)
    assert not transport.has_sent_fin
    wire.loop.advance(60)
    assert frames(transport.output) == [(TEXT, 100 * KIB), (CLOSE, 2)] and transport.has_sent_fin
    wire.close()


# ---------------------------------------------------------------- clients that do not keep up


def slow(settings: dict[str, int], **options: Any) -> tuple[Wire, FakeTransport]:
    """A client over its bound."""
    wire, websocket, transport = upgraded(settings=settings, **options)
    transport.room = 0
    for _ in range(3):
        say(wire, websocket, "websocket", b"x" * 70_000)
    assert reason(wire) is CloseReason.SLOW_CLIENT and messages(wire) == [(b"end", b"1008")]
    return wire, transport


def test_a_slow_client_may_yet_read_why() -> None:
    wire, transport = slow({"writequeue_buffer": 100_000})
    transport.take()
    assert frames(transport.output) == [(TEXT, 70_000), (TEXT, 70_000), (CLOSE, 10)]
    assert transport.output.endswith(b"\x03\xf0too slow") and transport.has_sent_fin
    assert wire.engine.counters["connections.given-up.slow-client"] == 1
    wire.close()


def test_a_slow_client_that_stays_slow_is_cut() -> None:
    wire, transport = slow({"writequeue_buffer": 100_000}, policy={"write_timeout": 10.0})
    wire.loop.advance(11)
    assert transport.is_lost and wire.context.account.total == 0
    wire.close()


def test_messages_that_nobody_has_yet_are_dropped() -> None:
    wire, websocket, transport = upgraded(settings={"writequeue_buffer": 1_000_000})
    websocket.pause_output(60)
    for _ in range(16):
        say(wire, websocket, "websocket", b"x" * 70_000)
    assert frames(transport.output) == [(CLOSE, 10)] and reason(wire) is CloseReason.SLOW_CLIENT
    wire.close()


def test_a_message_that_went_in_part_is_finished_first() -> None:
    wire, websocket, transport = upgraded(settings={"writequeue_buffer": 100_000}, filters=[Slowly(KIB)])
    for _ in range(6):
        say(wire, websocket, "websocket", b"x" * 20_000)
    assert reason(wire) is CloseReason.SLOW_CLIENT
    assert frames(transport.output) == [(TEXT, 20_000), (CLOSE, 10)]
    wire.close()


def test_many_empty_messages_are_memory_too() -> None:
    wire, websocket, transport = upgraded(settings={"writequeue_buffer": 100_000})
    websocket.pause_output(60)
    for _ in range(100_000 // MESSAGE_OVERHEAD + 2):
        say(wire, websocket, "websocket", b"")
    assert reason(wire) is CloseReason.SLOW_CLIENT and messages(wire) == [(b"end", b"1008")]
    wire.close()


def test_a_long_message_that_went_in_part_is_cut() -> None:
    wire, websocket, transport = upgraded(settings={"writequeue_buffer": 100_000}, filters=[Slowly(KIB)])
    for _ in range(2):
        say(wire, websocket, "websocket", b"x" * 200_000)
    assert transport.is_lost and reason(wire) is CloseReason.SLOW_CLIENT
    assert messages(wire) == [(b"end", b"1008")]
    wire.close()


def test_the_memory_of_all_is_bounded_too() -> None:
    wire, websocket, transport = upgraded(settings={"memory": 150_000})
    transport.room = 0
    say(wire, websocket, "websocket", b"x" * 200_000)
    assert transport.is_lost and messages(wire) == [(b"end", b"1008")]
    assert reason(wire) is CloseReason.MEMORY and wire.context.account.total == 0
    wire.close()


def test_a_client_that_takes_nothing() -> None:
    wire, websocket, transport = upgraded(policy={"write_timeout": 10.0, "websocket_ping": 0.0})
    transport.room = 0
    say(wire, websocket, "websocket", b"x" * 100_000)
    wire.loop.advance(11)
    assert transport.is_lost and messages(wire) == [(b"end", b"1006")]
    assert reason(wire) is CloseReason.WRITE_TIMEOUT
    wire.close()
