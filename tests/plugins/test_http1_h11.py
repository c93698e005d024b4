"""The reference driver's request side: events from checked bytes, and its registration."""

from __future__ import annotations

import pytest

from blastbeat.errors import ClientError
from blastbeat.events import RequestData, RequestEnd, RequestHead
from blastbeat.interfaces import Driver, DriverFactory, HttpLimits, Options
from blastbeat.plugins import http1_h11
from blastbeat.plugins.http1_h11 import H11Driver, H11DriverFactory
from blastbeat.testing import DriverContract


class TestH11(DriverContract):
    plugin = http1_h11
    name = "h11"


def new_driver() -> H11Driver:
    return H11DriverFactory({}).new_driver(HttpLimits())


def head_of(*fields: bytes, line: bytes = b"GET / HTTP/1.1") -> RequestHead:
    events = new_driver().receive_data(b"\r\n".join((line, b"Host: a", *fields)) + b"\r\n\r\n")
    head = events[0]
    assert isinstance(head, RequestHead)
    return head


def test_registers_itself_by_the_public_hook() -> None:
    registered: dict[str, object] = {}

    class Recorder:
        def __call__(self, name: str, factory: object, *, options: Options | None = None) -> None:
            registered[name] = factory

    http1_h11.blastbeat_register_drivers(Recorder())
    assert registered == {"h11": H11DriverFactory}
    factory: DriverFactory = H11DriverFactory({})
    assert factory.protocols == ("http/1.1",)
    driver: Driver = factory.new_driver(HttpLimits())
    assert driver.date_now() == b""


def test_a_request_without_body() -> None:
    events = new_driver().receive_data(b"GET /x?y=%20 HTTP/1.1\r\nHOST: A:80\r\nX:  y \r\nx: z\r\n\r\n")
    assert events == [
        RequestHead(
            stream_id=1,
            method=b"GET",
            target=b"/x?y=%20",
            path=b"/x?y=%20",
            version=b"1.1",
            authority=b"A:80",
            headers=[(b"host", b"A:80"), (b"x", b"y"), (b"x", b"z")],
        ),
        RequestEnd(1),
    ]


def test_a_body_of_known_length() -> None:
    driver = new_driver()
    head, *rest = driver.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
    assert isinstance(head, RequestHead)
    assert head.content_length == 5 and not head.chunked and head.has_body
    assert rest == [RequestData(1, b"he")]
    assert driver.receive_data(b"") == ()
    assert driver.receive_data(b"l") == [RequestData(1, b"l")]
    assert driver.receive_data(b"lo") == [RequestData(1, b"lo"), RequestEnd(1)]


def test_a_length_of_zero_is_no_body_but_is_told() -> None:
    head = head_of(b"Content-Length: 0", line=b"POST / HTTP/1.1")
    assert head.content_length == 0 and not head.has_body


def test_a_chunked_body() -> None:
    driver = new_driver()
    (head,) = driver.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n")
    assert isinstance(head, RequestHead)
    assert head.content_length is None and head.chunked and head.has_body
    assert driver.receive_data(b"2;a=b\r\nhe\r\n") == [RequestData(1, b"he")]
    assert driver.receive_data(b"1\r\nl\r\n2\r\nlo\r\n0\r\n") == [RequestData(1, b"llo")]
    assert driver.receive_data(b"\r\n") == [RequestEnd(1)]


def test_requests_follow_each_other() -> None:
    driver = new_driver()
    for path in (b"/1", b"/2", b"/3"):
        head, end = driver.receive_data(b"GET %b HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n" % path)
        assert isinstance(head, RequestHead) and head.path == path
        assert end == RequestEnd(1)
        driver.start_next_exchange()


def test_between_requests_only_errors_are_answered_and_close() -> None:
    driver = new_driver()
    assert driver.must_close()
    driver.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not driver.must_close()
    driver.start_next_exchange()
    assert driver.must_close()


@pytest.mark.parametrize(
    ("target", "authority", "path"),
    [
        (b"/x", b"a", b"/x"),
        (b"//b/x", b"a", b"//b/x"),
        (b"http://b/x?y=/z", b"b", b"/x?y=/z"),
        (b"HTTPS://B:81", b"B:81", b"/"),
        (b"http://b?x=/y", b"b", b"/?x=/y"),
        (b"http://b/?x", b"b", b"/?x"),
        (b"http://[::1]:80/", b"[::1]:80", b"/"),
    ],
)
def test_targets(target: bytes, authority: bytes, path: bytes) -> None:
    head = head_of(line=b"GET %b HTTP/1.1" % target)
    assert (head.target, head.authority, head.path) == (target, authority, path)


@pytest.mark.parametrize(
    ("target", "path"),
    [(b"*", b"*"), (b"http://a", b"*"), (b"http://a/", b"/"), (b"http://a?x", b"/?x")],
)
def test_options_for_the_server_itself(target: bytes, path: bytes) -> None:
    assert head_of(line=b"OPTIONS %b HTTP/1.1" % target).path == path


def test_http10_without_host() -> None:
    head, _ = new_driver().receive_data(b"GET / HTTP/1.0\r\n\r\n")
    assert isinstance(head, RequestHead)
    assert (head.version, head.authority, head.keep_alive) == (b"1.0", b"", False)


@pytest.mark.parametrize(
    ("version", "fields", "keep_alive"),
    [
        (b"1.1", [], True),
        (b"1.1", [b"Connection: close"], False),
        (b"1.1", [b"Connection: Keep-Alive, CLOSE"], False),
        (b"1.1", [b"Connection: keep-alive", b"connection: close"], False),
        (b"1.1", [b"Connection: closed"], True),
        (b"1.0", [], False),
        (b"1.0", [b"Connection: Keep-Alive"], True),
        (b"1.0", [b"Connection: x", b"Connection: keep-alive"], True),
        (b"1.0", [b"Connection: keep-alive, close"], False),
        (b"1.0", [b"Keep-Alive: timeout=5"], False),
    ],
)
def test_keep_alive(version: bytes, fields: list[bytes], keep_alive: bool) -> None:
    assert head_of(*fields, line=b"GET / HTTP/" + version).keep_alive is keep_alive


def test_expectations() -> None:
    assert head_of(b"Expect: 100-Continue").expect_continue
    assert not head_of(b"X: 100-continue").expect_continue
    assert not head_of(b"Expect: 100-continue", line=b"GET / HTTP/1.0").expect_continue


@pytest.mark.parametrize(
    ("fields", "upgrade"),
    [
        ([b"Connection: Upgrade", b"Upgrade: WebSocket"], True),
        ([b"Connection: keep-alive", b"Connection: upgrade", b"Upgrade: h2c, websocket"], True),
        ([b"Connection: close", b"Upgrade: websocket"], False),
        ([b"Connection: upgrade", b"Upgrade: h2c"], False),
        ([b"Connection: upgrade"], False),
    ],
)
def test_handshakes(fields: list[bytes], upgrade: bool) -> None:
    assert head_of(*fields).upgrade is upgrade


@pytest.mark.parametrize("data", [b"GET /\r\n\r\n", b"\0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
def test_what_h11_refuses_is_a_client_error(data: bytes) -> None:
    with pytest.raises(ClientError) as caught:
        new_driver().receive_data(data)
    assert caught.value.status == 400


def test_a_head_as_long_as_the_limits_allow() -> None:
    limits = HttpLimits(max_head=200_000)
    driver = H11Driver(limits)
    field = b"X: " + b"y" * 199_000
    for piece in (b"GET / HTTP/1.1\r\nHost: a\r\n" + field, b"\r\n\r\n"):
        events = driver.receive_data(piece)
    assert len(events) == 2
