"""What the server answers itself, and whether the connection outlives it (`protocol.md` §6)."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.interfaces import Answer
from blastbeat.own_answers import answer_error, answer_for_plugin, closes_after, find_page
from blastbeat.pages import Page, Pages
from tests.helpers.engine import Engine
from tests.helpers.fakes import make_exchange
from tests.helpers.settings import HOST

KEPT = (404, 421, 426, 429, 500, 502, 503, 504)
CLOSED = (400, 408, 413, 414, 417, 431, 501, 505)
WITH_BODY = {"content_length": 5}


@pytest.mark.parametrize("status", KEPT + CLOSED)
def test_an_error_is_written_down(status: int) -> None:
    exchange = make_exchange()
    head, body = answer_error(exchange, status, "this is why", False)
    assert (head.status, head.length, head.stream_id) == (status, len(body), 1)
    assert b"this is why" in body
    assert (exchange.status, exchange.bytes_out, exchange.response_done) == (status, len(body), True)
    assert exchange.close_after is head.close


@pytest.mark.parametrize("status", KEPT)
def test_connections_outlive_what_is_not_their_fault(status: int) -> None:
    assert not answer_error(make_exchange(), status, "", False)[0].close


@pytest.mark.parametrize("status", CLOSED)
def test_connections_close_where_the_request_cannot_be_trusted_or_is_not_read(status: int) -> None:
    assert answer_error(make_exchange(), status, "", False)[0].close


def test_503_says_when_to_come_back() -> None:
    names = {name for name, _ in answer_error(make_exchange(), 503, "", False)[0].headers}
    assert b"Retry-After" in names


@pytest.mark.parametrize(
    ("is_read", "changes", "is_stopping", "expected"),
    [
        (True, {}, False, False),
        (True, WITH_BODY, False, False),
        (False, {}, False, False),
        (False, WITH_BODY, False, True),
        (False, {"chunked": True}, False, True),
        (True, {"keep_alive": False}, False, True),
        (True, {}, True, True),
    ],
    ids=["plain", "read", "no body", "unread", "unread chunks", "client closes", "server stops"],
)
def test_when_nothing_may_follow(
    is_read: bool, changes: dict[str, Any], is_stopping: bool, expected: bool
) -> None:
    assert closes_after(make_exchange(is_read=is_read, **changes), is_stopping) is expected
    exchange = make_exchange(is_read=is_read, **changes)
    head, _ = answer_for_plugin(exchange, Answer(200), is_stopping)
    assert head.close is exchange.close_after is expected


def test_head_gets_the_length_and_no_body() -> None:
    full = answer_error(make_exchange(), 404, "no such host", False)[1]
    exchange = make_exchange(b"HEAD")
    head, body = answer_error(exchange, 404, "no such host", False)
    assert (head.length, head.bodyless, body, exchange.bytes_out) == (len(full), True, b"", 0)
    head, body = answer_for_plugin(make_exchange(b"HEAD"), Answer(200, b"hello"), False)
    assert (head.length, head.bodyless, body) == (5, True, b"")


def test_what_a_plugin_answers_is_written_down() -> None:
    exchange = make_exchange()
    head, body = answer_for_plugin(exchange, Answer(401, b"who?", [(b"WWW-Authenticate", b"Basic")]), False)
    assert (head.status, head.headers, body) == (401, [(b"WWW-Authenticate", b"Basic")], b"who?")
    assert (exchange.status, exchange.bytes_out, exchange.response_done) == (401, 4, True)


def test_a_plugin_cannot_split_the_response() -> None:
    exchange = make_exchange()
    head, _ = answer_for_plugin(exchange, Answer(302, b"", [(b"Location", b"/\r\nSet-Cookie: a=b")]), False)
    assert head.status == exchange.status == 500 and head.close


# ---------------------------------------------------------------- which page

BUSY, AWAY, SHARED = (Page(b"text/html", body) for body in (b"busy", b"away", b"shared"))
OWN = Pages({503: BUSY, 502: BUSY}, AWAY)
SERVERS = Pages({404: SHARED, 503: SHARED})


def find(engine: Engine, status: int, pages: Pages = OWN, *, known: bool = True) -> Page | None:
    engine.virtualhost.pages = pages
    exchange = make_exchange()
    exchange.virtualhost = HOST if known else ""
    exchange.node_names = engine.virtualhost.node_names
    return find_page(exchange, engine.virtualhost, SERVERS, status)


def test_offline_is_for_503_while_nobody_is_there() -> None:
    assert find(Engine(here={}), 503) is AWAY
    assert find(Engine(here={}), 502) is BUSY
    assert find(Engine(), 503) is BUSY, "a limit was hit"
    assert find(Engine(here={}), 503, Pages({503: BUSY})) is BUSY
    assert find(Engine(), 503, Pages(offline=AWAY)) is None


def test_a_virtualhost_without_pages_has_none() -> None:
    assert find(Engine(), 503, Pages()) is None


def test_before_a_virtualhost_is_known_the_servers_own_are_used() -> None:
    """Also on a connection whose request before was for one."""
    assert find(Engine(), 404, known=False) is SHARED
    assert find(Engine(), 400, known=False) is None
    assert find_page(make_exchange(), None, SERVERS, 404) is SHARED
