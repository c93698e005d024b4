"""What each filter must keep, as a class to subclass with pytest."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.errors import ClientError
from blastbeat.events import CloseReason, Request, ResponseHead
from blastbeat.interfaces import Answer, Filter, RequestView
from blastbeat.testing.checks import (
    check_client_error,
    check_decision,
    check_response_head,
    check_seconds,
)
from blastbeat.testing.clock import FakeClock
from blastbeat.testing.contract import Contract
from blastbeat.testing.fakes import make_request, sample_requests
from blastbeat.testing.inherited import inherited
from blastbeat.testing.strategies import requests, response_heads, view_of

SIZES = (1, 1000, 65_536, 1 << 30)
STATUSES = (101, 200, 204, 304, 404, 500)


class FilterContract(Contract):
    """A filter returns what its methods promise, for every request, in every order they are called."""

    kind: ClassVar[str] = "filter"

    def new_filter(self) -> Filter:
        made: Filter = self.make()
        return made

    # ------------------------------------------------------------ one exchange

    @pytest.mark.parametrize("number", range(len(sample_requests())))
    def test_an_exchange_from_begin_to_end(self, number: int) -> None:
        exchange = Exchange(self, self.new_filter(), sample_requests()[number])
        exchange.begin()
        exchange.respond(_head(200))
        for direction in ("in", "out"):
            exchange.pass_data(direction, 1000)
            exchange.pass_message(direction, 10)
        exchange.close()

    @pytest.mark.parametrize("status", STATUSES)
    def test_responses_of_every_kind(self, status: int) -> None:
        exchange = Exchange(self, self.new_filter(), make_request())
        exchange.begin()
        exchange.respond(_head(status))
        exchange.close()

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("direction", ["in", "out"])
    def test_data_of_any_size_waits_a_number_of_seconds(self, direction: str, size: int) -> None:
        exchange = Exchange(self, self.new_filter(), make_request())
        exchange.begin()
        exchange.respond(_head(200))
        for _ in range(5):
            exchange.pass_data(direction, size)
        exchange.close()

    def test_an_exchange_that_ends_at_once(self) -> None:
        """The client left, or another filter answered: no response was seen."""
        subject = self.new_filter()
        for _ in range(3):
            exchange = Exchange(self, subject, make_request())
            exchange.begin()
            exchange.close()

    def test_a_response_without_its_request_read_to_the_end(self) -> None:
        exchange = Exchange(self, self.new_filter(), make_request(method=b"POST", content_length=9))
        exchange.begin()
        exchange.pass_data("in", 3)
        exchange.respond(_head(413))
        exchange.pass_data("in", 6)
        exchange.close()

    def test_a_websocket(self) -> None:
        fields = [(b"upgrade", b"websocket"), (b"connection", b"Upgrade")]
        exchange = Exchange(self, self.new_filter(), make_request(upgrade=True, headers=fields))
        exchange.begin()
        exchange.respond(_head(101))
        for size in (0, 1, 70_000):
            for direction in ("in", "out"):
                exchange.pass_message(direction, size)
                exchange.pass_data(direction, max(size, 1))
        exchange.close()

    # ------------------------------------------------------------ whatever comes

    @inherited
    @given(request=requests(), head=response_heads())
    def test_any_exchange(self, request: Request, head: ResponseHead) -> None:
        exchange = Exchange(self, self.new_filter(), request)
        exchange.begin()
        exchange.respond(head)
        exchange.pass_data("out", 100)
        exchange.close()

    @inherited
    @given(data=st.data())
    def test_exchanges_interleaved_in_any_order(self, data: st.DataObject) -> None:
        subject, clock = self.new_filter(), FakeClock()
        open_ones: list[Exchange] = []
        for _ in range(data.draw(st.integers(1, 12))):
            clock.advance(data.draw(st.sampled_from([0, 0, 0.001, 1, 3600])))
            step = data.draw(st.sampled_from(["begin", "respond", "data", "message", "close"]))
            if step == "begin" or not open_ones:
                open_ones.append(Exchange(self, subject, data.draw(requests()), clock))
                open_ones[-1].begin()
                continue
            exchange = data.draw(st.sampled_from(open_ones))
            if step == "respond":
                exchange.respond(data.draw(response_heads()))
            elif step == "data":
                exchange.pass_data(
                    data.draw(st.sampled_from(["in", "out"])), data.draw(st.integers(1, 1 << 20))
                )
            elif step == "message":
                exchange.pass_message("in", data.draw(st.integers(0, 1 << 20)))
            else:
                exchange.close()
                open_ones.remove(exchange)
        for exchange in open_ones:
            exchange.close()

    def test_exchanges_side_by_side(self) -> None:
        subject = self.new_filter()
        exchanges = [Exchange(self, subject, make_request(request_id=b"%d" % n)) for n in range(10)]
        for exchange in exchanges:
            exchange.begin()
        for exchange in reversed(exchanges):
            exchange.close()

    # ------------------------------------------------------------ what stays behind

    def test_what_it_remembers_of_clients_is_bounded(self) -> None:
        """Each from an address of its own, with a cookie of its own, on a path of its own."""
        subject, clock = self.new_filter(), FakeClock()

        def meet(number: int) -> None:
            address = b"10.%d.%d.%d" % (number >> 16, number >> 8 & 255, number & 255)
            fields = [(b"host", b"example.org"), (b"cookie", b"id=%d" % number)]
            request = make_request(
                remote_addr=address, headers=fields, target=b"/%d" % number, request_id=b"%d" % number
            )
            exchange = Exchange(self, subject, request, clock, is_checked=False)
            exchange.begin()
            exchange.respond(_head(200))
            exchange.pass_data("out", 10)
            exchange.close()

        self.check_remembering(subject, meet)

    def test_an_exchange_that_is_over_leaves_nothing(self) -> None:
        """The same client, again and again: what was counted for each exchange is given back."""
        subject, clock = self.new_filter(), FakeClock()

        def meet(number: int) -> None:
            clock.advance(10)
            exchange = Exchange(
                self, subject, make_request(request_id=b"%d" % number), clock, is_checked=False
            )
            exchange.begin()
            exchange.close()

        self.check_remembering(subject, meet)


class Exchange:
    """One exchange as the server leads a filter through it; each step checks what the filter says."""

    def __init__(
        self,
        contract: Contract,
        subject: Filter,
        request: Request,
        clock: FakeClock | None = None,
        *,
        is_checked: bool = True,
    ) -> None:
        view = view_of(request)
        self.view = RequestView(
            request,
            view.connection,
            now=clock or FakeClock(),
            count=contract.count,
            opens_session=len(request.headers) % 2 == 0,  # some do, some don't
        )
        self._contract = contract
        self._subject = subject
        self._before = copy.deepcopy(request) if is_checked else None
        self._is_watched = is_checked
        self._is_answered = False
        self._pace: Any = None

    def begin(self) -> None:
        """on_request; what it answers itself it sees no more of."""
        decision = self._call(self._subject.on_request, self.view)
        check_decision(decision)
        self._is_answered = isinstance(decision, Answer)

    def respond(self, head: ResponseHead) -> None:
        """on_response and on_output."""
        if self._is_answered:
            return
        before = copy.copy(head)
        changed = self._call(self._subject.on_response, self.view, head)
        check_response_head(changed, before)
        self._pace = self._call(self._subject.on_output, self.view)
        assert self._pace is None or callable(self._pace), f"on_output returned {self._pace!r}"

    def pass_data(self, direction: str, size: int) -> None:
        """on_data, and what on_output returned for what goes out."""
        if self._is_answered:
            return
        if direction == "out" and self._pace is not None:
            check_seconds(self._call(self._pace, size), "what on_output returned")
        wait = self._unless_refused(self._subject.on_data, direction, size, 0.0)
        check_seconds(wait, "on_data")

    def pass_message(self, direction: str, size: int) -> None:
        """on_message."""
        if not self._is_answered:
            closed = self._unless_refused(self._subject.on_message, direction, size, None)
            assert closed is None or isinstance(closed, CloseReason), f"on_message returned {closed!r}"

    def _unless_refused(self, function: Any, direction: str, size: int, otherwise: Any) -> Any:
        """What it returns; `otherwise` where it refuses, which ends the exchange."""
        try:
            return self._call(function, self.view, direction, size)
        except ClientError as error:
            check_client_error(error)
            self._is_answered = True
            return otherwise

    def close(self) -> None:
        """on_closed, which comes after an Answer too."""
        self._call(self._subject.on_closed, self.view)
        if self._before is not None:
            assert self.view.request == self._before, "the filter changed the request; return a Route instead"

    def _call(self, function: Any, *arguments: Any) -> Any:
        if not self._is_watched:
            return function(*arguments)
        with self._contract.watched():
            return function(*arguments)


def _head(status: int) -> ResponseHead:
    bodyless = status in (101, 204, 304)
    fields = [(b"Content-Type", b"text/plain"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2")]
    return ResponseHead(1, status, b"OK", fields, length=None if bodyless else 3, bodyless=bodyless)
