"""What a request passes before it goes to a node: virtualhost, limits, filters, authenticators."""

from __future__ import annotations

import logging

import pytest

from blastbeat.events import CloseReason, Request
from blastbeat.interfaces import Allow, Answer, Filter, RequestView, Route
from blastbeat.progress import Phase
from tests.helpers.engine import Engine, request_head, upload_head
from tests.helpers.engine_fakes import FakeClient, GatedAuthenticator

# ---------------------------------------------------------------- virtualhosts and limits


def test_a_host_nobody_serves() -> None:
    engine, client = Engine(), FakeClient()
    engine.request(engine.stream(client), request_head(authority=b"nobody.test"))
    assert client.statuses == [404] and not client.heads[0].close
    view = engine.recorder.exchange
    assert (view.host, view.virtualhost, view.reason) == (b"nobody.test", "", CloseReason.REFUSED)
    assert "nobody.test" in view.detail
    assert engine.counters["answers.404"] == engine.counters["requests.received"] == 1


def test_a_malformed_host() -> None:
    engine, client = Engine(), FakeClient()
    engine.request(engine.stream(client), request_head(authority=b"a b"))
    assert client.statuses == [400] and client.closings


@pytest.mark.parametrize(("length", "status"), [(10, 0), (11, 413)])
def test_a_declared_body_over_max_body_goes_nowhere(length: int, status: int) -> None:
    engine, client = Engine(policy={"max_body": 10}), FakeClient()
    stream = engine.stream(client)
    engine.request(stream, upload_head(length), ends=False)
    assert client.statuses == ([status] if status else [])
    assert bool(engine.router.sent) is not bool(status)


def test_another_virtualhost_ends_the_session() -> None:
    """§2: the session is ended and a new one, with a new sid, begins."""
    engine, client = Engine(), FakeClient()
    engine.add_virtualhost("other.test", ["app"])
    for instance in engine.table:
        engine.dispatcher.admit(instance, "1.2.3.4")
    stream = engine.stream(client)
    first = engine.request(stream)
    engine.respond(first)
    second = engine.request(stream, request_head(authority=b"other.test"))
    assert first is not None and second is not None and first.sid != second.sid
    assert engine.heard(first)[-1] == (b"end", b"")
    assert engine.recorder.closed[0].reason is CloseReason.OTHER_VIRTUALHOST
    engine.respond(second)
    assert client.statuses == [200, 200]


def test_the_same_virtualhost_keeps_the_session() -> None:
    engine = Engine()
    stream = engine.stream()
    first = engine.request(stream)
    engine.respond(first)
    assert engine.request(stream) is first


# ---------------------------------------------------------------- whether a session begins


class SessionSpy(Filter):
    """Keeps what it is told of sessions; routes where `nodes` says."""

    def __init__(self, nodes: list[str] | None = None) -> None:
        self.opens: list[bool] = []
        self.nodes = nodes

    def on_request(self, view: RequestView) -> Route | None:
        self.opens.append(view.opens_session)
        return Route(self.nodes) if self.nodes is not None else None


def test_a_filter_hears_whether_a_session_would_begin() -> None:
    spy = SessionSpy()
    engine = Engine(filters=[spy])
    stream = engine.stream()
    engine.respond(engine.request(stream))
    engine.respond(engine.request(stream))
    session = engine.request(stream)
    engine.respond(session)
    engine.say(session, "end")
    engine.request(engine.stream())
    assert spy.opens == [True, False, False, True] and engine.counters["sessions.opened"] == 2


def test_each_request_opens_one_where_the_instance_wants_it() -> None:
    spy = SessionSpy()
    engine = Engine(filters=[spy], here={"app/1": "exchange"})
    stream = engine.stream()
    for _ in range(3):
        engine.respond(engine.request(stream))
    assert spy.opens == [True, True, True] and engine.counters["sessions.opened"] == 3


def test_a_route_elsewhere_opens_one_for_those_behind_it() -> None:
    before, router, behind = SessionSpy(), SessionSpy(), SessionSpy()
    engine = Engine(nodes=("app", "other"), filters=[before, router, behind])
    stream = engine.stream()
    engine.respond(engine.request(stream))
    router.nodes = ["other"]
    engine.respond(engine.request(stream))
    router.nodes = ["other", "app"]
    engine.respond(engine.request(stream))
    assert before.opens == router.opens == [True, False, False] and behind.opens == [True, True, False]
    assert engine.counters["sessions.opened"] == 2


def test_another_virtualhost_and_a_node_that_was_lost_open_one() -> None:
    spy, other = SessionSpy(), SessionSpy()
    engine = Engine(filters=[spy], policy={"hold": 5.0})
    engine.add_virtualhost("other.test", ["app"], filters=[other])
    engine.dispatcher.admit(engine.instance(), "1.2.3.4")
    stream = engine.stream()
    engine.respond(engine.request(stream))
    engine.respond(engine.request(stream, request_head(authority=b"other.test")))
    engine.respond(engine.request(stream))
    engine.table.unreachable(engine.instance(), engine.clock.now)
    engine.request(stream)
    assert spy.opens == [True, True, True] and other.opens == [True]
    stream.client_left()


# ---------------------------------------------------------------- authenticators


def gated(*gates: GatedAuthenticator) -> tuple[Engine, FakeClient]:
    return Engine(authenticators=gates), FakeClient()


def test_all_authenticators_must_agree() -> None:
    seen: list[Request] = []

    def encode(request: Request) -> bytes:
        seen.append(request)
        return b"head"

    first = GatedAuthenticator(Allow([(b"REMOTE_USER", b"ann")]))
    second = GatedAuthenticator(Allow([(b"GROUP", b"staff")]))
    engine, client = Engine(authenticators=[first, second], encode=encode), FakeClient()
    stream = engine.stream(client)
    engine.request(stream)
    engine.tasks.run()
    assert (first.asked, second.asked, stream.phase) == (1, 0, Phase.ADMITTING)
    first.is_open = True
    engine.tasks.run()
    assert (first.asked, second.asked, stream.phase) == (1, 1, Phase.ADMITTING)
    flushes, second.is_open = engine.flushes, True
    engine.tasks.run()
    assert seen[0].variables == ((b"REMOTE_USER", b"ann"), (b"GROUP", b"staff"))
    assert stream.phase is Phase.FORWARDING and engine.flushes == flushes + 1
    engine.respond(stream.session)
    assert client.statuses == [200]


def test_what_a_node_is_told_of_the_client_is_not_the_clients_to_say() -> None:
    seen: list[Request] = []

    def encode(request: Request) -> bytes:
        seen.append(request)
        return b"head"

    first = GatedAuthenticator(Allow(headers=[(b"X-User", b"ann")]))
    second = GatedAuthenticator(Allow(headers=[(b"X-Role", b"staff")], remove_headers=[b"Authorization"]))
    first.is_open = second.is_open = True
    engine = Engine(authenticators=[first, second], encode=encode)
    head = request_head()
    head.headers += [(b"x-user", b"root"), (b"x-user", b"also"), (b"authorization", b"Basic"), (b"x-a", b"1")]
    engine.request(engine.stream(), head)
    engine.tasks.run()
    named = {b"x-user", b"x-role", b"authorization", b"x-a"}
    assert [field for field in seen[0].headers if field[0] in named] == [
        (b"x-a", b"1"),
        (b"x-user", b"ann"),
        (b"x-role", b"staff"),
    ]


def test_one_denies() -> None:
    first = GatedAuthenticator(Answer(401, b"who?\n", [(b"WWW-Authenticate", b"Basic")]))
    second = GatedAuthenticator()
    first.is_open = second.is_open = True
    engine, client = gated(first, second)
    engine.request(engine.stream(client))
    engine.tasks.run()
    assert client.statuses == [401] and second.asked == 0 and engine.flushes == 1
    assert engine.recorder.exchange.reason is CloseReason.REFUSED
    assert not engine.router.sent


def test_nobody_is_asked_on_behalf_of_a_client_that_left() -> None:
    """Else one that never answers keeps its task, one for each request."""
    gate = GatedAuthenticator()
    engine, client = gated(gate)
    stream = engine.stream(client)
    engine.request(stream)
    engine.tasks.run()
    stream.client_left()
    assert engine.tasks.waiting == [] and engine.tasks.cancelled == 1


BROKEN_AUTHENTICATORS = [
    RuntimeError("oops"),
    "yes",
    True,
    Answer(200, "text"),  # type: ignore[arg-type]
    Answer("200"),  # type: ignore[arg-type]
    Answer(200, headers=[("X-A", "1")]),  # type: ignore[list-item]
    Allow(5),  # type: ignore[arg-type]
    Allow(headers=[(b"x-user", b"a\r\nx-b: c")]),
    Allow(headers=[(b"content-length", b"7")]),
]


@pytest.mark.parametrize("verdict", BROKEN_AUTHENTICATORS, ids=repr)
def test_a_broken_authenticator_denies(verdict: object, caplog: pytest.LogCaptureFixture) -> None:
    gate = GatedAuthenticator(verdict)
    gate.is_open = True
    engine, client = gated(gate)
    engine.request(engine.stream(client))
    engine.tasks.run()
    assert client.statuses == [403]
    assert any(record.exc_info for record in caplog.records if record.levelno == logging.ERROR)


@pytest.mark.parametrize("verdict", [Allow(), Answer(401), RuntimeError("oops")], ids=repr)
def test_the_client_did_not_wait(verdict: object) -> None:
    gate = GatedAuthenticator(verdict)
    engine, client = gated(gate)
    stream = engine.stream(client)
    engine.request(stream)
    engine.tasks.run()
    stream.client_left()
    gate.is_open = True
    engine.tasks.run()
    assert not client.heads and not engine.router.sent and not engine.tasks.waiting
    assert engine.recorder.exchange.reason is CloseReason.CLIENT_LEFT


def test_a_verdict_that_comes_too_late_is_not_taken_for_the_next_requests() -> None:
    slow = GatedAuthenticator()
    engine, client = gated(slow)
    stream = engine.stream(client)
    engine.request(stream, request_head(b"/slow"))
    engine.tasks.run()
    engine.expire(stream)
    assert client.statuses == [504]
    late = engine.tasks.waiting
    engine.tasks.waiting = []
    engine.request(stream, request_head(b"/next"))
    engine.tasks.waiting, fresh = late, engine.tasks.waiting
    slow.is_open = True
    engine.tasks.run()
    assert not engine.router.sent
    engine.tasks.waiting = fresh
    engine.tasks.run()
    assert engine.heard(stream.session) == [(b"uwsgi", b"GET /next")]


@pytest.mark.parametrize("event", ["end", "gone", "drain"])
def test_a_session_that_ends_while_its_next_request_is_looked_at(event: str) -> None:
    """Nothing of that request went to its node yet: it goes to another one, whatever its method."""
    gate = GatedAuthenticator()
    gate.is_open = True
    engine, client = Engine(authenticators=[gate], here={"app": "", "app/2": ""}), FakeClient()
    stream = engine.stream(client)
    engine.request(stream)
    engine.tasks.run()
    first = stream.session
    assert first is not None and first.instance.identity == b"app"
    engine.respond(first)
    gate.is_open = False
    engine.request(stream, request_head(method=b"POST"))
    engine.tasks.run()
    if event == "end":
        engine.say(first, "end")
    elif event == "gone":
        engine.lose("app")
        engine.node("app/2")
    else:
        engine.dispatcher.message_received(first.instance, b"", b"drain", b"")
    gate.is_open = True
    engine.tasks.run()
    assert stream.session is not first and not client.is_over
    engine.respond(stream.session)
    assert client.statuses == [200, 200]
    assert engine.types(first) == ([b"uwsgi"] if event == "gone" else [b"uwsgi", b"end"])
    stream.client_left()
    engine.assert_settled()


def test_a_fault_after_the_authenticators_is_answered_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate = GatedAuthenticator()
    gate.is_open = True
    engine, client = Engine(authenticators=[gate]), FakeClient()
    monkeypatch.setattr(engine.dispatcher.placement, "place", None)
    engine.request(engine.stream(client))
    engine.tasks.run()
    assert client.statuses == [500] and engine.flushes
    [record] = caplog.records
    assert record.__dict__["request_id"] == "request-id" and record.exc_info
    assert engine.recorder.exchange.reason is CloseReason.PLUGIN_ERROR
