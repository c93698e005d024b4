"""The fast driver gives the events that the reference driver gives, whoever of its two readers reads."""

from __future__ import annotations

import random

import pytest

from blastbeat.errors import ClientError
from blastbeat.events import RequestData, RequestEnd, RequestHead
from blastbeat.gates.http1 import Http1Gate
from blastbeat.interfaces import Driver, DriverFactory, HttpLimits
from blastbeat.plugins import http1_fast
from blastbeat.plugins.http1_fast import FastDriver, FastDriverFactory
from blastbeat.plugins.http1_h11 import H11Driver
from blastbeat.testing import DriverContract
from fuzz import grammar
from fuzz.http1_drivers import compare
from tests.helpers.http1 import each_byte

PLAIN = b"GET /x?y HTTP/1.1\r\nHost: A:80\r\nX: y\r\n\r\n"
UNUSUAL = b"GET http://a/x HTTP/1.1\r\nHost: b\r\n\r\n"


class TestFast(DriverContract):
    plugin = http1_fast
    name = "fast"


def new_driver() -> FastDriver:
    return FastDriverFactory({}).new_driver(HttpLimits())


def test_registers_itself_by_the_public_hook() -> None:
    registered: dict[str, object] = {}
    http1_fast.blastbeat_register_drivers(
        lambda name, factory, *, options=None: registered.update({name: factory})
    )
    assert registered == {"fast": FastDriverFactory}
    factory: DriverFactory = FastDriverFactory({})
    assert factory.protocols == ("http/1.1",)
    driver: Driver = factory.new_driver(HttpLimits())
    assert driver.date_now() == b""


@pytest.mark.parametrize("data", [PLAIN, UNUSUAL])
def test_the_events_are_those_of_h11(data: bytes) -> None:
    events = list(new_driver().receive_data(data))
    assert events == H11Driver(HttpLimits()).receive_data(data)
    assert isinstance(events[0], RequestHead) and events[0].path.startswith(b"/x")


def test_a_body_in_pieces() -> None:
    driver = new_driver()
    head, first = driver.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
    assert isinstance(head, RequestHead) and head.content_length == 5
    assert first == RequestData(1, b"he")
    assert driver.receive_data(b"") == []
    assert driver.receive_data(b"llo") == [RequestData(1, b"llo"), RequestEnd(1)]


def test_one_request_after_the_other_whoever_reads_it() -> None:
    driver = new_driver()
    for data in (PLAIN, UNUSUAL, PLAIN, UNUSUAL):
        assert driver.receive_data(data)[-1] == RequestEnd(1)
        driver.start_next_exchange()
        assert driver.receive_data(b"") == ()


def test_what_h11_refuses_is_refused() -> None:
    with pytest.raises(ClientError):
        new_driver().receive_data(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")


def test_the_gate_asks_it_first_and_passes_what_it_read() -> None:
    driver = new_driver()
    gate = Http1Gate(HttpLimits(), driver.plain_heads)
    assert gate.receive(PLAIN + PLAIN) == PLAIN
    assert gate.request_complete and gate.buffered == len(PLAIN)
    assert driver.receive_data(PLAIN)[-1] == RequestEnd(1)
    driver.start_next_exchange()
    assert gate.next_request() == PLAIN


def test_random_requests_by_both_drivers_in_the_same_pieces() -> None:
    dice = random.Random(7)
    for _ in range(300):
        sent = grammar.http1_requests(dice)
        cut = dice.randint(0, len(sent))
        for limits in (HttpLimits(), HttpLimits(max_head=150, max_uri=40, max_headers=4)):
            compare([sent], limits)
            compare([sent[:cut], sent[cut:]], limits)
    compare(each_byte(PLAIN + UNUSUAL + PLAIN), HttpLimits())
