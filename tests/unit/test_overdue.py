"""What a request that stands still is answered; that its time begins anew after it was held."""

from __future__ import annotations

import pytest

from blastbeat.events import CloseReason
from tests.helpers.engine import Engine, request_head, response_head, upload_head
from tests.helpers.engine_fakes import FakeClient

POLICY = {"body_timeout": 10, "response_timeout": 20, "idle_timeout": 30, "linger_time": 5, "hold": 7}


def test_a_client_that_sends_no_body() -> None:
    engine, client = Engine(policy=POLICY), FakeClient()
    stream = engine.stream(client)
    engine.request(stream, upload_head(5), ends=False)
    engine.expire(stream)
    assert client.statuses == [408] and engine.recorder.exchange.reason is CloseReason.SLOW_REQUEST


def test_a_node_that_sends_no_head() -> None:
    engine, client = Engine(policy=POLICY), FakeClient()
    stream = engine.stream(client)
    engine.request(stream)
    engine.expire(stream)
    assert client.statuses == [504] and engine.recorder.exchange.reason is CloseReason.RESPONSE_TIMEOUT


def test_a_response_that_stops() -> None:
    engine, client = Engine(policy=POLICY), FakeClient()
    stream = engine.stream(client)
    engine.say(engine.request(stream), "headers", response_head())
    engine.expire(stream)
    assert client.cuts == 1 and engine.recorder.exchange.reason is CloseReason.IDLE_TIMEOUT


def test_an_upload_that_goes_on_after_the_response() -> None:
    engine, client = Engine(policy=POLICY), FakeClient()
    stream = engine.stream(client)
    engine.respond(engine.request(stream, upload_head(5), ends=False))
    engine.expire(stream)
    assert client.closings and engine.recorder.exchange.reason is CloseReason.LINGER_OVER


@pytest.mark.parametrize("head", [request_head(), upload_head(5)], ids=["get", "post"])
def test_a_request_that_nobody_took(head: object) -> None:
    """`hold` alone counts while it waits: neither `body-timeout` nor `response-timeout`."""
    engine, client = Engine(here={}, policy={**POLICY, "hold": 100}), FakeClient()
    stream = engine.stream(client)
    engine.request(stream, head, ends=head is not None and not getattr(head, "has_body", False))  # type: ignore[arg-type]
    assert stream.deadline() == engine.clock.now + 100
    engine.expire(stream)
    assert client.statuses == [503] and engine.recorder.exchange.reason is CloseReason.NO_INSTANCE
    assert engine.recorder.exchange.detail == "no instance available for 100 s"
    engine.assert_settled()


def test_nothing_is_overdue_between_two_requests() -> None:
    engine = Engine(policy=POLICY)
    stream = engine.stream()
    engine.respond(engine.request(stream))
    stream.expire(engine.clock.now + 1e6)
    assert not stream.client.is_over  # type: ignore[attr-defined]
