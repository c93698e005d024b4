"""The body of a request on its way to the node, past the filters."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.errors import ClientError
from blastbeat.events import CloseReason
from blastbeat.interfaces import Allow, Filter, RequestView
from tests.helpers.engine import Engine, response_head, upload_head
from tests.helpers.engine_fakes import FakeClient, GatedAuthenticator

TOO_MUCH = ClientError(413, "over the plan", headers=[(b"Retry-After", b"9")], limit="plan-body")


class Meter(Filter):
    """Refuses, with what it is given, what goes beyond `most` bytes in a direction."""

    def __init__(self, most: int, error: Exception = TOO_MUCH, direction: str = "in") -> None:
        self.most, self.error, self.direction = most, error, direction
        self.passed: list[int] = []
        self.heads: list[int] = []
        self.closed = 0

    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        if direction == self.direction:
            self.passed.append(n)
            if sum(self.passed) > self.most:
                raise self.error
        return 0.0

    def on_response(self, view: RequestView, head: Any) -> Any:
        self.heads.append(head.status)
        return head

    def on_closed(self, view: RequestView) -> None:
        self.closed += 1


def test_a_filter_refuses_a_body_on_its_way() -> None:
    meter, behind = Meter(5), Meter(100)
    engine, client = Engine(filters=[meter, behind]), FakeClient()
    stream = engine.stream(client)
    session = engine.request(stream, upload_head(10), ends=False)
    stream.request_data(b"12345")
    stream.request_data(b"6")
    assert client.statuses == [413] and client.heads[0].close and len(client.closings) == 1
    assert client.body == b"413 Content Too Large\n\nover the plan\n"
    assert (b"Retry-After", b"9") in client.heads[0].headers
    assert meter.heads == [413] and meter.closed == behind.closed == 1 and behind.passed == [5]
    assert [type for type, _ in engine.heard(session)] == [b"uwsgi", b"body", b"end"]
    view = engine.recorder.exchange
    assert (view.status, view.reason, view.detail) == (413, CloseReason.LIMIT, "over the plan")
    assert engine.virtualhost.tally.limits == {"plan-body": 1}
    assert engine.counters["answers.plugin"] == 1 and engine.counters["answers.413"] == 0
    stream.request_data(b"789")  # what is on its way still is nobody's any more
    engine.assert_settled()


def test_a_refusal_that_is_no_limit() -> None:
    engine, client = Engine(filters=[Meter(0, ClientError(503, "gone fishing"))]), FakeClient()
    stream = engine.stream(client)
    engine.request(stream, upload_head(), ends=False)
    stream.request_data(b"x")
    assert client.statuses == [503] and engine.virtualhost.tally.limits == {}
    assert [value for name, value in client.heads[0].headers if name == b"Retry-After"] == [b"5"]
    assert engine.recorder.exchange.reason is CloseReason.REFUSED
    engine.assert_settled()


def test_a_whole_body_that_is_refused_leaves_the_connection_open() -> None:
    """Nothing unread stands before the next request."""
    engine, client = Engine(filters=[Meter(0, ClientError(429, "slow down"))]), FakeClient()
    stream = engine.stream(client)
    stream.request_head(upload_head(1))
    assert stream.exchange is not None
    stream.exchange.request_read = True  # the driver has the whole body, which comes in one piece
    stream.request_data(b"x")
    assert client.statuses == [429] and not client.heads[0].close and not client.closings
    engine.assert_settled()


def test_the_body_that_came_while_nobody_had_the_request_is_looked_at_too() -> None:
    meter, gate = Meter(5), GatedAuthenticator(Allow())
    engine, client = Engine(filters=[meter], authenticators=[gate]), FakeClient()
    stream = engine.stream(client)
    engine.request(stream, upload_head(6), ends=False)
    for piece in (b"123", b"45", b"6"):
        stream.request_data(piece)
    assert meter.passed == [] and client.holds == 1
    gate.is_open = True
    engine.tasks.run()
    assert meter.passed == [3, 2, 1] and client.statuses == [413] and client.holds == 0
    assert engine.router.sent[-1][2] == b"end" and b"6" not in [sent[3] for sent in engine.router.sent]
    engine.assert_settled()


def test_what_goes_once_more_is_not_counted_twice() -> None:
    meter = Meter(100)
    engine = Engine(nodes=("app", "other"), filters=[meter])
    stream = engine.stream()
    first = engine.request(stream, upload_head(3), ends=False)
    stream.request_data(b"123")
    engine.say(first, "retry")
    assert stream.session is not first and engine.heard(stream.session)[-1] == (b"body", b"123")
    assert meter.passed == [3]
    stream.client_left()


def test_a_refusal_behind_the_head_cuts_the_response() -> None:
    meter = Meter(0)
    engine, client = Engine(filters=[meter]), FakeClient()
    stream = engine.stream(client)
    engine.say(engine.request(stream, upload_head(10), ends=False), "headers", response_head(length=5))
    stream.request_data(b"x")
    assert client.statuses == [200] and client.cuts == 1 and not client.ends
    assert (engine.recorder.exchange.status, engine.recorder.exchange.reason) == (200, CloseReason.LIMIT)
    engine.assert_settled()


def test_a_refusal_behind_the_response_closes_the_connection() -> None:
    engine, client = Engine(filters=[Meter(0)]), FakeClient()
    stream = engine.stream(client)
    engine.respond(engine.request(stream, upload_head(10), ends=False))
    stream.request_data(b"x")
    assert (client.statuses, client.body, client.ends, client.cuts) == ([200], b"ok", 1, 0)
    assert client.closings and engine.recorder.exchange.reason is CloseReason.LIMIT
    engine.assert_settled()


def test_a_response_that_is_refused_is_cut() -> None:
    engine, client = Engine(filters=[Meter(3, direction="out")]), FakeClient()
    stream = engine.stream(client)
    session = engine.request(stream)
    engine.say(session, "headers", response_head(length=100))
    engine.say(session, "body", b"123")
    engine.say(session, "body", b"45")
    assert client.statuses == [200] and client.cuts == 1 and not client.ends
    assert engine.heard(session)[-1] == (b"end", b"limit")
    assert engine.virtualhost.tally.limits == {"plan-body": 1}
    engine.assert_settled()


@pytest.mark.parametrize(
    "error",
    [
        ClientError(200, "fine"),
        ClientError(600, "what"),
        ClientError("413", "text"),  # type: ignore[arg-type]
        ClientError(413, b"bytes"),  # type: ignore[arg-type]
        ClientError(413, "x", headers=[(b"X-A", b"1\r\nX-B: 2")]),
        ClientError(413, "x", headers=[("X-A", "1")]),  # type: ignore[list-item]
        ClientError(413, "x", headers=5),  # type: ignore[arg-type]
        ClientError(413, "x", limit=5),  # type: ignore[arg-type]
        RuntimeError("oops"),
    ],
    ids=repr,
)
def test_a_broken_refusal_is_passed_over(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    engine, client = Engine(filters=[Meter(0, error)]), FakeClient()
    stream = engine.stream(client)
    session = engine.request(stream, upload_head(1), ends=False)
    stream.request_data(b"x")
    assert engine.heard(session)[-1] == (b"body", b"x") and client.statuses == []
    assert any(record.exc_info for record in caplog.records)
    stream.request_end()
    engine.respond(session)
    assert client.statuses == [200]
