"""Heads that are read in one go: what they say, what is not plain, and what is compared instead of read."""

from __future__ import annotations

import pytest

from blastbeat.drivers import HttpLimits
from blastbeat.gates.plain import PlainHead, PlainHeads

BLOCK = b"Host: a:80\r\nUser-Agent: x y\r\nAccept:*/*\r\nX-Empty:\r\n\r\n"


def read(data: bytes, limits: HttpLimits | None = None) -> PlainHead | None:
    return PlainHeads(limits or HttpLimits()).read(data)


def test_a_plain_head() -> None:
    data = b"GET /a?b=%20 HTTP/1.1\r\n" + BLOCK
    head = read(data + b"rest")
    assert head is not None
    assert (head.method, head.target, head.end) == (b"GET", b"/a?b=%20", len(data))
    block = head.block
    assert block.headers == [
        (b"host", b"a:80"),
        (b"user-agent", b"x y"),
        (b"accept", b"*/*"),
        (b"x-empty", b""),
    ]
    assert (block.host, block.content_length, block.keep_alive, block.text) == (b"a:80", None, True, BLOCK)


@pytest.mark.parametrize(
    ("field", "length", "keep_alive"),
    [
        (b"Content-Length: 0", 0, True),
        (b"content-length: 12", 12, True),
        (b"Connection: keep-alive", None, True),
        (b"Connection: close", None, False),
    ],
)
def test_what_fields_say(field: bytes, length: int | None, keep_alive: bool) -> None:
    head = read(b"POST / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n")
    assert head is not None
    assert (head.block.content_length, head.block.keep_alive) == (length, keep_alive)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /# HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_requests_that_are_not_plain(data: bytes) -> None:
    assert read(data) is None


@pytest.mark.parametrize(
    "field",
    [
        b"Host: b",
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Upgrade: websocket",
        b"Connection: upgrade",
        b"Connection: Close",
        b"Connection: close\r\nConnection: keep-alive",
        b"Content-Length: 1\r\nContent-Length: 1",
        b"Content-Length: 01",
        b"Content-Length: +1",
        b"Content-Length: " + b"1" * 19,
        b"X : y",
        b"X:  x: y",
        b"X: y ",
        b"X:\ty",
        b"X: \xff",
        b"X: \x7f",
        b"X: a\0b",
        b"X: a\rb",
        b" folded: x",
        b"no colon",
    ],
)
def test_fields_that_are_not_plain(field: bytes) -> None:
    assert read(b"GET / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n") is None


@pytest.mark.parametrize("host", [b"", b"a b", b"a,b", b"[::1", b"a:65536"])
def test_a_host_has_to_be_one(host: bytes) -> None:
    assert read(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n") is None


def test_limits_are_the_gates_to_tell() -> None:
    data = b"GET /1234 HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"
    assert read(data, HttpLimits(max_head=len(data), max_uri=5, max_headers=2)) is not None
    assert read(data, HttpLimits(max_head=len(data) - 1)) is None
    assert read(data, HttpLimits(max_uri=4)) is None
    assert read(data, HttpLimits(max_headers=1)) is None


def test_a_block_that_is_repeated_is_not_read_again() -> None:
    heads = PlainHeads(HttpLimits())
    first, second = (
        heads.read(b"GET /1 HTTP/1.1\r\n" + BLOCK),
        heads.read(b"PUT /2 HTTP/1.1\r\n" + BLOCK + b"x"),
    )
    assert first is not None and second is not None
    assert second.block is first.block
    assert (second.method, second.target, second.end) == (b"PUT", b"/2", 17 + len(BLOCK))
    other = heads.read(b"GET / HTTP/1.1\r\n" + BLOCK.replace(b"x y", b"x z"))
    assert other is not None and other.block is not first.block
    longer = heads.read(b"GET / HTTP/1.1\r\n" + BLOCK[:-2] + b"A: b\r\n\r\n")
    assert longer is not None and longer.block.headers[-1] == (b"a", b"b")


def test_the_same_bytes_are_read_once() -> None:
    heads = PlainHeads(HttpLimits())
    data = b"GET / HTTP/1.1\r\n" + BLOCK
    assert heads.read(data) is heads.read(data)
    heads.forget()
    again = heads.read(data)
    assert again is not None and again is heads.read(data)


def test_at_rest_nothing_is_remembered() -> None:
    heads = PlainHeads(HttpLimits())
    data = b"GET / HTTP/1.1\r\n" + BLOCK
    first = heads.read(data)
    heads.rest()
    again = heads.read(data)
    assert first is not None and again is not None
    assert again.block is not first.block and again.block.headers == first.block.headers
