"""Filters at work: who is asked when, and that a broken one costs no more than the request it looked at."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.events import CloseReason, Request, ResponseHead
from blastbeat.filtering import MAX_PAUSE
from blastbeat.interfaces import Answer, Filter, RequestView, Route
from tests.helpers.engine import Engine, request_head, response_head, upload_head
from tests.helpers.engine_fakes import FakeClient, GatedAuthenticator


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
    "text reason": Answer(403, reason="limit"),  # type: ignore[arg-type]
    "bytes for a detail": Answer(403, detail=b"no"),  # type: ignore[arg-type]
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


# ---------------------------------------------------------------- responses nobody's node gave


def test_an_answer_passes_those_that_let_the_request_pass() -> None:
    """The one that answered made its answer as it wants it, and those behind it saw no request."""
    first, second, third = Spy(head=changed(headers=[(b"X-New", b"1")])), Spy(Answer(302)), Spy()
    engine, client = Engine(filters=[first, second, third]), FakeClient()
    engine.request(engine.stream(client))
    assert client.heads[0].headers == [(b"X-New", b"1")]
    assert [each.heads for each in (first, second, third)] == [[302], [], []]


def test_an_error_of_the_server_passes_the_filters() -> None:
    spy = Spy(head=changed(status=500))
    engine, client = Engine(filters=[spy], nodes=()), FakeClient()
    engine.request(engine.stream(client))
    assert spy.heads == [503] and client.statuses == [500]
    assert engine.recorder.exchange.status == 500


def test_the_refusal_of_an_authenticator_passes_the_filters() -> None:
    spy, gate = Spy(), GatedAuthenticator(Answer(401))
    engine, client = Engine(filters=[spy], authenticators=[gate]), FakeClient()
    engine.request(engine.stream(client))
    gate.is_open = True
    engine.tasks.run()
    assert spy.heads == client.statuses == [401]


def test_the_error_for_a_broken_filter_passes_those_before_it() -> None:
    first, broken = Spy(), Spy(RuntimeError("oops"))
    engine, client = Engine(filters=[first, broken]), FakeClient()
    engine.request(engine.stream(client))
    assert (first.heads, broken.heads, client.statuses) == ([500], [], [500])


def test_what_no_filter_saw_no_filter_changes() -> None:
    spy = Spy()
    engine, client = Engine(filters=[spy], policy={"max_body": 1}), FakeClient()
    engine.request(engine.stream(client), upload_head(2), ends=False)
    assert (spy.heads, client.statuses) == ([], [413])


def test_an_answer_says_for_the_logs_what_it_means() -> None:
    answer = Answer(302, reason=CloseReason.COMPLETE, detail="moved")
    engine, client = Engine(filters=[Spy(answer)]), FakeClient()
    engine.request(engine.stream(client))
    assert (engine.recorder.exchange.reason, engine.recorder.exchange.detail) == (
        CloseReason.COMPLETE,
        "moved",
    )


def test_a_field_is_added_behind_those_there_are() -> None:
    last = Spy()
    engine = Engine(filters=[Spy(Route(add_headers=[(b"x-a", b"2")])), last])
    head = request_head()
    head.headers.append((b"x-a", b"1"))
    engine.request(engine.stream(), head)
    assert [value for name, value in last.requests[0].headers if name == b"x-a"] == [b"1", b"2"]


def test_the_view_has_a_clock_and_counts() -> None:
    views: list[RequestView] = []

    class Looking(Filter):
        def on_request(self, view: RequestView) -> None:
            views.append(view)
            view.count("answers.plugin")

    engine = Engine(filters=[Looking()])
    engine.request(engine.stream())
    engine.clock.now += 5
    assert views[0].now() == engine.clock.now
    assert engine.counters["answers.plugin"] == 1


# ---------------------------------------------------------------- paces


class Pacer(Filter):
    """Sets the pace it is given, or raises it."""

    def __init__(self, pace: Any) -> None:
        self.pace = pace

    def on_output(self, view: RequestView) -> Any:
        if isinstance(self.pace, Exception):
            raise self.pace
        return self.pace


def paced_client(*filters: Filter) -> FakeClient:
    engine, client = Engine(filters=filters), FakeClient()
    engine.respond(engine.request(engine.stream(client)))
    return client


def test_of_several_paces_the_slowest_counts() -> None:
    client = paced_client(Pacer(lambda n: n / 10), Pacer(None), Pacer(lambda n: 2.0), Filter())
    assert client.pace is not None
    assert (client.pace(10), client.pace(50)) == (2.0, 5.0)
    assert client.pace(10**9) == MAX_PAUSE


def test_without_a_pace_none_is_set() -> None:
    assert paced_client(Filter()).pace is None and paced_client(Pacer(None)).pace is None


@pytest.mark.parametrize("pace", [RuntimeError("oops"), 5])
def test_a_filter_that_fails_to_set_a_pace_sets_none(pace: object, caplog: pytest.LogCaptureFixture) -> None:
    assert paced_client(Pacer(pace)).pace is None
    assert any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("wait", [None, "soon", float("nan"), -1.0])
def test_what_is_no_wait_is_none(wait: object) -> None:
    client = paced_client(Pacer(lambda n: wait), Pacer(lambda n: 0.5))
    assert client.pace is not None
    assert (client.pace(1), client.pace(1)) == (0.5, 0.5)


def test_own_answers_go_at_the_pace_of_those_that_let_the_request_pass() -> None:
    engine, client = Engine(filters=[Pacer(lambda n: 1.0), Spy(Answer(403))]), FakeClient()
    engine.request(engine.stream(client))
    assert client.pace is not None
    engine, client = Engine(filters=[Spy(Answer(403)), Pacer(lambda n: 1.0)]), FakeClient()
    engine.request(engine.stream(client))
    assert client.pace is None


def test_a_pace_that_fails_is_logged_for_its_request_and_not_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked: list[int] = []

    def broken(size: int) -> float:
        asked.append(size)
        raise RuntimeError("oops")

    client = paced_client(Pacer(broken))
    assert client.pace is not None
    assert (client.pace(1), client.pace(2)) == (0.0, 0.0) and asked == [1]
    [record] = caplog.records
    assert record.__dict__["request_id"] == "request-id"
