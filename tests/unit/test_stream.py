"""A stream in every situation a request can be in, with everything that can happen to it there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.errors import ClientError
from blastbeat.events import CloseReason, Request
from blastbeat.progress import Phase
from blastbeat.session import Session
from blastbeat.stream import Stream
from tests.helpers.engine import Engine, request_head, response_head, upload_head
from tests.helpers.engine_fakes import FakeClient, GatedAuthenticator

# ---------------------------------------------------------------- situations


@dataclass
class Scene:
    """A stream in some situation. `session` is the one it had then."""

    engine: Engine
    client: FakeClient
    stream: Stream
    session: Session | None = None
    gate: GatedAuthenticator | None = None

    def __post_init__(self) -> None:
        self.session = self.stream.session
        self.seen = len(self.engine.router.sent)

    def outcome(self) -> str:
        """What became of it, in words: phase, statuses, what happened to the connection, what nodes heard."""
        client = self.client
        connection = "cut" if client.cuts else "closed" if client.closings else "open"
        sent = [type.decode() for _, _, type, _ in self.engine.router.sent[self.seen :]]
        parts = [self.stream.phase.name, *map(str, client.statuses), connection, *sent]
        return " ".join(parts)


def make(**options: Any) -> tuple[Engine, FakeClient, Stream]:
    engine, client = Engine(**options), FakeClient()
    return engine, client, engine.stream(client)


def fresh() -> Scene:
    return Scene(*make())


def idle() -> Scene:
    """Between two requests, with a session."""
    engine, client, stream = make()
    engine.respond(engine.request(stream))
    engine.router.drain()
    client.heads.clear()
    return Scene(engine, client, stream)


def admitting() -> Scene:
    """An authenticator thinks about an upload of 10 bytes."""
    gate = GatedAuthenticator()
    engine, client, stream = make(authenticators=[gate])
    engine.request(stream, upload_head(10), ends=False)
    engine.tasks.run()
    return Scene(engine, client, stream, gate=gate)


def admitting_again() -> Scene:
    """An authenticator thinks about a second request, while the session of the first one waits."""
    gate = GatedAuthenticator()
    gate.is_open = True
    engine, client, stream = make(authenticators=[gate])
    engine.request(stream)
    engine.tasks.run()
    engine.respond(stream.session)
    gate.is_open = False
    client.heads.clear()
    engine.request(stream)
    engine.tasks.run()
    return Scene(engine, client, stream, gate=gate)


def awaiting() -> Scene:
    """A GET was forwarded."""
    engine, client, stream = make()
    engine.request(stream)
    return Scene(engine, client, stream)


def uploading() -> Scene:
    """Half an upload of 10 bytes was forwarded."""
    engine, client, stream = make()
    engine.request(stream, upload_head(10), ends=False)
    stream.request_data(b"12345")
    return Scene(engine, client, stream)


def streaming() -> Scene:
    """Part of the response to a GET was passed on."""
    engine, client, stream = make()
    engine.say(engine.request(stream), "headers", response_head(length=10))
    engine.say(stream.session, "body", b"12345")
    return Scene(engine, client, stream)


def responded() -> Scene:
    """The response is complete, half of the upload of 10 bytes is missing."""
    scene = uploading()
    scene.engine.respond(scene.session)
    return scene


def answered() -> Scene:
    """The server itself answered before it saw the end of the request."""
    engine, client, stream = make()
    engine.request(stream, request_head(authority=b"nobody.test"), ends=False)
    return Scene(engine, client, stream)


def closed() -> Scene:
    """The connection is closing."""
    engine, client, stream = make()
    engine.request(stream, request_head(keep_alive=False))
    engine.respond(stream.session)
    return Scene(engine, client, stream)


SITUATIONS: dict[str, Callable[[], Scene]] = {
    each.__name__: each
    for each in (
        fresh,
        idle,
        admitting,
        admitting_again,
        awaiting,
        uploading,
        streaming,
        responded,
        answered,
        closed,
    )
}


def node_says(type: str, body: bytes = b"") -> Callable[[Scene], None]:
    def say(scene: Scene) -> None:
        if scene.session is not None:
            scene.engine.say(scene.session, type, body)

    return say


def node_drains(scene: Scene) -> None:
    scene.engine.dispatcher.message_received(scene.engine.instance(), b"", b"drain", b"")


def fin_comes(scene: Scene) -> None:
    if not scene.stream.half_closed():
        scene.stream.client_left()


def time_passes(scene: Scene) -> None:
    if scene.stream.deadline() < inf:
        scene.engine.expire(scene.stream)


EVENTS: dict[str, Callable[[Scene], object]] = {
    "data": lambda scene: scene.stream.request_data(b"67890"),
    "end": lambda scene: scene.stream.request_end(),
    "refused": lambda scene: scene.stream.request_refused(400, "bad", CloseReason.CLIENT_ERROR),
    "left": lambda scene: scene.stream.client_left(),
    "fin": fin_comes,
    "drained": lambda scene: scene.stream.output_drained(),
    "time": time_passes,
    "node end": node_says("end"),
    "node abort": node_says("abort", b"oops"),
    "node retry": node_says("retry"),
    "node gone": lambda scene: scene.engine.lose("app"),
    "node drains": node_drains,
}

# What must come of each event in each situation (`protocol.md` §2, §4, §6): phase, statuses answered, what
# became of the connection, what the node was sent.
OUTCOMES: dict[str, dict[str, str]] = {
    "fresh": {
        "data": "IDLE open",
        "end": "IDLE open",
        "refused": "CLOSED 400 closed",
        "left": "CLOSED open",
        "fin": "CLOSED open",
        "drained": "IDLE open",
        "time": "IDLE open",
        "node end": "IDLE open",
        "node abort": "IDLE open",
        "node retry": "IDLE open",
        "node gone": "IDLE open",
        "node drains": "IDLE open",
    },
    "idle": {
        "data": "IDLE open",
        "end": "IDLE open",
        "refused": "CLOSED 400 closed end",
        "left": "CLOSED open end",
        "fin": "CLOSED open end",
        "drained": "IDLE open",
        "time": "IDLE open",
        "node end": "CLOSED closed end",
        "node abort": "CLOSED closed end",
        "node retry": "IDLE open",
        "node gone": "IDLE open",
        "node drains": "IDLE open end",
    },
    "admitting": {
        "data": "ADMITTING open",
        "end": "ADMITTING open",
        "refused": "CLOSED 400 closed",
        "left": "CLOSED open",
        "fin": "CLOSED open",
        "drained": "ADMITTING open",
        "time": "CLOSED 504 closed",
        "node end": "ADMITTING open",
        "node abort": "ADMITTING open",
        "node retry": "ADMITTING open",
        "node gone": "ADMITTING open",
        "node drains": "ADMITTING open",
    },
    "admitting_again": {
        "data": "ADMITTING open",
        "end": "ADMITTING open",
        "refused": "CLOSED 400 closed end",
        "left": "CLOSED open end",
        "fin": "CLOSED open end",
        "drained": "ADMITTING open",
        "time": "IDLE 504 open end",
        "node end": "ADMITTING open end",
        "node abort": "CLOSED closed end",
        "node retry": "ADMITTING open",
        "node gone": "ADMITTING open",
        "node drains": "ADMITTING open end",
    },
    "awaiting": {
        "data": "FORWARDING open body",
        "end": "FORWARDING open",
        "refused": "CLOSED 400 closed end",
        "left": "CLOSED open end",
        "fin": "CLOSED open end",
        "drained": "FORWARDING open",
        "time": "IDLE 504 open end",
        "node end": "IDLE 502 open end",
        "node abort": "IDLE 502 open end",
        "node retry": "IDLE 503 open end",
        "node gone": "IDLE 502 open",
        "node drains": "FORWARDING open",
    },
    "uploading": {
        "data": "FORWARDING open body",
        "end": "FORWARDING open",
        "refused": "CLOSED 400 closed end",
        "left": "CLOSED open end",
        "fin": "CLOSED open end",
        "drained": "FORWARDING open",
        "time": "CLOSED 408 closed end",
        "node end": "CLOSED 502 closed end",
        "node abort": "CLOSED 502 closed end",
        "node retry": "CLOSED 503 closed end",
        "node gone": "CLOSED 502 closed",
        "node drains": "FORWARDING open",
    },
    "streaming": {
        "data": "FORWARDING 200 open body",
        "end": "FORWARDING 200 open",
        "refused": "CLOSED 200 cut end",
        "left": "CLOSED 200 open end",
        "fin": "CLOSED 200 open end",
        "drained": "FORWARDING 200 open",
        "time": "CLOSED 200 cut end",
        "node end": "CLOSED 200 cut end",
        "node abort": "CLOSED 200 cut end",
        "node retry": "FORWARDING 200 open",
        "node gone": "CLOSED 200 cut",
        "node drains": "FORWARDING 200 open",
    },
    "responded": {
        "data": "FORWARDING 200 open body",
        "end": "IDLE 200 open",
        "refused": "CLOSED 200 closed end",
        "left": "CLOSED 200 open end",
        "fin": "CLOSED 200 closed end",
        "drained": "FORWARDING 200 open",
        "time": "CLOSED 200 closed end",
        "node end": "CLOSED 200 closed end",
        "node abort": "CLOSED 200 closed end",
        "node retry": "FORWARDING 200 open",
        "node gone": "CLOSED 200 closed",
        "node drains": "FORWARDING 200 open",
    },
    "answered": {
        "data": "ANSWERED 404 open",
        "end": "IDLE 404 open",
        "refused": "CLOSED 404 closed",
        "left": "CLOSED 404 open",
        "fin": "CLOSED 404 closed",
        "drained": "ANSWERED 404 open",
        "time": "CLOSED 404 closed",
        "node end": "ANSWERED 404 open",
        "node abort": "ANSWERED 404 open",
        "node retry": "ANSWERED 404 open",
        "node gone": "ANSWERED 404 open",
        "node drains": "ANSWERED 404 open",
    },
    "closed": {
        "data": "CLOSED 200 closed",
        "end": "CLOSED 200 closed",
        "refused": "CLOSED 200 closed",
        "left": "CLOSED 200 closed",
        "fin": "CLOSED 200 closed",
        "drained": "CLOSED 200 closed",
        "time": "CLOSED 200 closed",
        "node end": "CLOSED 200 closed",
        "node abort": "CLOSED 200 closed",
        "node retry": "CLOSED 200 closed",
        "node gone": "CLOSED 200 closed",
        "node drains": "CLOSED 200 closed",
    },
}

PAIRS = list(product(SITUATIONS, EVENTS))


@pytest.mark.parametrize(("situation", "event"), PAIRS, ids=[f"{s}-{e}" for s, e in PAIRS])
def test_every_event_in_every_situation(situation: str, event: str) -> None:
    scene = SITUATIONS[situation]()
    EVENTS[event](scene)
    assert scene.outcome() == OUTCOMES[situation][event]
    scene.stream.client_left()
    check_settled(scene)


def test_the_table_is_whole() -> None:
    assert set(OUTCOMES) == set(SITUATIONS)
    assert all(set(outcomes) == set(EVENTS) for outcomes in OUTCOMES.values())


def check_settled(scene: Scene) -> None:
    """The client is gone: no session, hold or exchange is left over, and every request was told of once."""
    scene.engine.tasks.close()
    scene.engine.assert_settled()
    assert scene.client.holds == 0
    assert scene.stream.exchange is None and scene.stream.session is None
    assert scene.stream.deadline() == inf


CALLS = st.lists(st.sampled_from(["head", *EVENTS, "credit", "allow", "read empty"]), max_size=25)


@given(st.booleans(), CALLS)
def test_any_course_of_events_leaves_nothing_over(needs_credit: bool, calls: list[str]) -> None:
    """Holds are never negative (the fake client sees to that) and none at the end; nothing is told twice."""
    gate = GatedAuthenticator()
    here = {"app/1": "credit=4 exchange" if needs_credit else "", "app": ""}
    engine, client = Engine(authenticators=[gate], here=here), FakeClient()
    stream, requests = engine.stream(client), 0
    for call in calls:
        if client.is_over or stream.phase is Phase.CLOSED:
            break
        if call == "head":
            if stream.exchange is not None:
                continue
            requests += 1
            stream.request_head(upload_head(keep_alive=True))
        elif call == "allow":
            gate.is_open = True
            engine.tasks.run()
        elif call == "credit":
            if stream.session is not None:
                engine.say(stream.session, "credit", b"3")
        elif call == "read empty":
            engine.router.drain()
        elif call == "node gone":
            for each in list(engine.table):
                engine.lose(each.view.identity)
            engine.node("app")
        elif call == "refused" or not (call in ("data", "end") and is_read(stream)):
            EVENTS[call](Scene(engine, client, stream))
        gate.is_open = call == "allow"
    refused = sum(view.method == b"" for view in engine.recorder.exchanges)
    stream.client_left()
    check_settled(Scene(engine, client, stream))
    assert len(engine.recorder.exchanges) == requests + refused


def is_read(stream: Stream) -> bool:
    return stream.exchange is None or stream.exchange.request_read


# ---------------------------------------------------------------- answers of the server


def test_a_fin_lets_the_exchange_finish_where_the_virtualhost_says_so() -> None:
    engine, client, stream = make(policy={"half_close": "finish"})
    session = engine.request(stream)
    assert stream.half_closed()
    engine.respond(session)
    assert client.statuses == [200] and client.heads[0].close
    assert client.closings and stream.phase is Phase.CLOSED
    assert engine.recorder.exchange.reason is CloseReason.COMPLETE
    engine.assert_settled()


def test_a_fin_within_the_upload_ends_it_whatever_the_virtualhost_says() -> None:
    engine, _, stream = make(policy={"half_close": "finish"})
    engine.request(stream, upload_head(10), ends=False)
    assert not stream.half_closed()


@pytest.mark.parametrize("keeps_alive", [False, True])
def test_the_response_says_whether_the_connection_stays(keeps_alive: bool) -> None:
    engine, client, stream = make()
    engine.respond(engine.request(stream, request_head(keep_alive=keeps_alive)))
    assert client.heads[0].close is not keeps_alive
    assert bool(client.closings) is not keeps_alive


def test_a_stopping_server_says_that_the_connection_ends() -> None:
    engine, client, stream = make()
    session = engine.request(stream)
    engine.dispatcher.is_stopping = True
    engine.respond(session)
    assert client.heads[0].close and client.closings


def test_stopping_within_the_response_ends_the_connection_after_it() -> None:
    engine, client, stream = make()
    session = engine.request(stream)
    engine.say(session, "headers", response_head(length=2))
    engine.dispatcher.is_stopping = True
    engine.say(session, "body", b"ok")
    assert not client.heads[0].close and client.closings
    assert engine.recorder.exchange.reason is CloseReason.COMPLETE


def test_the_next_request_waits_until_the_nodes_were_read_empty() -> None:
    """§2: what is left over from this exchange must not be taken for the next one's response."""
    engine, client, stream = make()
    engine.respond(engine.request(stream))
    assert client.next_exchanges == 0
    engine.router.drain()
    assert client.next_exchanges == 1


def test_an_answer_of_the_server_waits_for_nobody() -> None:
    engine, client, stream = make()
    engine.request(stream, request_head(authority=b"nobody.test"))
    assert client.statuses == [404] and client.next_exchanges == 1


def test_a_client_given_up_while_it_is_answered() -> None:
    """Its queue was over its bound already: the end of the exchange was told within `send_data`."""
    engine, client, stream = make()
    client.on_send_data = lambda: stream.client_left(CloseReason.SLOW_CLIENT, "slow")
    engine.request(stream, request_head(authority=b"nobody.test"))
    assert engine.recorder.exchange.reason is CloseReason.SLOW_CLIENT
    assert stream.phase is Phase.CLOSED and not client.next_exchanges and not client.closings
    engine.assert_settled()


def test_a_client_given_up_while_its_response_passes() -> None:
    engine, client, stream = make()
    client.on_send_data = lambda: stream.client_left(CloseReason.SLOW_CLIENT, "slow")
    session = engine.request(stream)
    engine.say(session, "headers", response_head(length=2) + b"ok")
    assert engine.recorder.exchange.reason is CloseReason.SLOW_CLIENT
    assert engine.heard(session)[-1] == (b"end", b"slow-client")
    engine.assert_settled()


def test_a_request_that_never_became_one_is_told_of() -> None:
    engine, client, stream = make()
    stream.request_refused(431, "too long", CloseReason.CLIENT_ERROR)
    view = engine.recorder.exchange
    assert (view.status, view.method, view.reason) == (431, b"", CloseReason.CLIENT_ERROR)
    assert client.heads[0].close and client.closings


def test_a_head_that_does_not_fit_the_format() -> None:
    def refuse(request: Request) -> bytes:
        raise ClientError(431, "does not fit")

    engine, client, stream = make(encode=refuse)
    engine.request(stream)
    assert client.statuses == [431]
    engine.assert_settled()


# ---------------------------------------------------------------- the request body


def test_body_that_came_before_the_node_was_settled_follows_the_head() -> None:
    scene = admitting()
    stream, engine = scene.stream, scene.engine
    stream.request_data(b"12345")
    assert scene.client.holds == 1
    stream.request_data(b"67890")  # of the same read
    stream.request_end()
    assert scene.gate is not None
    scene.gate.is_open = True
    engine.tasks.run()
    assert scene.client.holds == 0
    assert engine.heard(stream.session) == [(b"uwsgi", b"POST /"), (b"body", b"12345"), (b"body", b"67890")]


@pytest.mark.parametrize("early", [False, True])
def test_a_body_of_unknown_length_is_closed_by_an_empty_one(early: bool) -> None:
    gate = GatedAuthenticator()
    gate.is_open = not early
    engine, _, stream = make(authenticators=[gate])
    engine.request(stream, upload_head(), ends=False)
    engine.tasks.run()
    stream.request_data(b"piece")
    stream.request_end()
    gate.is_open = True
    engine.tasks.run()
    assert engine.heard(stream.session)[1:] == [(b"body", b"piece"), (b"body", b"")]


def test_a_body_with_a_length_is_closed_by_nothing() -> None:
    scene = uploading()
    scene.stream.request_data(b"67890")
    scene.stream.request_end()
    assert scene.engine.heard(scene.session)[1:] == [(b"body", b"12345"), (b"body", b"67890")]


@pytest.mark.parametrize("size", [10, 11])
def test_max_body(size: int) -> None:
    engine, client, stream = make(policy={"max_body": 10})
    engine.request(stream, upload_head(), ends=False)
    stream.request_data(b"x" * 10)
    if size > 10:
        stream.request_data(b"x")
        assert client.statuses == [413] and client.closings
        assert engine.recorder.exchange.reason is CloseReason.LIMIT
    else:
        assert stream.phase is Phase.FORWARDING


def test_upload_after_the_response_is_forwarded_up_to_linger() -> None:
    engine, client, stream = make(policy={"linger": 8})
    session = engine.request(stream, upload_head(100), ends=False)
    stream.request_data(b"x" * 20)
    engine.respond(session)
    stream.request_data(b"x" * 8)
    assert not client.is_over
    stream.request_data(b"x")
    assert client.closings == [(8, 5.0)]
    assert engine.recorder.exchange.reason is CloseReason.LINGER_OVER
    assert engine.types(session).count(b"body") == 2
    engine.assert_settled()


def test_100_continue_is_sent_once_a_node_has_the_request() -> None:
    gate = GatedAuthenticator()
    engine, client, stream = make(authenticators=[gate])
    engine.request(stream, upload_head(10, expect_continue=True), ends=False)
    engine.tasks.run()
    assert client.continues == 0
    gate.is_open = True
    engine.tasks.run()
    assert client.continues == 1


def test_no_100_continue_where_the_body_is_here_already() -> None:
    scene = admitting()
    exchange = scene.stream.exchange
    assert exchange is not None and scene.gate is not None
    exchange.head.expect_continue = True
    scene.stream.request_data(b"1")
    scene.gate.is_open = True
    scene.engine.tasks.run()
    assert scene.client.continues == 0 and scene.stream.phase is Phase.FORWARDING


# ---------------------------------------------------------------- time


def test_each_byte_moves_the_deadline() -> None:
    engine, client, stream = make(policy={"response_timeout": 10.0, "idle_timeout": 20.0})
    session = engine.request(stream)
    assert stream.deadline() == engine.clock.now + 10
    engine.clock.now += 9
    engine.say(session, "headers", response_head())
    assert stream.deadline() == engine.clock.now + 20
    engine.clock.now += 19
    engine.say(session, "chunk", b"x")
    assert stream.deadline() == engine.clock.now + 20
    engine.expire(stream)
    assert client.cuts == 1
    assert engine.recorder.exchange.reason is CloseReason.IDLE_TIMEOUT


def test_a_client_that_is_held_back_is_not_slow() -> None:
    """The node's credit is used up: that no body comes is the node's doing."""
    engine, client, stream = make(here={"app/1": "credit=4"})
    session = engine.request(stream, upload_head(100), ends=False)
    stream.request_data(b"12345")
    stream.request_data(b"678")
    assert client.holds == 1
    assert stream.deadline() == engine.clock.now + stream.policy.response_timeout
    engine.clock.now += stream.policy.body_timeout
    engine.say(session, "credit", b"8")
    assert client.holds == 0


def test_without_timeouts_there_is_no_deadline() -> None:
    policy = {"response_timeout": 0.0, "idle_timeout": 0.0, "body_timeout": 0.0}
    engine, _, stream = make(policy=policy)
    session = engine.request(stream, upload_head(10), ends=False)
    assert stream.deadline() == inf
    engine.say(session, "headers", response_head())
    assert stream.deadline() == inf


# ---------------------------------------------------------------- what is told


def test_the_figures_of_an_exchange() -> None:
    engine, _, stream = make()
    session = engine.request(stream, upload_head(4), ends=False)
    engine.clock.now += 1
    stream.request_data(b"1234")
    stream.request_end()
    engine.clock.now += 2
    engine.say(session, "headers", response_head(201, length=6) + b"abc")
    engine.clock.now += 4
    engine.say(session, "body", b"def")
    view = engine.recorder.exchange
    assert (view.status, view.bytes_in, view.bytes_out) == (201, 4, 6)
    assert (view.duration, view.node_duration) == (7, 3)
    assert (view.virtualhost, view.identity, view.hops) == (engine.virtualhost.name, "app", 0)
    assert (view.reason, view.detail) == (CloseReason.COMPLETE, "")
    assert engine.counters["responses.completed"] == engine.counters["responses.2xx"] == 1
    assert (engine.counters["bytes.in"], engine.counters["bytes.out"]) == (4, 6)


def test_ten_requests_of_one_connection_are_told_of_ten_times() -> None:
    engine, client, stream = make()
    for number in range(10):
        engine.request(stream, request_head(b"/%d" % number))
        engine.respond(stream.session)
    assert [view.target for view in engine.recorder.exchanges] == [b"/%d" % number for number in range(10)]
    assert len(engine.recorder.opened) == 1 and client.ends == 10
    stream.client_left()
    engine.assert_settled()


def test_credit_waits_for_the_client() -> None:
    engine, client, stream = make(here={"app/1": "credit=4"})
    session = engine.request(stream)
    client.is_slow = True
    engine.say(session, "headers", response_head())
    engine.say(session, "body", b"x" * 600)
    assert b"credit" not in engine.types(session)
    client.is_slow = False
    stream.output_drained()
    assert engine.heard(session)[-1] == (b"credit", b"600")
