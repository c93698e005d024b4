"""The desk of the status address, where requests meet the site. What needs sockets is in
tests/integration/test_status_page.py."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest

from blastbeat.events import CloseReason, RequestHead
from blastbeat.interfaces import Answer
from blastbeat.monitoring.service import Desk
from blastbeat.monitoring.site import StatusSite
from tests.helpers.engine import Engine


class Site:
    """Answers as told, perhaps never."""

    def __init__(self, answer: Answer | Exception) -> None:
        self._answer = answer

    async def answer(self, _: RequestHead) -> Answer:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def engine_with(answer: Answer | Exception) -> Engine:
    engine = Engine()
    site: Any = Site(answer)
    engine.dispatcher.admission = Desk(cast(StatusSite, site), engine.tasks.spawn, engine.dispatcher.flush)
    return engine


def test_the_sites_answer_is_sent_and_flushed() -> None:
    engine = engine_with(Answer(200, b"status", reason=CloseReason.COMPLETE))
    stream = engine.stream()
    engine.request(stream)
    engine.tasks.run()
    assert engine.recorder.exchanges[0].status == 200 and engine.flushes == 1
    engine.close()


def test_a_site_that_fails_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    engine = engine_with(RuntimeError("oops"))
    engine.request(engine.stream())
    engine.tasks.run()
    assert engine.recorder.exchanges[0].status == 500
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    engine.close()


@pytest.mark.parametrize("answer", [Answer(200), RuntimeError("oops")])
def test_a_client_that_left_is_not_answered(answer: Answer | Exception) -> None:
    engine = engine_with(answer)
    stream = engine.stream()
    engine.request(stream)
    stream.client_left()
    engine.tasks.run()
    assert [view.status for view in engine.recorder.exchanges] == [0]
    engine.close()
