"""What a request passes before it goes to a node: virtualhost, limits, filters, authenticators."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from blastbeat.events import CloseReason, Request, ResponseHead
from blastbeat.interfaces import Allow, Answer, Filter, RequestView, Route
from blastbeat.progress import Phase
from tests.helpers.engine import Engine, request_head, response_head, upload_head
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


# ---------------------------------------------------------------- filters


class Spy(Filter):
    """Does what it is given, and keeps what it is told."""

    def __init__(self, verdict: Any = None, head: Any = None, pause: Any = 0.0) -> None:
        self.verdict, self.head, self.pause = verdict, head, pause
        self.requests: list[Request] = []
        self.heads: list[int] = []
        self.passed: list[tuple[str, int]] = []
        self.closed = 0

    def on_request(self, view: RequestView) -> None | Answer | Route:
        self.requests.append(view.request)
        if isinstance(self.verdict, Exception):
            raise self.verdict
        verdict: None | Answer | Route = self.verdict
        return verdict

    def on_response(self, view: RequestView, head: ResponseHead) -> ResponseHead:
        self.heads.append(head.status)
        if isinstance(self.head, Exception):
            raise self.head
        changed = self.head(head) if callable(self.head) else head
        assert isinstance(changed, ResponseHead) or self.head is not None
        return changed

    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        self.passed.append((direction, n))
        if isinstance(self.pause, Exception):
            raise self.pause
        pause: float = self.pause
        return pause

    def on_closed(self, view: RequestView) -> None:
        self.closed += 1
        raise RuntimeError("the filter's own fault")


def test_filters_run_in_order_until_one_answers() -> None:
    first, second, third = Spy(), Spy(Answer(403, b"no\n", [(b"X-Why", b"because")])), Spy()
    engine, client = Engine(filters=[first, second, third]), FakeClient()
    engine.request(engine.stream(client))
    assert client.statuses == [403] and client.body == b"no\n" and not client.closings
    assert (b"X-Why", b"because") in client.heads[0].headers
    assert [len(each.requests) for each in (first, second, third)] == [1, 1, 0]
    assert [each.closed for each in (first, second, third)] == [1, 1, 0]
    view = engine.recorder.exchange
    assert (view.status, view.reason, view.detail) == (403, CloseReason.REFUSED, "Spy")
    assert engine.counters["answers.plugin"] == 1 and not engine.router.sent


def test_a_filter_answers_an_upload() -> None:
    """The body is not waited for: it may never come."""
    engine, client = Engine(filters=[Spy(Answer(403))]), FakeClient()
    engine.request(engine.stream(client), upload_head(10), ends=False)
    assert client.heads[0].close and client.closings


def test_a_filter_routes() -> None:
    route = Route(["other"], b"/new", b"/app", [(b"x-new", b"1")], [b"x-old"])
    last = Spy()
    engine = Engine(nodes=("app", "other"), filters=[Spy(route), last])
    head = request_head()
    head.headers.append((b"x-old", b"1"))
    session = engine.request(engine.stream(), head)
    assert session is not None and session.instance.node == "other"
    assert engine.heard(session) == [(b"uwsgi", b"GET /new")]
    request = last.requests[0]
    assert (request.target, request.script_name, request.header(b"x-new")) == (b"/new", b"/app", b"1")
    assert request.header(b"x-old") is None and request.header(b"host") is not None


def test_a_route_away_from_the_sessions_node_ends_the_session() -> None:
    spy = Spy()
    engine = Engine(nodes=("app", "other"), filters=[spy])
    stream = engine.stream()
    first = engine.request(stream)
    engine.respond(first)
    spy.verdict = Route(["other"])
    second = engine.request(stream)
    assert second is not first and second is not None and second.instance.node == "other"
    assert engine.types(first) == [b"uwsgi", b"end"]


def test_a_route_to_a_node_the_virtualhost_does_not_have() -> None:
    """An instance that no authenticator of this virtualhost agreed to is not a candidate."""
    engine, client = Engine(filters=[Spy(Route(["foreign"]))]), FakeClient()
    engine.add_virtualhost("other.test", ["foreign"])
    engine.node("foreign")
    engine.request(engine.stream(client))
    assert client.statuses == [503]


BROKEN_VERDICTS = {
    "raises": RuntimeError("oops"),
    "no verdict at all": "yes",
    "text body": Answer(403, "no"),  # type: ignore[arg-type]
    "text status": Answer("403"),  # type: ignore[arg-type]
    "text field": Answer(403, headers=[("X-A", "1")]),  # type: ignore[list-item]
    "one-sided field": Answer(403, headers=[(b"X-A",)]),  # type: ignore[list-item]
    "numbers for nodes": Route(nodes=5),  # type: ignore[arg-type]
    "fields without values": Route(set_headers=[b"x-a"]),  # type: ignore[list-item]
}


@pytest.mark.parametrize("name", BROKEN_VERDICTS)
def test_a_broken_filter_is_a_500(name: str, caplog: pytest.LogCaptureFixture) -> None:
    spy = Spy(BROKEN_VERDICTS[name])
    engine, client = Engine(filters=[spy]), FakeClient()
    engine.request(engine.stream(client))
    assert client.statuses == [500] and spy.closed == 1
    assert engine.recorder.exchange.reason is CloseReason.PLUGIN_ERROR
    assert any(record.exc_info for record in caplog.records)
    engine.assert_settled()


def test_an_answer_that_is_no_http_is_a_500() -> None:
    engine, client = Engine(filters=[Spy(Answer(403, headers=[(b"X-A", b"1\r\nX-B: 2")]))]), FakeClient()
    engine.request(engine.stream(client))
    assert client.statuses == [500]


def changed(**changes: Any) -> Any:
    def change(head: ResponseHead) -> ResponseHead:
        for name, value in changes.items():
            setattr(head, name, value)
        return head

    return change


def test_a_filter_changes_the_response() -> None:
    spies = [Spy(head=changed(status=404)), Spy(head=changed(headers=[(b"X-New", b"1")]))]
    engine, client = Engine(filters=spies), FakeClient()
    engine.respond(engine.request(engine.stream(client)))
    assert client.heads[0].status == 404 and client.heads[0].headers == [(b"X-New", b"1")]
    assert [spy.heads for spy in spies] == [[200], [404]]
    assert engine.recorder.exchange.status == 404


BROKEN_HEADS = {
    "raises": RuntimeError("oops"),
    "nothing": lambda head: None,
    "another response's": lambda head: b"200 OK",
    "status": changed(status=99),
    "interim": changed(status=103),
    "text status": changed(status="200"),
    "no body any more": changed(status=204),
    "split": changed(headers=[(b"X-A", b"1\r\nX-B: 2")]),
    "split reason": changed(reason=b"OK\r\nX-B: 2"),
    "text": changed(headers=[("X-A", "1")]),
}


@pytest.mark.parametrize("name", BROKEN_HEADS)
def test_a_broken_change_of_the_response_is_skipped(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Also what it did to the head before it failed."""
    engine, client = Engine(filters=[Spy(head=BROKEN_HEADS[name])]), FakeClient()
    engine.respond(engine.request(engine.stream(client)))
    head = client.heads[0]
    assert (head.status, head.headers, head.length) == (200, [(b"Content-Length", b"2")], 2)
    assert client.body == b"ok" and any(record.exc_info for record in caplog.records)


def test_framing_is_not_for_filters_to_change() -> None:
    engine, client = Engine(filters=[Spy(head=changed(length=7, bodyless=True, stream_id=9))]), FakeClient()
    engine.respond(engine.request(engine.stream(client)))
    head = client.heads[0]
    assert (head.length, head.bodyless, head.stream_id) == (2, False, 1)


def test_filters_see_data_and_pause_it() -> None:
    short, long = Spy(pause=0.5), Spy(pause=2.0)
    engine, client = Engine(filters=[short, long]), FakeClient()
    stream = engine.stream(client)
    session = engine.request(stream, upload_head(4), ends=False)
    stream.request_data(b"1234")
    engine.say(session, "headers", response_head() + b"ab")
    engine.say(session, "chunk", b"cde")
    assert short.passed == long.passed == [("in", 4), ("out", 2), ("out", 3)]
    assert client.input_pauses == [2.0] and client.output_pauses == [2.0, 2.0]


@pytest.mark.parametrize("pause", [RuntimeError("oops"), "soon", None, float("nan"), -1.0, 0.0])
def test_what_is_no_pause_pauses_nothing(pause: object) -> None:
    engine, client = Engine(filters=[Spy(pause=pause)]), FakeClient()
    engine.respond(engine.request(engine.stream(client)))
    assert client.output_pauses == [] and client.body == b"ok"


def test_each_filter_hears_the_end_once_however_it_comes() -> None:
    spies = [Spy(), Spy()]
    engine = Engine(filters=spies)
    stream = engine.stream()
    engine.respond(engine.request(stream))
    engine.request(stream)
    stream.client_left()
    stream.client_left()
    assert [spy.closed for spy in spies] == [2, 2]


def test_a_filter_that_overrides_nothing_is_not_called_for_data() -> None:
    engine = Engine(filters=[Filter()])
    assert not engine.virtualhost.watches_data and not engine.virtualhost.watches_responses
    session = engine.request(engine.stream())
    engine.respond(session)
    assert engine.recorder.exchange.status == 200


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
