"""Tests of `blastbeat.testing.filter_contract`: a good filter passes, and each mistake is found."""

from __future__ import annotations

import time
from typing import Any

import pytest

from blastbeat.errors import ClientError
from blastbeat.events import CloseReason, ResponseHead
from blastbeat.interfaces import Answer, Filter, Route
from blastbeat.testing import FilterContract
from tests.helpers.contract_runs import assert_fails, failures_of


class Good(Filter):
    """One of each decision, and a place per exchange that is given back."""

    def __init__(self) -> None:
        self.running: dict[bytes, list[float]] = {}

    def on_request(self, view: Any) -> Any:
        self.running.setdefault(view.request.request_id, []).append(view.now())
        view.count("answers.429")
        if view.request.method == b"HEAD":
            return Answer(429, headers=[(b"Retry-After", b"1")], reason=CloseReason.LIMIT)
        return Route(["node2"], target=b"/x", set_headers=[(b"x-a", b"1")]) if view.path == b"/path" else None

    def on_response(self, view: Any, head: ResponseHead) -> ResponseHead:
        head.headers = [*head.headers, (b"X-Time", b"%d" % view.now())]
        return head

    def on_output(self, view: Any) -> Any:
        return lambda n: n / 1e6

    def on_data(self, view: Any, direction: str, n: int) -> float:
        if direction == "in" and n > 1 << 29:
            raise ClientError(413, "too large")
        return n / 1e9

    def on_message(self, view: Any, direction: str, n: int) -> CloseReason | None:
        return CloseReason.LIMIT if n > 60_000 else None

    def on_closed(self, view: Any) -> None:
        self.running[view.request.request_id].pop()
        if not self.running[view.request.request_id]:
            del self.running[view.request.request_id]


def returns(value: Any) -> Any:
    return lambda self, *arguments: value


def raises(error: Exception) -> Any:
    def function(self: object, *arguments: object) -> Any:
        raise error

    return function


def changes_the_request(self: Any, view: Any) -> None:
    view.request.headers.append((b"x-a", b"1"))


def needs_text(self: Any, view: Any) -> None:
    for _, value in view.request.headers:
        value.decode()


def needs_host(self: Any, view: Any) -> None:
    dict(view.request.headers)[b"host"].lower()


def sleeps(self: Any, view: Any) -> None:
    time.sleep(0)


def counts_wrongly(self: Any, view: Any) -> None:
    view.count("answers.four-two-nine")


def marks(self: Any, view: Any) -> None:
    self.__dict__.setdefault("clients", {})[view.request.remote_addr] = 1


def marks_exchanges(self: Any, view: Any) -> None:
    self.__dict__.setdefault("ids", set()).add(view.request.request_id)


def splits_the_head(self: Any, view: Any, head: ResponseHead) -> ResponseHead:
    return ResponseHead(1, 200, b"OK", [(b"X", view.request.target + b"\r\n")])


def makes_200_of_all(self: Any, view: Any, head: ResponseHead) -> ResponseHead:
    return ResponseHead(1, 200, b"OK", head.headers)


def response_needs_notes(self: Any, view: Any) -> None:
    del view.notes["seen"]


def contract(changes: dict[str, Any], base: type = Filter) -> type[FilterContract]:
    subject = type("Subject", (base,), changes)
    return type("Contract", (FilterContract,), {"new_filter": lambda self: subject()})


def test_good_ones_pass() -> None:
    assert failures_of(contract({}, Good)) == {}
    assert failures_of(contract({})) == {}


@pytest.mark.parametrize(
    ("changes", "test", "saying"),
    [
        ({"on_request": returns("no")}, "test_an_exchange_from", "on_request returned 'no'"),
        ({"on_request": returns(Answer(99))}, "test_an_exchange_from", "99"),
        ({"on_request": returns(Answer(200, "text"))}, "test_an_exchange_from", "must be bytes"),  # type: ignore[arg-type]
        (
            {"on_request": returns(Answer(429, headers=[(b"Content-Length", b"0")]))},
            "test_an_exchange_from",
            "server's",
        ),
        ({"on_request": returns(Route("node1"))}, "test_an_exchange_from", "list of names"),
        ({"on_request": returns(Route(target=b"x"))}, "test_an_exchange_from", "no target"),
        ({"on_request": returns(Route(set_headers=[(b"X-A", b"1")]))}, "test_an_exchange_from", "lower case"),
        ({"on_request": changes_the_request}, "test_an_exchange_from", "return a Route"),
        ({"on_request": needs_host}, "test_an_exchange_from", "KeyError"),
        ({"on_request": needs_text}, "test_any_exchange", "UnicodeDecodeError"),
        ({"on_request": sleeps}, "test_an_exchange_from", "sleep() on the event loop"),
        ({"on_request": counts_wrongly}, "test_an_exchange_from", "no counter"),
        ({"on_request": marks}, "test_what_it_remembers_of_clients", "no end"),
        ({"on_request": marks_exchanges}, "test_an_exchange_that_is_over", "no end"),
        ({"on_response": returns(None)}, "test_an_exchange_from", "on_response returned None"),
        ({"on_response": splits_the_head}, "test_responses_of", "would break the head"),
        ({"on_response": makes_200_of_all}, "test_a_websocket", "a 101 stays one"),
        ({"on_output": returns(1.0)}, "test_an_exchange_from", "on_output returned 1.0"),
        ({"on_output": returns(lambda n: -1.0)}, "test_data_of_any_size", "number of seconds"),
        ({"on_data": returns(None)}, "test_an_exchange_from", "on_data returned None"),
        ({"on_data": returns(-1.0)}, "test_data_of_any_size", "number of seconds"),
        ({"on_data": returns(float("nan"))}, "test_data_of_any_size", "number of seconds"),
        ({"on_data": returns(float("inf"))}, "test_data_of_any_size", "number of seconds"),
        ({"on_data": raises(ClientError(200, "ok"))}, "test_data_of_any_size", "200"),
        (
            {"on_message": raises(ClientError(429, "no", headers=[(b"a", b"\n")]))},
            "test_a_websocket",
            "break",
        ),
        ({"on_message": returns("limit")}, "test_a_websocket", "on_message returned 'limit'"),
        ({"on_closed": response_needs_notes}, "test_an_exchange_that_ends_at_once", "KeyError"),
    ],
)
def test_each_mistake_is_found(changes: dict[str, Any], test: str, saying: str) -> None:
    assert_fails(contract(changes), test, saying=saying)


def test_places_that_are_not_given_back_are_found() -> None:
    broken = contract({"on_closed": lambda self, view: None}, Good)
    assert_fails(broken, "test_an_exchange_that_is_over", saying="no end")
