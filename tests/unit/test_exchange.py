"""The record of one request: what may be sent once more, and the figures when it is over."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from blastbeat.events import Buffer, CloseReason, NodeEvent, Request, ResponseHead
from blastbeat.exchange import NO_HEAD, Exchange
from blastbeat.interfaces import Allow, Filter, InstanceView, RequestView
from blastbeat.testing import make_connection_view, make_request
from tests.helpers.engine import Engine
from tests.helpers.fakes import make_exchange

SAFE = (b"GET", b"HEAD")


def test_bodies_are_kept_up_to_the_limit() -> None:
    exchange = make_exchange()
    exchange.keep(b"12345", 10)
    exchange.keep(b"67890", 10)
    assert exchange.kept == [b"12345", b"67890"] and exchange.kept_bytes == 10
    exchange.keep(b"!", 10)
    assert exchange.kept is None, "over the limit nothing is kept"
    exchange.keep(b"", 10)
    assert exchange.kept is None, "nor ever again"


def test_a_limit_of_0_keeps_no_byte() -> None:
    exchange = make_exchange()
    assert exchange.may_repeat(SAFE)
    exchange.keep(b"1", 0)
    assert not exchange.may_repeat(SAFE)


@pytest.mark.parametrize(("method", "expected"), [(b"GET", True), (b"HEAD", True), (b"POST", False)])
def test_safe_methods_may_go_once_more(method: bytes, expected: bool) -> None:
    assert make_exchange(method).may_repeat(SAFE) is expected


def test_an_answered_request_does_not_go_once_more() -> None:
    exchange = make_exchange()
    exchange.kept = None
    assert not exchange.may_repeat(SAFE)


@pytest.mark.parametrize("keep_alive", [True, False])
def test_the_client_says_what_becomes_of_the_connection(keep_alive: bool) -> None:
    assert make_exchange(keep_alive=keep_alive).close_after is not keep_alive


def test_figures() -> None:
    headers = [(b"referer", b"http://a/"), (b"user-agent", b"curl"), (b"x", b"y")]
    exchange = make_exchange(b"PUT", headers=headers, target=b"/x?y")
    exchange.request = make_request(
        request_id=b"id-1", remote_addr=b"203.0.113.9", remote_port=b"0", variables=[(b"REMOTE_USER", b"ann")]
    )
    exchange.route = "/api"
    exchange.answered_at = 1000.25
    exchange.virtualhost, exchange.identity, exchange.hops = "app.test", "app/1", 2
    exchange.status, exchange.bytes_in, exchange.bytes_out = 201, 7, 9
    exchange.close_code, exchange.messages_in, exchange.messages_out = 1000, 3, 4
    exchange.reason, exchange.detail = CloseReason.NODE_END, "why"
    figures = exchange.figures(make_connection_view(remote_addr="192.0.2.7", remote_port=4711), 1000.5)
    assert figures._asdict() == {
        "started_at": 1_700_001_000.0,
        "remote_addr": "203.0.113.9",  # the client's, as a trusted proxy told
        "remote_port": 0,
        "virtualhost": "app.test",
        "host": b"app.test",
        "method": b"PUT",
        "target": b"/x?y",
        "version": b"1.1",
        "status": 201,
        "bytes_in": 7,
        "bytes_out": 9,
        "duration": 0.5,
        "node_duration": 0.25,
        "identity": "app/1",
        "reason": CloseReason.NODE_END,
        "detail": "why",
        "request_id": b"id-1",
        "referer": b"http://a/",
        "user_agent": b"curl",
        "hops": 2,
        "route": "/api",
        "user": b"ann",
        "close_code": 1000,
        "messages_in": 3,
        "messages_out": 4,
    }


def test_figures_of_a_request_that_never_became_one() -> None:
    peer = make_connection_view(remote_addr="192.0.2.7", remote_port=4711)
    figures = Exchange(NO_HEAD, 1.0, 2.0).figures(peer, 1.5)
    assert (figures.remote_addr, figures.remote_port) == ("192.0.2.7", 4711)
    assert (figures.method, figures.status, figures.node_duration, figures.request_id) == (b"", 0, 0.0, b"")
    assert not NO_HEAD.has_body and NO_HEAD.headers == []


# ---------------------------------------------------------------- which request a log record is about


class Broken(Filter):
    """Raises where `where` says."""

    def __init__(self, where: str) -> None:
        self.where = where

    def _look(self, where: str) -> None:
        if where == self.where:
            raise RuntimeError("broken")

    def on_request(self, view: RequestView) -> None:
        self._look("request")

    def on_response(self, view: RequestView, head: ResponseHead) -> ResponseHead:
        self._look("response")
        return head

    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        self._look("data")
        return 0.0

    def on_closed(self, view: RequestView) -> None:
        self._look("closed")

    async def authenticate(self, view: RequestView) -> Allow:
        self._look("authenticate")
        return Allow()

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView:
        self._look("select")
        return InstanceView("a", "stranger", "") if self.where == "choose" else candidates[0]

    def encode(self, request: Request) -> bytes:
        self._look("encode")
        return b"plain"

    def decode(self, body: Buffer) -> NodeEvent:
        raise RuntimeError("broken")


PLACES = ("request", "response", "data", "closed", "authenticate", "select", "choose", "encode", "decode")


@pytest.mark.parametrize("where", PLACES)
def test_whoever_fails_the_record_says_for_which_request(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    each = Broken(where)
    engine = Engine(
        filters=[each],
        authenticators=[each],
        select=each.select,
        encode=each.encode,
        decoders={b"body": each.decode} if where == "decode" else None,
    )
    stream = engine.stream()
    engine.request(stream)
    engine.tasks.run()
    if stream.session is not None:
        engine.respond(stream.session)
    engine.close()
    records = [record.__dict__ for record in caplog.records if record.levelno >= logging.ERROR]
    assert records
    for record in records:
        assert (record["request_id"], record["virtualhost"]) == ("request-id", engine.virtualhost.name)
        assert record["node"] == ("app" if where in ("response", "data", "closed", "decode") else "")


def test_a_request_that_was_never_admitted_has_no_id() -> None:
    assert set(Exchange(NO_HEAD, 0.0, 0.0).log_fields().values()) == {""}


def test_an_upgraded_one_is_told_of_as_before() -> None:
    """Its line in the access log is written days later."""
    headers = [(b"referer", b"http://a/"), (b"cookie", b"long"), (b"user-agent", b"curl")]
    exchange = make_exchange(headers=headers, target=b"/chat")
    exchange.request = make_request(request_id=b"id-1", headers=headers, variables=[(b"REMOTE_USER", b"ann")])
    peer = make_connection_view()
    told, fields = exchange.figures(peer, 1000.5), exchange.log_fields()
    exchange.forget_details()
    assert (exchange.figures(peer, 1000.5), exchange.log_fields()) == (told, fields)
    assert exchange.request.header(b"cookie") is None
    assert headers[1] == (b"cookie", b"long")  # others may have the list, too


def test_nothing_is_forgotten_where_filters_look_on() -> None:
    exchange = make_exchange()
    exchange.request = make_request(headers=[(b"cookie", b"long")])
    exchange.view = RequestView(exchange.request, make_connection_view())
    exchange.forget_details()
    assert exchange.view.request.header(b"cookie") == b"long"
