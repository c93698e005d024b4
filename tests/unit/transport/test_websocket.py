"""An upgraded connection: what comes in, held back or not, pings, and every end of it."""

from __future__ import annotations

import pytest

from blastbeat.events import CloseReason
from blastbeat.plugins.websocket_fast import FastDriverFactory
from blastbeat.plugins.websocket_wsproto import WsprotoDriverFactory
from blastbeat.transport.hangup import FIN_RECEIVED, INTERVAL, RESET
from blastbeat.transport.websocket import ANSWER_TIME, PING_SPREAD, SLICE, TURN
from tests.helpers.transport_fakes import Wire
from tests.helpers.upgraded import HANDSHAKE, messages, reason, say, upgrade, upgraded
from tests.helpers.websocket_frames import CLOSE, PING, PONG, TEXT, frame


@pytest.fixture(autouse=True, params=[FastDriverFactory, WsprotoDriverFactory])
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test with a driver that checks frames itself, and with one behind the gate."""
    monkeypatch.setattr(Wire, "websocket_driver", request.param({}))


def test_messages_both_ways() -> None:
    wire, websocket, transport = upgraded()
    transport.receive(frame(TEXT, b"hello"))
    say(wire, websocket, "websocket", b"hi")
    assert messages(wire) == [(b"websocket", b"hello")] and transport.take_output() == b"\x81\x02hi"
    transport.receive(frame(CLOSE, b"\x03\xe8bye"))
    assert transport.take_output() == b"\x88\x02\x03\xe8" and transport.has_sent_fin
    assert messages(wire)[-1] == (b"end", b"1000 bye") and reason(wire) is CloseReason.COMPLETE
    wire.close()


# ---------------------------------------------------------------- what comes in


def test_what_came_behind_the_handshake() -> None:
    wire, _, transport = upgraded(frame(TEXT, b"early"))
    transport.receive(frame(TEXT, b"late"))
    assert messages(wire) == [(b"websocket", b"early"), (b"websocket", b"late")]
    wire.close()
    assert messages(wire)[-1] == (b"end", b"1006")


def test_what_came_behind_the_handshake_goes_before_what_the_socket_brings() -> None:
    """Also where both are there in the same turn."""
    wire = Wire()
    _, transport = wire.connect()
    whole = frame(TEXT, b"x" * 100)
    transport.protocol.data_received(HANDSHAKE + whole[:50])
    transport.protocol.data_received(whole[50:])
    wire.loop.run()
    assert messages(wire) == [(b"websocket", b"x" * 100)]
    wire.close()


def test_a_fin_behind_the_handshake_loses_nothing() -> None:
    wire = Wire()
    _, transport = wire.connect()
    transport.protocol.data_received(HANDSHAKE + frame(TEXT, b"x") + frame(CLOSE, b"\x03\xe8"))
    transport.receive_fin()
    assert messages(wire) == [(b"websocket", b"x"), (b"end", b"1000")]
    assert reason(wire) is CloseReason.COMPLETE
    wire.close()


def test_one_read_is_held_back_too() -> None:
    """A node that takes no more for now is sent no more than what a slice brings."""
    wire, websocket, transport = upgraded(here={"app/1": "credit=1000"})
    whole = [b"%d" % number for number in range(3 * SLICE // 7)]
    transport.receive(b"".join(frame(TEXT, payload) for payload in whole))
    assert not transport.is_reading()
    before = len(messages(wire))
    assert 0 < before < len(whole) / 2
    while len(messages(wire)) < len(whole):
        say(wire, websocket, "credit", b"1000")
    assert messages(wire) == [(b"websocket", payload) for payload in whole]
    say(wire, websocket, "credit", b"1000")
    assert transport.is_reading()
    wire.close()


def test_what_comes_while_it_is_held_back_keeps_its_place() -> None:
    wire, websocket, transport = upgraded()
    websocket.hold_reading()
    websocket.data_received(frame(TEXT, b"1"))  # it was on its way
    websocket.data_received(frame(TEXT, b"2"))
    assert messages(wire) == []
    websocket.release_reading()
    websocket.data_received(frame(TEXT, b"3"))
    wire.loop.run()
    assert [body for _, body in messages(wire)] == [b"1", b"2", b"3"]
    wire.close()


@pytest.mark.parametrize("state", [RESET, FIN_RECEIVED])
def test_a_client_that_goes_while_it_is_held_back(state: int) -> None:
    wire, websocket, transport = upgraded()
    websocket.hold_reading()
    transport.socket.state = state
    wire.loop.advance(2 * INTERVAL)
    assert messages(wire) == [(b"end", b"1006")] and reason(wire) is CloseReason.CLIENT_LEFT
    assert wire.engine.counters["websockets.closed"] == 1
    wire.close()


def test_a_message_that_is_not_whole_counts_for_memory() -> None:
    wire, websocket, transport = upgraded()
    account = wire.context.account
    whole = frame(TEXT, b"x" * 1000)
    transport.receive(whole[:-1])
    assert account.total == websocket.queued_bytes() == 999 and websocket.unsent_bytes() == 0
    say(wire, websocket, "websocket", b"hi")  # what is sent and taken does not end that
    assert account.total == 999
    transport.receive(whole[-1:])
    assert account.total == 0 and messages(wire) == [(b"websocket", b"x" * 1000)]
    transport.receive(whole[:-1])
    wire.close()
    assert account.total == 0


def test_messages_that_never_end_are_bounded_by_memory() -> None:
    wire, websocket, transport = upgraded()
    others = [upgrade(wire) for _ in range(3)]
    wire.context.account.limit = 3000
    for _, each in others:
        each.receive(frame(TEXT, b"x" * 800)[:-1])
    assert not any(each.is_lost for _, each in others)
    transport.receive(frame(TEXT, b"x" * 1000)[:-1])
    assert transport.is_lost and reason(wire) is CloseReason.MEMORY
    assert wire.context.account.total == 3 * 799
    wire.close()


class Broken:
    """A driver that isn't one."""

    def receive_data(self, data: bytes) -> None:
        raise ZeroDivisionError


def test_a_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    wire, websocket, transport = upgraded()
    websocket._driver = Broken()  # type: ignore[assignment]
    transport.receive(frame(TEXT, b"x"))
    assert transport.is_lost and messages(wire) == [(b"end", b"1011")]
    assert reason(wire) is CloseReason.PLUGIN_ERROR and wire.engine.counters["websockets.closed"] == 1
    assert [record.getMessage() for record in caplog.records] == ["a connection broke"]
    wire.close()


def test_a_broken_protocol() -> None:
    wire, _, transport = upgraded()
    transport.receive(b"\x83\x80abcd" + frame(TEXT, b"behind it"))
    assert messages(wire) == [(b"end", b"1002")]
    assert transport.output.startswith(b"\x88") and transport.output[2:4] == b"\x03\xea"
    assert reason(wire) is CloseReason.CLIENT_ERROR and transport.has_sent_fin
    wire.close()


def test_what_came_before_a_broken_protocol_is_answered() -> None:
    """The node has some time for it; what comes behind is never looked at."""
    wire, websocket, transport = upgraded()
    transport.receive(frame(TEXT, b"good") + b"\x83\x80abcd" + frame(TEXT, b"behind it"))
    assert messages(wire) == [(b"websocket", b"good")] and transport.take_output() == b""
    say(wire, websocket, "websocket", b"I see")
    assert transport.take_output() == b"\x81\x05I see"
    wire.loop.advance(ANSWER_TIME)
    assert messages(wire) == [(b"websocket", b"good"), (b"end", b"1002")]
    assert transport.take_output()[2:4] == b"\x03\xea" and transport.has_sent_fin
    assert reason(wire) is CloseReason.CLIENT_ERROR and wire.engine.counters["websockets.failed"] == 1
    wire.close()


@pytest.mark.parametrize("first", ["fin", "reset", "stop", "node"])
def test_an_end_while_answers_have_their_time(first: str) -> None:
    wire, websocket, transport = upgraded()
    transport.receive(frame(TEXT, b"good") + b"\x83\x80abcd")
    if first == "fin":
        transport.receive_fin()
    elif first == "reset":
        transport.lose()
    elif first == "stop":
        websocket.stop(False)
    else:
        say(wire, websocket, "end")
    wire.loop.advance(ANSWER_TIME)
    code = {"fin": b"1002", "reset": b"1006", "stop": b"1012", "node": b"1000"}[first]
    assert messages(wire) == [(b"websocket", b"good"), (b"end", code)]
    assert transport.is_lost or transport.has_sent_fin
    wire.close()


def test_one_client_takes_no_more_than_its_turn() -> None:
    """Reading stands still meanwhile, everything is handled in order, and a FIN behind it loses nothing."""
    wire, _, transport = upgraded()
    flood = b"".join(frame(TEXT, b"%05d" % number) for number in range(8000))
    assert len(flood) > 2 * SLICE
    clock = wire.engine.clock
    ordinary = clock.monotonic

    def slow() -> float:  # each look at it costs more than a turn
        clock.now += 2 * TURN
        return ordinary()

    clock.monotonic = slow  # type: ignore[method-assign]
    transport.protocol.data_received(flood)
    assert 0 < len(messages(wire)) < 8000 and not transport.is_reading()
    wire.loop.run()
    assert [int(body) for _, body in messages(wire)] == list(range(8000)) and transport.is_reading()
    transport.protocol.data_received(flood + frame(CLOSE, b"\x03\xe8"))
    transport.receive_fin()
    assert len(messages(wire)) == 16001 and messages(wire)[-1] == (b"end", b"1000")
    clock.monotonic = ordinary  # type: ignore[method-assign]
    wire.close()


def test_what_comes_behind_the_end_is_bounded() -> None:
    wire, websocket, transport = upgraded()
    transport.receive(frame(CLOSE, b"\x03\xe8"))
    transport.receive(b"x" * websocket.stream.policy.linger)
    assert not transport.is_lost
    transport.receive(b"x")
    assert transport.is_lost
    wire.close()


# ---------------------------------------------------------------- pings


def test_a_silent_client_is_pinged_and_closed() -> None:
    wire, _, transport = upgraded()
    wire.loop.advance(20 * (1 - PING_SPREAD) - 1)
    assert transport.take_output() == b""
    wire.loop.advance(20)
    assert transport.take_output() == b"\x89\x00"
    transport.receive(frame(PONG, b""))
    wire.loop.advance(19)
    assert transport.take_output() == b""
    wire.loop.advance(20)
    assert transport.take_output() == b"\x89\x00" and not messages(wire)
    wire.loop.advance(2)
    assert transport.take_output()[:4] == b"\x88\x15\x03\xe9" and messages(wire) == [(b"end", b"1006")]
    assert reason(wire) is CloseReason.PING_TIMEOUT and wire.engine.counters["websockets.silent"] == 1
    wire.close()


def test_any_byte_is_a_sign_of_life() -> None:
    wire, _, transport = upgraded()
    for piece in frame(TEXT, b"as slow as can be"):
        wire.loop.advance(39)
        transport.receive(bytes([piece]))
    assert [body for _, body in messages(wire)] == [b"as slow as can be"]
    wire.close()


def test_no_pings() -> None:
    wire, _, transport = upgraded(policy={"websocket_ping": 0.0, "idle_timeout": 0.0})
    wire.loop.advance(3600)
    assert transport.take_output() == b"" and not messages(wire)
    wire.close()


def test_clients_that_came_all_at_once_are_pinged_one_after_the_other() -> None:
    wire = Wire()
    transports = [upgrade(wire)[1] for _ in range(100)]
    wire.loop.advance(20 * (1 - PING_SPREAD))
    wire.loop.advance(0.2)  # the wheel is that late
    before, most = 0, 0
    for _ in range(10):
        wire.loop.advance(20 * PING_SPREAD / 10)
        now = sum(transport.output == b"\x89\x00" for transport in transports)
        before, most = now, max(most, now - before)
    assert before == 100 and most <= 15
    wire.close()


def test_a_client_is_not_silent_while_nothing_is_read_from_it() -> None:
    wire, websocket, transport = upgraded()
    wire.loop.advance(25)
    assert transport.take_output() == b"\x89\x00"
    websocket.hold_reading()
    wire.loop.advance(105)
    assert transport.take_output() == 5 * b"\x89\x00" and not messages(wire)
    websocket.release_reading()
    wire.loop.advance(39)
    assert not messages(wire)
    wire.loop.advance(2)
    assert messages(wire) == [(b"end", b"1006")]
    wire.close()


def test_a_client_that_takes_what_it_is_sent_is_alive() -> None:
    """A ping would wait behind it."""
    wire, websocket, transport = upgraded(policy={"websocket_ping": 5.0})
    transport.room = 0
    say(wire, websocket, "websocket", b"x" * 1_000_000)
    for _ in range(10):
        wire.loop.advance(4)
        transport.take(10_000)
    assert not messages(wire)
    wire.loop.advance(16)
    assert messages(wire) == [(b"end", b"1006")] and reason(wire) is CloseReason.PING_TIMEOUT
    wire.close()


# ---------------------------------------------------------------- other ends


def test_no_byte_either_way() -> None:
    wire, _, transport = upgraded(policy={"websocket_ping": 0.0, "idle_timeout": 10.0})
    wire.loop.advance(11)
    assert transport.take_output() == b"\x88\x02\x03\xe9" and messages(wire) == [(b"end", b"1001")]
    assert reason(wire) is CloseReason.IDLE_TIMEOUT
    wire.close()


@pytest.mark.parametrize(("at_once", "code"), [(False, b"\x03\xf4"), (True, b"\x03\xe9")])
def test_the_server_stops(at_once: bool, code: bytes) -> None:
    wire, websocket, transport = upgraded()
    websocket.stop(at_once)
    wire.loop.run()
    assert transport.take_output() == b"\x88\x02" + code and reason(wire) is CloseReason.SERVER_STOP
    assert messages(wire) == [(b"end", b"%d" % int.from_bytes(code, "big"))]
    assert transport.is_lost == at_once
    websocket.stop(at_once)
    transport.receive(frame(CLOSE, code)) if not at_once else None
    assert transport.take_output() == b"" and transport.has_sent_fin
    wire.close()


def test_the_server_stops_and_does_not_wait_for_an_answer() -> None:
    wire, websocket, transport = upgraded()
    websocket.stop(at_once=False)
    websocket.stop(at_once=True)
    wire.loop.run()
    assert transport.is_lost and messages(wire) == [(b"end", b"1012")]
    wire.close()


def test_the_server_stops_and_does_not_wait_for_a_slow_client() -> None:
    wire, websocket, transport = upgraded()
    transport.room = 0
    say(wire, websocket, "websocket", b"x" * 100_000)
    websocket.stop(at_once=True)
    wire.loop.run()
    assert transport.is_lost and messages(wire) == [(b"end", b"1001")]
    wire.close()


def test_a_ping_after_the_end_is_not_answered() -> None:
    wire, websocket, transport = upgraded()
    websocket.close_websocket(1000)
    transport.take_output()
    transport.receive(frame(PING, b"x"))
    assert transport.take_output() == b""
    wire.close()
