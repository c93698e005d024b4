"""From the request that will open a session to the session's end: counted once, given back once."""

from __future__ import annotations

from blastbeat_policy.meters import Keys
from blastbeat_policy.sessions import Place
from policy_case import Case


def place(case: Case, connection: int = 1) -> Place:
    keys: Keys = (b"192.0.2.1", b"a", b"")
    found = Place(case.customer, case.customer.account("a"), keys, connection)
    case.places.take(found)
    return found


def test_a_request_that_opens_a_session() -> None:
    case = Case()
    one = place(case)
    assert case.customer.sessions.open == 1 and one.account.sessions == 0
    case.places.opened(1, b"sid")
    case.places.give_back(one)
    assert case.customer.sessions.open == 1, "its request is over, the session is not"
    assert one.account.sessions == 1
    case.places.closed(b"sid")
    case.places.closed(b"sid")
    assert case.customer.sessions.open == len(case.places) == 0


def test_a_request_that_no_session_came_of() -> None:
    case = Case()
    one = place(case)
    case.places.give_back(one)
    case.places.give_back(one)
    assert case.customer.sessions.open == len(case.places) == one.account.sessions == 0


def test_a_session_that_was_tried_again_is_one() -> None:
    case = Case()
    one = place(case)
    case.places.opened(1, b"first")
    case.places.retried(b"first")
    case.places.closed(b"first")
    assert case.customer.sessions.open == 1
    case.places.opened(1, b"second")
    case.places.give_back(one)
    case.places.closed(b"second")
    assert case.customer.sessions.open == len(case.places) == 0 and one.account.sessions == 1


def test_a_retry_that_found_nobody() -> None:
    case = Case()
    one = place(case)
    case.places.opened(1, b"first")
    case.places.retried(b"first")
    case.places.closed(b"first")
    case.places.give_back(one)
    assert case.customer.sessions.open == len(case.places) == 0


def test_several_streams_of_one_connection() -> None:
    case = Case()
    one, other = place(case), place(case)
    case.places.opened(1, b"one")
    case.places.give_back(other)
    case.places.closed(b"one")
    case.places.give_back(one)
    assert case.customer.sessions.open == len(case.places) == 0


def test_sessions_of_nobody_are_passed_over() -> None:
    case = Case()
    case.places.opened(9, b"sid")
    case.places.retried(b"sid")
    case.places.closed(b"sid")
    assert len(case.places) == 0
