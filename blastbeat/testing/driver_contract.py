"""What each HTTP/1 driver must keep, as a class to subclass with pytest: drivers that do are exchangeable.

The gate stands before the driver here as it does in the server; `driver_cases` holds the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.errors import ClientError
from blastbeat.events import Buffer, RequestData, RequestEnd, RequestHead, ResponseHead
from blastbeat.interfaces import Driver, DriverFactory, HttpLimits
from blastbeat.plugins.http1_h11 import H11Driver
from blastbeat.testing.contract import Contract
from blastbeat.testing.driver_cases import (
    HOP_BY_HOP,
    REQUESTS,
    RESPONSES,
    likely_bytes,
    new_head,
    requests_of_clients,
)
from blastbeat.testing.driver_reading import (
    Reading,
    WrittenResponse,
    each_byte,
    read_requests,
    read_response,
    read_response_head,
)
from blastbeat.testing.inherited import inherited
from blastbeat.testing.strategies import cut, response_heads

_PLAIN = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
_UPLOAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
_LARGE = 64 * 1024


class DriverContract(Contract):
    """Say which driver; it is held to the same events as the reference driver `h11`, and to RFC 9112 in what
    it writes."""

    kind: ClassVar[str] = "driver"

    def new_factory(self) -> DriverFactory:
        made: DriverFactory = self.make()
        return made

    def new_driver(self, limits: HttpLimits | None = None) -> Driver:
        return self.new_factory().new_driver(limits or HttpLimits())

    # ------------------------------------------------------------ what clients send

    def test_it_names_its_protocols(self) -> None:
        protocols = self.new_factory().protocols
        assert not isinstance(protocols, str) and "http/1.1" in protocols

    @pytest.mark.parametrize("case", REQUESTS)
    def test_a_request_is_read(self, case: str) -> None:
        request = REQUESTS[case]
        for pieces in ([request.data], each_byte(request.data)):
            (read,) = self.read(pieces).complete
            assert read.head is not None and read.body == request.body
            expected = {
                **{"method": b"GET", "target": b"/", "path": b"/", "version": b"1.1", "authority": b"a"},
                **{"content_length": None, "chunked": False, "keep_alive": True},
                **{"expect_continue": False, "upgrade": False},
                **request.expected,
            }
            assert {name: getattr(read.head, name) for name in expected} == expected

    @inherited
    @given(data=st.data())
    def test_the_pieces_bytes_come_in_change_nothing(self, data: st.DataObject) -> None:
        sent = b"".join(data.draw(st.lists(requests_of_clients(), min_size=1, max_size=3)))
        places = data.draw(st.lists(st.integers(0, len(sent)), max_size=12))
        assert self.read(cut(sent, places)) == self.read([sent])

    @inherited
    @given(sent=likely_bytes(), size=st.integers(1, 50))
    def test_it_reads_what_the_reference_reads(self, sent: bytes, size: int) -> None:
        pieces = [sent[start : start + size] for start in range(0, len(sent), size)]
        ours, reference = self.read(pieces), read_requests(pieces, H11Driver)
        assert (ours.requests, ours.status) == (reference.requests, reference.status)

    @inherited
    @given(sent=st.lists(st.binary(max_size=100) | likely_bytes(), max_size=4))
    def test_any_bytes_are_events_or_a_client_error(self, sent: list[bytes]) -> None:
        """Even those that no gate lets through."""
        driver = self.new_driver()
        try:
            for piece in sent:
                for event in driver.receive_data(piece):
                    assert isinstance(event, RequestHead | RequestData | RequestEnd)
        except ClientError as error:
            assert 400 <= error.status <= 599 and error.reason

    def test_requests_follow_each_other(self) -> None:
        bodies = [b"", b"hello", b"", b"x" * 1000]
        sent = b"".join(
            b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (number, len(body)) + body
            for number, body in enumerate(bodies)
        )
        read = self.read([sent]).complete
        assert [(each.head.path, each.body) for each in read if each.head] == [
            (b"/%d" % number, body) for number, body in enumerate(bodies)
        ]

    def test_payload_is_not_held_back(self) -> None:
        driver = self.new_driver()
        assert len(driver.receive_data(_UPLOAD)) == 1
        for piece in (b"a", b"bc"):
            (event,) = driver.receive_data(piece)
            assert isinstance(event, RequestData) and event.data == piece

    def test_nothing_is_no_event(self) -> None:
        driver = self.new_driver()
        assert not driver.receive_data(b"")
        driver.receive_data(_UPLOAD)
        assert not driver.receive_data(b"")

    @pytest.mark.parametrize("kind", [bytearray, memoryview])
    def test_any_buffer_will_do_and_is_not_kept(self, kind: type[bytearray] | type[memoryview]) -> None:
        driver = self.new_driver()
        room = bytearray(_UPLOAD + b"hello")
        events = driver.receive_data(kind(room))
        room[:] = bytes(len(room))
        head, data = events
        assert isinstance(head, RequestHead) and head.headers[0] == (b"host", b"a")
        assert isinstance(data, RequestData) and data.data == b"hello"

    def test_heads_as_long_as_the_limits_allow(self) -> None:
        limits = HttpLimits(max_head=200_000, max_headers=1000)
        fields = b"".join(b"X-%d: %b\r\n" % (number, b"y" * 150) for number in range(999))
        reading = read_requests([b"GET / HTTP/1.1\r\nHost: a\r\n", fields, b"\r\n"], self.new_driver, limits)
        (read,) = reading.complete
        assert read.head is not None and len(read.head.headers) == 1000

    # ------------------------------------------------------------ what is answered

    @pytest.mark.parametrize("case", RESPONSES)
    def test_a_response_is_framed(self, case: str) -> None:
        wanted = RESPONSES[case]
        driver, head = self.new_driver(), new_head(**wanted.head)
        driver.receive_data(wanted.request)
        body = b"" if head.length == 0 else b"body"
        response = self.written(driver, head, [body] if body else [])
        assert response.framing == wanted.framing
        assert response.body == (b"" if wanted.framing == "none" else body)
        assert response.all(b"connection") == ([wanted.connection] if wanted.connection else [])
        assert response.all(b"content-length") == ([wanted.length] if wanted.length is not None else [])
        assert driver.must_close() is wanted.must_close

    @inherited
    @given(head=response_heads(), pieces=st.lists(st.binary(max_size=200), max_size=6))
    def test_any_response_is_read_as_it_was_meant(self, head: ResponseHead, pieces: list[bytes]) -> None:
        payload = b"".join(pieces)
        if head.length is not None and not head.bodyless:
            head.length = len(payload)
        for request in (_PLAIN, b"GET / HTTP/1.0\r\n\r\n"):
            driver = self.new_driver()
            driver.receive_data(request)
            response = self.written(driver, head, pieces)
            assert (response.status, response.reason) == (head.status, head.reason)
            assert response.body == (b"" if head.bodyless else payload)
            kept = [(name, value) for name, value in head.headers if value == value.strip(b" \t")]
            assert [field for field in response.headers if field in kept] == kept
            assert driver.must_close() == (response.all(b"connection") == [b"close"])

    def test_large_payload_is_not_copied(self) -> None:
        payload = b"x" * _LARGE
        for head in (new_head(length=_LARGE), new_head()):
            driver, out = self.new_driver(), list[Buffer]()
            driver.receive_data(_PLAIN)
            driver.send_head(head, out)
            driver.send_data(payload, out)
            assert any(buffer is payload for buffer in out)

    @pytest.mark.parametrize("status", [102, 103])
    def test_interim_responses_are_no_response(self, status: int) -> None:
        driver, out = self.new_driver(), list[Buffer]()
        driver.receive_data(_PLAIN)
        driver.send_head(
            new_head(status=status, reason=b"", headers=[(b"Link", b"</a>")], bodyless=True), out
        )
        head, rest = read_response_head(b"".join(out))
        assert (head.status, head.headers, rest) == (status, [(b"Link", b"</a>")], b"")
        assert self.written(driver, new_head(length=1), [b"x"]).body == b"x"

    def test_continue_is_sent_as_it_is(self) -> None:
        driver, out = self.new_driver(), list[Buffer]()
        driver.receive_data(
            _PLAIN.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        )
        driver.send_continue(out)
        assert b"".join(out) == b"HTTP/1.1 100 Continue\r\n\r\n"

    def test_hop_by_hop_fields_are_not_passed_on(self) -> None:
        driver = self.new_driver()
        driver.receive_data(_PLAIN)
        fields = [*HOP_BY_HOP, (b"X-Kept", b"1")]
        response = self.written(driver, new_head(headers=fields, length=1), [b"x"])
        assert response.all(b"content-length") == [b"1"] and response.all(b"x-kept") == [b"1"]
        for name in (b"keep-alive", b"transfer-encoding", b"upgrade", b"te", b"trailer", b"proxy-connection"):
            assert not response.all(name), name
        assert not response.all(b"connection")

    def test_date_and_server_are_added_where_they_lack(self) -> None:
        for fields, date, server in (
            ([], [b"now"], [b"blastbeat"]),
            ([(b"date", b"then"), (b"SERVER", b"mine")], [b"then"], [b"mine"]),
        ):
            driver = self.new_driver()
            driver.date_now = lambda: b"now"
            driver.receive_data(_PLAIN)
            response = self.written(driver, new_head(headers=fields, length=0), [])
            assert (response.all(b"date"), response.all(b"server")) == (date, server)

    def test_without_a_clock_there_is_no_date(self) -> None:
        driver = self.new_driver()
        driver.receive_data(_PLAIN)
        assert driver.date_now() == b""
        assert not self.written(driver, new_head(length=0), []).all(b"date")

    def test_426_says_to_what(self) -> None:
        driver = self.new_driver()  # RFC 9110 §15.5.22
        driver.receive_data(_PLAIN)
        assert self.written(driver, new_head(status=426, length=0), []).all(b"upgrade") == [b"websocket"]

    def test_one_response_leaves_no_trace_in_the_next(self) -> None:
        driver = self.new_driver()
        heads = [
            new_head(),
            new_head(length=3),
            new_head(status=304, bodyless=True),
            new_head(),
            new_head(length=0),
        ]
        framings = []
        for head in heads:
            driver.receive_data(_PLAIN)
            assert not driver.must_close()
            pieces = [] if head.bodyless or head.length == 0 else [b"abc"]
            framings.append(self.written(driver, head, pieces).framing)
            driver.start_next_exchange()
        assert framings == ["chunked", "length", "none", "chunked", "length"]

    def test_an_error_is_answered_between_requests_and_closes(self) -> None:
        driver = self.new_driver()
        assert driver.must_close()
        response = self.written(driver, new_head(status=408, reason=b"Slow", length=2, close=True), [b"no"])
        assert (response.status, response.body, response.all(b"connection")) == (408, b"no", [b"close"])

    @pytest.mark.parametrize("garbage", [b"GET /\r\n\r\n", b"\0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
    def test_what_it_refuses_can_be_answered(self, garbage: bytes) -> None:
        driver = self.new_driver()
        try:
            driver.receive_data(garbage)
        except ClientError as error:
            response = self.written(driver, new_head(status=error.status, length=2, close=True), [b"no"])
            assert (response.status, response.body) == (error.status, b"no")
        assert driver.must_close()

    # ------------------------------------------------------------ life

    def test_connections_share_nothing(self) -> None:
        factory = self.new_factory()
        one, other = factory.new_driver(HttpLimits()), factory.new_driver(HttpLimits())
        one.receive_data(_UPLOAD)
        assert len(other.receive_data(_PLAIN)) == 2
        (event,) = one.receive_data(b"hello")
        assert isinstance(event, RequestData)

    def test_what_a_connection_remembers_is_bounded(self) -> None:
        driver = self.new_driver()

        def meet(number: int) -> None:
            driver.receive_data(b"GET /%d HTTP/1.1\r\nHost: a\r\nX-%d: y\r\n\r\n" % (number, number))
            driver.send_head(new_head(headers=[(b"X-%d" % number, b"1")], length=0), [])
            driver.send_end([])
            driver.start_next_exchange()

        self.check_remembering(driver, meet)

    # ------------------------------------------------------------ how it is asked

    def read(self, pieces: Sequence[bytes]) -> Reading:
        """What gate and driver make of a connection's bytes."""
        return read_requests(pieces, self.new_driver)

    def written(self, driver: Driver, head: ResponseHead, pieces: Sequence[bytes]) -> WrittenResponse:
        """A whole response, read from what the driver wrote."""
        out: list[Buffer] = []
        driver.send_head(head, out)
        for piece in pieces:
            driver.send_data(piece, out)
        driver.send_end(out)
        return read_response(b"".join(out), is_bodyless=head.bodyless)
