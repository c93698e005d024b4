"""Sessions and messages between streams and nodes: what a message may do, and who is told."""

from __future__ import annotations

import pytest

from blastbeat.errors import NodeError
from blastbeat.events import Buffer, CloseReason, NodeEvent
from blastbeat.interfaces import NodeCandidate
from blastbeat.progress import Phase
from tests.helpers.engine import Engine, response_head, upload_head
from tests.helpers.engine_fakes import FakeClient

TWO = {"app": "", "app/2": ""}

# ---------------------------------------------------------------- messages


def test_a_message_of_an_unknown_sid() -> None:
    engine, client = Engine(), FakeClient()
    session = engine.request(engine.stream(client))
    for sid in (b"", b"unknown", b"x" * 16):
        engine.dispatcher.message_received(engine.instance(), sid, b"headers", response_head())
        engine.dispatcher.message_received(engine.instance(), sid, b"headers", b"garbage")
    assert not client.heads
    assert engine.counters["messages.dropped.unknown-sid"] == 5
    assert engine.counters["messages.dropped.malformed"] == 1
    engine.respond(session)
    assert client.statuses == [200]


@pytest.mark.parametrize("body", [b"HTTP/1.1 200 OK\r\n\r\n", b"garbage"])
def test_a_message_of_another_instance_than_the_sessions(body: bytes) -> None:
    engine, client = Engine(here=TWO), FakeClient()
    session = engine.request(engine.stream(client))
    assert session is not None and session.instance.identity == b"app"
    for type in (b"headers", b"body", b"end", b"abort", b"retry", b"credit"):
        engine.dispatcher.message_received(engine.instance("app/2"), session.sid, type, body)
    assert not client.heads and not client.is_over and engine.types(session) == [b"uwsgi"]
    dropped = engine.counters.snapshot()
    assert dropped["messages.dropped.other-session"] == 6 and dropped["messages.received"] == 0


@pytest.mark.parametrize("type", [b"nonsense", b"group:body", b"@" + b"x" * 16 + b":body", b"", b"HEADERS"])
def test_a_type_that_no_plugin_handles(type: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Dropped, counted, and logged once per node and type; the session goes on."""
    engine, client = Engine(), FakeClient()
    session = engine.request(engine.stream(client))
    assert session is not None
    for _ in range(5):
        engine.dispatcher.message_received(session.instance, session.sid, type, b"x")
    assert engine.counters["messages.dropped.type"] == 5
    assert len(caplog.records) == 1 and "no plugin handles" in caplog.text
    engine.respond(session)
    assert client.statuses == [200]


def test_a_malformed_message_fails_its_session() -> None:
    engine, client = Engine(), FakeClient()
    session = engine.request(engine.stream(client))
    engine.say(session, "headers", b"garbage")
    assert client.statuses == [502]
    assert engine.heard(session)[-1] == (b"end", b"node-error")
    engine.assert_settled()


def broken(body: Buffer) -> NodeEvent:
    raise RuntimeError("oops")


def refusing(body: Buffer) -> NodeEvent:
    raise NodeError("not today")


def talking_nonsense(body: Buffer) -> NodeEvent:
    return "event"  # type: ignore[return-value]


def test_a_broken_decoder_ends_the_session_with_plugin_error(caplog: pytest.LogCaptureFixture) -> None:
    engine, client = Engine(decoders={b"broken": broken}), FakeClient()
    session = engine.request(engine.stream(client))
    engine.say(session, "broken")
    assert client.statuses == [502]
    assert engine.recorder.exchange.reason is CloseReason.PLUGIN_ERROR
    assert engine.heard(session)[-1] == (b"end", b"plugin-error")
    assert any(record.exc_info for record in caplog.records)
    engine.assert_settled()


def test_a_broken_decoder_within_a_response() -> None:
    engine, client = Engine(decoders={b"broken": broken}), FakeClient()
    session = engine.request(engine.stream(client))
    engine.say(session, "headers", response_head())
    engine.say(session, "broken")
    assert client.cuts == 1
    assert engine.recorder.exchange.reason is CloseReason.PLUGIN_ERROR


def test_a_broken_decoder_between_requests() -> None:
    engine, client = Engine(decoders={b"broken": broken}), FakeClient()
    session = engine.request(engine.stream(client))
    engine.respond(session)
    engine.say(session, "broken")
    assert client.closings and engine.recorder.closed[0].reason is CloseReason.PLUGIN_ERROR
    engine.assert_settled()


@pytest.mark.parametrize("decode", [broken, refusing, talking_nonsense])
def test_decoders_without_a_session_disturb_nobody(decode: object) -> None:
    engine, client = Engine(decoders={b"odd": decode}), FakeClient()  # type: ignore[dict-item]
    session = engine.request(engine.stream(client))
    engine.dispatcher.message_received(engine.instance(), b"", b"odd", b"")
    engine.dispatcher.message_received(engine.instance(), b"x" * 16, b"odd", b"")
    engine.respond(session)
    assert client.statuses == [200]


def test_an_event_that_is_none_is_dropped() -> None:
    engine, client = Engine(decoders={b"odd": talking_nonsense}), FakeClient()
    session = engine.request(engine.stream(client))
    engine.say(session, "odd")
    assert engine.counters["messages.dropped.leftover"] == 1
    engine.respond(session)
    assert client.statuses == [200]


def test_a_pong_counts_whatever_its_sid() -> None:
    engine = Engine(here={"app/1": ""})
    session = engine.request(engine.stream())
    assert session is not None
    engine.dispatcher.message_received(session.instance, session.sid, b"pong", b"exchange")
    assert session.instance.capabilities == {"exchange"}


def test_a_message_is_a_sign_of_life_for_its_request() -> None:
    engine = Engine()
    stream = engine.stream()
    session = engine.request(stream)
    engine.clock.now += 5
    engine.say(session, "headers", response_head())
    assert stream.progress.moved == engine.clock.now


# ---------------------------------------------------------------- drain


def test_drain_ends_idle_sessions_at_once_and_busy_ones_after_their_exchange() -> None:
    engine = Engine(here=TWO)
    idle, busy = (engine.stream(FakeClient()) for _ in range(2))
    first = engine.request(idle)
    engine.respond(first)
    second = engine.request(busy)
    instance = engine.instance("app")
    engine.dispatcher.message_received(instance, b"", b"drain", b"")
    assert engine.heard(first)[-1] == (b"end", b"") and idle.session is None
    assert busy.session is second and (b"app", b"drain", b"") not in engine.router.control
    engine.respond(second)
    assert engine.heard(second)[-1] == (b"end", b"")
    assert engine.router.control[-1] == (b"app", b"drain", b"")
    for stream in (idle, busy):
        third = engine.request(stream)
        assert third is not None and third.instance.identity == b"app/2"
    reasons = [view.reason for view in engine.recorder.closed]
    assert reasons == [CloseReason.NODE_DRAIN, CloseReason.COMPLETE]


def test_drain_with_a_sid_is_no_drain() -> None:
    engine = Engine()
    session = engine.request(engine.stream())
    engine.say(session, "drain")
    assert session is not None and not session.instance.draining


def test_a_retry_of_the_last_session_completes_the_drain() -> None:
    engine, client = Engine(here=TWO), FakeClient()
    session = engine.request(engine.stream(client))
    engine.dispatcher.message_received(engine.instance("app"), b"", b"drain", b"")
    engine.say(session, "retry")
    assert engine.router.control[-1] == (b"app", b"drain", b"") and not client.heads


# ---------------------------------------------------------------- instances


class Picky:
    """Agrees to these routing ids."""

    def __init__(self, *identities: bytes) -> None:
        self.identities = identities
        self.asked: list[NodeCandidate] = []

    def authenticate(self, candidate: NodeCandidate) -> bool:
        self.asked.append(candidate)
        if candidate.identity == b"app/bad":
            raise RuntimeError("oops")
        return candidate.identity in self.identities


def test_node_authenticators_decide_who_serves_a_virtualhost() -> None:
    picky, easy = Picky(b"app"), Picky(b"app", b"app/2")
    engine = Engine(here={"app": "", "app/2": "", "app/bad": ""}, node_authenticators=[easy, picky])
    names = {each.identity: each.allowed for each in engine.table}
    assert names == {b"app": {engine.virtualhost.key}, b"app/2": set(), b"app/bad": set()}
    assert picky.asked[0].address == "1.2.3.4" and picky.asked[0].expected == {"app"}


def test_an_agreement_is_withdrawn_when_somebody_else_speaks() -> None:
    picky = Picky(b"app")
    engine, client = Engine(node_authenticators=[picky]), FakeClient()
    picky.identities = ()
    engine.dispatcher.admit(engine.instance(), "6.6.6.6")
    engine.request(engine.stream(client))
    assert client.statuses == [503]


def test_notices_of_nodes() -> None:
    engine = Engine()
    engine.clock.now += 100
    engine.table.tick(engine.clock.now)
    engine.lose("app")
    told = [(view.identity, view.state) for view in engine.recorder.nodes]
    assert told[0] == ("app", "up") and told[-1] == ("app", "gone")


def test_room_in_the_queue_lets_the_client_speak_again() -> None:
    engine, client = Engine(), FakeClient()
    stream = engine.stream(client)
    session = engine.request(stream, upload_head(10_000), ends=False)
    assert session is not None
    session.instance.outbox.put(session.sid, b"body", b"x")
    engine.router.sizes[session.sid] = 1001
    stream.request_data(b"x" * 10)
    assert client.holds == 1
    engine.dispatcher.session_writable(session.instance, b"unknown")
    assert client.holds == 1
    engine.dispatcher.session_writable(session.instance, session.sid)
    assert client.holds == 0


def test_a_crowded_instance_holds_all_its_clients_back() -> None:
    engine, clients = Engine(), [FakeClient(), FakeClient()]
    sessions = [engine.request(engine.stream(client)) for client in clients]
    engine.dispatcher.instance_crowded(engine.instance())
    assert [client.holds for client in clients] == [1, 1]
    for session in sessions:
        assert session is not None
        engine.dispatcher.session_writable(session.instance, session.sid)
    assert [client.holds for client in clients] == [0, 0]
    assert all(session and session.owner.phase is Phase.FORWARDING for session in sessions)  # type: ignore[attr-defined]
