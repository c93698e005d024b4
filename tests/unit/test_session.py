"""A session as a whole: its one `end`, its reasons, and where messages of its node go."""

from __future__ import annotations

import pytest

from blastbeat.events import CloseReason, NodeChunk, NodeCredit, NodeData, NodeEnd
from tests.helpers.fakes import SHARE, WINDOW, SessionStage, node_head

NO_FAILURE = (
    CloseReason.COMPLETE,
    CloseReason.KEEP_ALIVE_OVER,
    CloseReason.NODE_END,
    CloseReason.NODE_DRAIN,
    CloseReason.NODE_RETRY,
    CloseReason.OTHER_VIRTUALHOST,
)
FAILURES = [reason for reason in CloseReason if reason not in NO_FAILURE]


def ends(stage: SessionStage) -> list[bytes]:
    return [body for type, body in stage.router.take_sent() if type == b"end"]


def test_between_two_requests_the_one_that_is_over_is_let_go() -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.rest()
    assert stage.session.exchange is not None  # its response is awaited
    stage.session.receive(node_head(content_length="0"))
    stage.session.rest()
    assert stage.session.exchange is None
    stage.session.receive(NodeData(b"left over"))  # and it is no error
    stage.begin()
    stage.session.receive(node_head(content_length="0"))
    assert stage.session.exchange is not None and stage.session.exchange.status == 200


def test_a_node_that_was_sent_no_head_hears_nothing() -> None:
    stage = SessionStage()
    stage.session.close(CloseReason.CLIENT_LEFT)
    assert stage.session.is_closed and stage.router.sent == []


@pytest.mark.parametrize("reason", CloseReason)
def test_one_end_however_often_it_is_closed(reason: CloseReason) -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.close(reason)
    stage.session.close(CloseReason.SERVER_STOP)
    assert len(ends(stage)) == 1 and stage.session.is_closed


@pytest.mark.parametrize("reason", FAILURES)
def test_a_failure_has_a_short_reason(reason: CloseReason) -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.close(reason)
    assert ends(stage) == [reason.value.encode()]


@pytest.mark.parametrize("reason", NO_FAILURE)
def test_what_is_no_failure_has_none(reason: CloseReason) -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.close(reason)
    assert ends(stage) == [b""]


@pytest.mark.parametrize("reason", [CloseReason.CLIENT_LEFT, CloseReason.SERVER_STOP])
def test_to_leave_between_two_requests_is_no_failure(reason: CloseReason) -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.receive(node_head(content_length="0"))
    stage.session.close(reason)
    assert ends(stage) == [b""]


@pytest.mark.parametrize("reason", [CloseReason.NODE_ERROR, CloseReason.LINGER_OVER, CloseReason.SLOW_CLIENT])
def test_a_failure_behind_a_complete_response_is_one(reason: CloseReason) -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.receive(node_head(content_length="0"))
    stage.session.close(reason)
    assert ends(stage) == [reason.value.encode()]


def test_the_nodes_own_end_is_answered() -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.receive(node_head())
    stage.session.receive(NodeEnd())
    assert ends(stage) == [b""]


def test_exchanges_are_counted() -> None:
    stage = SessionStage()
    for count in (1, 2, 3):
        exchange = stage.begin()
        assert (stage.session.exchanges, stage.session.exchange) == (count, exchange)
        stage.session.receive(node_head(content_length="0"))


def test_credit_goes_to_the_upload() -> None:
    stage = SessionStage(credit=5)
    stage.begin()
    stage.session.upload.data(b"12345")
    stage.session.upload.data(b"6")
    assert stage.client.holds == 1
    stage.session.receive(NodeCredit(5))
    assert stage.client.holds == 0 and not stage.client.sent and not stage.owner.told


def test_the_client_is_released_at_the_end() -> None:
    stage = SessionStage()
    stage.begin()
    stage.router.is_stuck = True
    stage.session.upload.data(b"x" * 2 * SHARE)
    assert stage.client.holds == 1
    stage.session.close(CloseReason.NODE_GONE)
    assert stage.client.holds == 0


@pytest.mark.parametrize("kind", [NodeData, NodeChunk])
def test_payload_is_given_back_to_a_node_with_credit(kind: type[NodeData | NodeChunk]) -> None:
    """Leftovers too: credit was used up for them. The body of a head costs none."""
    stage = SessionStage(credit=5)
    stage.begin(b"HEAD")
    stage.session.receive(node_head(body=b"x" * WINDOW))
    assert stage.router.take_sent() == []
    stage.session.receive(kind(b"x" * WINDOW))
    assert stage.router.take_sent() == [(b"credit", b"%d" % WINDOW)]
    stage.begin()
    stage.session.receive(node_head())
    stage.session.receive(kind(b"x" * WINDOW))
    assert stage.router.take_sent() == [(b"credit", b"%d" % WINDOW)]


@pytest.mark.parametrize("kind", [NodeData, NodeChunk])
def test_nothing_is_given_back_after_the_end(kind: type[NodeData | NodeChunk]) -> None:
    stage = SessionStage(credit=5)
    stage.begin()
    stage.session.close(CloseReason.CLIENT_LEFT)
    stage.session.receive(kind(b"x" * WINDOW))
    assert [type for type, _ in stage.router.take_sent()] == [b"end"]


def test_raw_heads_use_credit_up_like_any_body() -> None:
    stage = SessionStage(credit=5)
    stage.begin()
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100
    stage.session.receive(NodeData(raw))
    assert stage.router.take_sent() == [(b"credit", b"%d" % len(raw))]
