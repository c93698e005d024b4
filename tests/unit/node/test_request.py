"""Request heads as a node gets them, in both encodings."""

from __future__ import annotations

import pytest

from blastbeat.node.request import _HEADER_NAMES, MAX_NAMES, parse_headers, parse_uwsgi
from tests.helpers.uwsgi import write_packet

VARIABLES = [
    (b"REQUEST_METHOD", b"POST"),
    (b"REQUEST_URI", b"/a%20b?c=d"),
    (b"PATH_INFO", b"/a b"),
    (b"SERVER_NAME", b"app.test"),
    (b"SERVER_PORT", b"8443"),
    (b"SERVER_PROTOCOL", b"HTTP/1.1"),
    (b"REMOTE_ADDR", b"192.0.2.1"),
    (b"REMOTE_PORT", b"4711"),
    (b"REQUEST_SCHEME", b"https"),
    (b"SCRIPT_NAME", b""),
    (b"CONTENT_TYPE", b"text/plain"),
    (b"CONTENT_LENGTH", b"5"),
    (b"HTTP_HOST", b"app.test:8443"),
    (b"HTTP_X_REQUEST_ID", b"1"),
]


def test_a_uwsgi_packet() -> None:
    request = parse_uwsgi(write_packet(VARIABLES))
    assert (request.method, request.path, request.raw_path, request.query) == (
        "POST",
        "/a b",
        b"/a%20b",
        b"c=d",
    )
    assert request.headers == [
        (b"content-type", b"text/plain"),
        (b"content-length", b"5"),
        (b"host", b"app.test:8443"),
        (b"x-request-id", b"1"),
    ]
    assert (request.scheme, request.server, request.client) == (
        "https", ("app.test", 8443), ("192.0.2.1", 4711)
    )  # fmt: skip
    assert request.version == "1.1" and request.content_length == 5 and not request.is_websocket
    assert request.header("X-Request-ID") == "1" and request.header("nothing") is None


def test_a_head() -> None:
    request = parse_headers(
        b"GET /a%20b?c HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 192.0.2.1\r\n"
        b"X-Forwarded-Proto: https\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert (request.method, request.path, request.raw_path, request.query) == ("GET", "/a b", b"/a%20b", b"c")
    assert (request.scheme, request.server, request.client) == ("https", ("app.test", 443), ("192.0.2.1", 0))
    assert request.content_length is None


def test_both_encodings_of_a_host_with_a_port() -> None:
    assert parse_headers(b"GET / HTTP/1.1\r\nHost: [::1]:81\r\n\r\n").server == ("[::1]", 81)
    assert parse_headers(b"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n").server == ("[::1]", 80)


def test_what_a_route_cut_off_is_in_front_of_the_raw_path() -> None:
    request = parse_headers(b"GET /b HTTP/1.1\r\nHost: a\r\nX-Forwarded-Prefix: /a%20\r\n\r\n")
    assert (request.root_path, request.path, request.raw_path) == ("/a ", "/b", b"/a%20/b")
    request = parse_uwsgi(
        write_packet([(b"REQUEST_URI", b"/a/b?c"), (b"SCRIPT_NAME", b"/a"), (b"PATH_INFO", b"/b")])
    )
    assert (request.root_path, request.path, request.raw_path) == ("/a", "/b", b"/a/b")


def test_a_field_without_value_is_a_field() -> None:
    assert parse_uwsgi(write_packet([(b"HTTP_X_A", b"")])).headers == [(b"x-a", b"")]


@pytest.mark.parametrize("size", range(5, 40))
def test_a_packet_that_is_cut_short(size: int) -> None:
    whole = {4 + sum(len(n) + len(v) + 4 for n, v in VARIABLES[:count]) for count in range(len(VARIABLES))}
    if size in whole:
        parse_uwsgi(write_packet(VARIABLES)[:size])
    else:
        with pytest.raises((IndexError, ValueError)):
            parse_uwsgi(write_packet(VARIABLES)[:size])


def test_names_that_clients_invent_are_not_remembered_for_ever() -> None:
    for number in range(MAX_NAMES + 10):
        parse_uwsgi(write_packet([(b"HTTP_X_%d" % number, b"1")]))
    assert len(_HEADER_NAMES) <= MAX_NAMES
