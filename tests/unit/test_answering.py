"""What clients are sent that no node said; how it looks is in test_own_answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blastbeat.events import CloseReason
from blastbeat.interfaces import Answer
from tests.helpers.engine import Engine, request_head, upload_head
from tests.helpers.engine_fakes import FakeClient


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


def test_an_error_is_counted_and_the_connection_stays(engine: Engine) -> None:
    client = FakeClient()
    stream = engine.stream(client)
    engine.request(stream)
    stream.fail(503, CloseReason.NO_INSTANCE, "nobody")
    assert client.statuses == [503] and b"nobody" in client.body and client.ends == 1
    assert engine.counters["answers.503"] == 1 and not client.closings


def test_an_answer_of_a_plugin(engine: Engine) -> None:
    client = FakeClient()
    stream = engine.stream(client)
    stream.request_head(request_head())
    stream.answer(Answer(402, b"pay"), CloseReason.REFUSED, "till")
    assert client.statuses == [402] and client.body == b"pay" and not client.next_exchanges
    stream.request_end()
    assert engine.recorder.exchange.detail == "till" and engine.counters["answers.plugin"] == 1


def test_a_client_given_up_while_it_is_answered_is_left_alone(engine: Engine) -> None:
    client = FakeClient()
    stream = engine.stream(client)
    client.on_send_data = lambda: stream.client_left(CloseReason.SLOW_CLIENT)
    engine.request(stream, upload_head(5), ends=False)
    stream.fail(503, CloseReason.NO_INSTANCE, "nobody")
    assert client.statuses == [503] and not client.ends and not client.closings
