"""What stands still for too long, and which limit that passes (`protocol.md` §6)."""

from __future__ import annotations

from math import inf

import pytest

from blastbeat.config.model import VirtualHostConfig
from blastbeat.exchange import Exchange
from blastbeat.progress import Overdue, Progress
from tests.helpers.fakes import make_exchange

POLICY = VirtualHostConfig("app.test", body_timeout=10, response_timeout=20, idle_timeout=30, linger_time=5)
BOUNDLESS = VirtualHostConfig("app.test", body_timeout=0, response_timeout=0, idle_timeout=0)


def begin(moved: float = 100, read: float = 100) -> Progress:
    progress = Progress()
    progress.moved, progress.read = moved, read
    return progress


def expect(progress: Progress, exchange: Exchange, at: float, what: Overdue, is_held: bool = False) -> None:
    """Nothing is overdue until `at`, then `what` is."""
    assert progress.deadline(exchange, POLICY, is_held) == at
    assert progress.find_overdue(exchange, POLICY, is_held, at - 0.1) is Overdue.NOTHING
    assert progress.find_overdue(exchange, POLICY, is_held, at) is what
    assert progress.find_overdue(exchange, POLICY, is_held, at + 1000) is what


def test_a_client_that_sends_no_body() -> None:
    expect(begin(), make_exchange(is_read=False), 110, Overdue.BODY)


def test_a_client_that_is_held_is_not_slow() -> None:
    """It is us who do not read; then the node has to move."""
    expect(begin(), make_exchange(is_read=False), 120, Overdue.HEAD, is_held=True)


def test_a_body_that_moves_moves_the_deadline() -> None:
    expect(begin(moved=107, read=107), make_exchange(is_read=False), 117, Overdue.BODY)


def test_the_node_moves_no_deadline_of_the_client() -> None:
    expect(begin(moved=107, read=100), make_exchange(is_read=False), 110, Overdue.BODY)


def test_a_node_that_sends_no_head() -> None:
    expect(begin(), make_exchange(), 120, Overdue.HEAD)


def test_a_response_that_stands_still() -> None:
    exchange = make_exchange()
    exchange.status = 200
    expect(begin(), exchange, 130, Overdue.RESPONSE)


def test_an_upload_after_the_response_has_little_time_in_all() -> None:
    """However it moves."""
    exchange = make_exchange(is_read=False)
    exchange.status, exchange.response_done = 200, True
    progress = begin(moved=200, read=200)
    progress.responded = 100
    expect(progress, exchange, 105, Overdue.UPLOAD)


@pytest.mark.parametrize("status", [0, 200])
@pytest.mark.parametrize("is_read", [True, False])
def test_0_is_no_limit(status: int, is_read: bool) -> None:
    exchange = make_exchange(is_read=is_read)
    exchange.status = status
    assert begin().deadline(exchange, BOUNDLESS, False) == inf
    assert begin().find_overdue(exchange, BOUNDLESS, False, 1e9) is Overdue.NOTHING
