"""Long polls, with the time passed in."""

from __future__ import annotations

from blastbeat.demo.polls import MAX_POLLS, POLL_SECONDS, Polls
from tests.helpers.demo import data_of, request, status_of


def test_a_poll_is_answered_when_somebody_knocks() -> None:
    polls = Polls()
    assert polls.begin(request(b"one"), 1.0) == []
    assert polls.begin(request(b"two"), 2.0) == []
    answers = polls.knock(request(b"me", "POST"), 4.5)
    assert [sid for sid, _, _ in answers] == [b"one", b"one", b"two", b"two", b"me", b"me"]
    assert data_of(answers[:2]) == {"knock": 1, "waited": 3500}
    assert data_of(answers[2:4]) == {"knock": 1, "waited": 2500}
    assert data_of(answers[4:]) == {"knock": 1, "woken": 2}
    assert polls.next_due() is None
    assert data_of(polls.knock(request(b"me", "POST"), 5.0)) == {"knock": 2, "woken": 0}


def test_a_poll_without_a_knock_is_answered_with_nothing() -> None:
    polls = Polls()
    polls.begin(request(b"one"), 1.0)
    polls.begin(request(b"two"), 3.0)
    assert polls.next_due() == 1.0 + POLL_SECONDS
    assert polls.due(POLL_SECONDS) == []
    ((sid, _, head),) = polls.due(1.0 + POLL_SECONDS)
    assert sid == b"one" and head.startswith(b"HTTP/1.1 204 ")
    assert polls.next_due() == 3.0 + POLL_SECONDS


def test_who_left_is_not_answered() -> None:
    polls = Polls()
    polls.begin(request(b"one"), 1.0)
    polls.forget(b"one")
    polls.forget(b"one")
    assert data_of(polls.knock(request(b"me", "POST"), 2.0))["woken"] == 0


def test_head_does_not_wait() -> None:
    polls = Polls()
    assert status_of(polls.begin(request(method="HEAD"), 0.0)) == 204
    assert polls.next_due() is None


def test_polls_are_bounded() -> None:
    polls = Polls()
    for number in range(MAX_POLLS):
        assert polls.begin(request(b"%d" % number), 0.0) == []
    assert status_of(polls.begin(request(b"one more"), 0.0)) == 503
