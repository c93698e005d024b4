"""Sessions and messages between streams and nodes: who gets a request, and what a message may do."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from blastbeat.errors import ClientError, NodeError
from blastbeat.events import Buffer, CloseReason, NodeEvent, Request
from blastbeat.interfaces import InstanceView, NodeCandidate
from blastbeat.progress import Phase
from tests.helpers.engine import Engine, request_head, response_head, upload_head
from tests.helpers.engine_fakes import FakeClient

TWO = {"app": "", "app/2": ""}

# ---------------------------------------------------------------- placing a request


def test_the_selector_is_shown_who_is_available() -> None:
    shown: list[list[str]] = []

    def select(candidates: Sequence[InstanceView], request: Request) -> InstanceView:
        shown.append([each.identity for each in candidates])
        return candidates[-1]

    engine = Engine(here=TWO, select=select)
    session = engine.request(engine.stream())
    assert shown == [["app", "app/2"]]
    assert session is not None and session.instance.identity == b"app/2"


def test_a_full_instance_is_passed_over() -> None:
    engine, client = Engine(here=TWO), FakeClient()
    engine.router.full = {b"app"}
    session = engine.request(engine.stream(client))
    assert session is not None and session.instance.identity == b"app/2"
    assert len(engine.recorder.opened) == 1


def test_all_are_full() -> None:
    engine, client = Engine(here=TWO), FakeClient()
    engine.router.full = {b"app", b"app/2"}
    engine.request(engine.stream(client))
    assert client.statuses == [503] and not client.heads[0].close
    assert b"Retry-After" in dict(client.heads[0].headers)
    assert engine.recorder.exchange.reason is CloseReason.NO_INSTANCE
    assert not engine.recorder.opened
    engine.assert_settled()


def test_nobody_is_there() -> None:
    engine, client = Engine(here={}), FakeClient()
    engine.request(engine.stream(client))
    assert client.statuses == [503]


def raising(candidates: Sequence[InstanceView], request: Request) -> InstanceView:
    raise RuntimeError("oops")


def foreign(candidates: Sequence[InstanceView], request: Request) -> InstanceView:
    """Equal to one that was offered, but not it."""
    return InstanceView(candidates[0].node, candidates[0].identity, candidates[0].endpoint)


def none(candidates: Sequence[InstanceView], request: Request) -> None:
    return None


@pytest.mark.parametrize("select", [raising, foreign, none])
def test_a_selector_that_gives_nobody(select: object, caplog: pytest.LogCaptureFixture) -> None:
    engine, client = Engine(select=select), FakeClient()  # type: ignore[arg-type]
    engine.request(engine.stream(client))
    assert client.statuses == [503] and not engine.router.sent
    assert bool([each for each in caplog.records if each.levelname == "ERROR"]) is (select is not none)
    engine.assert_settled()


def test_a_selector_may_do_to_its_list_what_it_likes() -> None:
    def select(candidates: Sequence[InstanceView], request: Request) -> InstanceView:
        assert isinstance(candidates, list)
        chosen: InstanceView = candidates.pop()
        candidates.clear()
        return chosen

    engine, client = Engine(here=TWO, select=select), FakeClient()
    engine.router.full = {b"app/2"}
    session = engine.request(engine.stream(client))
    assert session is not None and session.instance.identity == b"app"


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ClientError(431, "too long"), 431, CloseReason.REFUSED),
        (ClientError(418, "no such answer of ours"), 500, CloseReason.REFUSED),
        (RuntimeError("oops"), 500, CloseReason.PLUGIN_ERROR),
        (None, 500, CloseReason.PLUGIN_ERROR),
    ],
    ids=repr,
)
@pytest.mark.parametrize("continues", [False, True])
def test_a_request_encoder_that_writes_nothing(
    error: Exception | None, status: int, reason: CloseReason, continues: bool
) -> None:
    """In a new session and in one that is there already."""
    is_broken = not continues

    def encode(request: Request) -> bytes:
        if not is_broken:
            return b"head"
        if error is not None:
            raise error
        return "head"  # type: ignore[return-value]

    engine, client = Engine(encode=encode), FakeClient()
    stream = engine.stream(client)
    if continues:
        engine.respond(engine.request(stream))
        is_broken = True
    engine.request(stream)
    assert client.statuses[-1] == status and stream.session is None
    assert engine.recorder.exchanges[-1].reason is reason
    engine.assert_settled()


def test_limits_on_sessions() -> None:
    engine = Engine(max_sessions=2)
    streams = [engine.stream(FakeClient()) for _ in range(3)]
    for stream in streams:
        engine.request(stream)
    assert streams[2].session is None and engine.recorder.exchange.reason is CloseReason.LIMIT
    assert engine.recorder.exchange.status == 503
    engine.respond(streams[0].session)
    engine.request(streams[0])  # goes on in its session
    assert streams[0].session is not None
    streams[1].client_left()
    engine.request(streams[2])
    assert streams[2].session is not None


def test_the_limit_of_one_virtualhost() -> None:
    engine = Engine(policy={"sessions": 1})
    engine.add_virtualhost("other.test", ["app"])
    engine.dispatcher.admit(engine.instance(), "1.2.3.4")
    first, second, other = (engine.stream(FakeClient()) for _ in range(3))
    engine.request(first)
    engine.request(second)
    engine.request(other, request_head(authority=b"other.test"))
    assert second.session is None and other.session is not None
    assert engine.recorder.exchange.reason is CloseReason.LIMIT


def test_every_request_is_a_session_where_the_instance_wants_it() -> None:
    """§1 `exchange`."""
    engine = Engine(here={"app/1": "exchange"})
    stream = engine.stream()
    sids = []
    for _ in range(3):
        session = engine.request(stream)
        assert session is not None
        sids.append(session.sid)
        engine.respond(session)
        assert engine.heard(session)[-1] == (b"end", b"")
    assert len(set(sids)) == 3
    stream.client_left()
    engine.assert_settled()


def test_what_a_session_notice_tells() -> None:
    engine, client = Engine(), FakeClient()
    stream = engine.stream(client)
    session = engine.request(stream)
    stream.client_left(CloseReason.WRITE_TIMEOUT)
    opened, closed = engine.recorder.opened[0], engine.recorder.closed[0]
    assert session is not None and opened.sid == closed.sid == session.sid
    assert (opened.virtualhost, opened.node, opened.identity) == (engine.virtualhost.name, "app", "app")
    assert opened.connection is client.view
    assert (opened.reason, closed.reason) == (None, CloseReason.WRITE_TIMEOUT)


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
    assert names == {b"app": {engine.virtualhost.name}, b"app/2": set(), b"app/bad": set()}
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
