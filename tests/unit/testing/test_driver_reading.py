"""Tests of `blastbeat.testing.driver_reading`: a strict reader of responses, and what gate and driver
tell."""

from __future__ import annotations

import pytest

from blastbeat.plugins.http1_h11 import H11Driver
from blastbeat.testing.driver_reading import each_byte, read_requests, read_response

HEAD = b"HTTP/1.1 200 OK\r\n"


def test_requests_are_read_up_to_what_is_refused() -> None:
    sent = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3\r\n"
    reading = read_requests(each_byte(sent), H11Driver)
    assert [each.head.path for each in reading.complete if each.head] == [b"/1", b"/2"]
    assert reading.status == 400


@pytest.mark.parametrize(
    ("data", "framing", "body"),
    [
        (HEAD + b"Content-Length: 2\r\n\r\nhi", "length", b"hi"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "chunked", b"hi"),
        (HEAD + b"\r\nhi", "close", b"hi"),
        (b"HTTP/1.1 204 \r\n\r\n", "none", b""),
    ],
)
def test_responses_of_every_framing(data: bytes, framing: str, body: bytes) -> None:
    response = read_response(data)
    assert (response.framing, response.body) == (framing, body)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX A: 1\r\n\r\n",
        HEAD + b"X: 1\r\n",
        HEAD + b"Content-Length: 3\r\n\r\nhi",
        HEAD + b"Content-Length: 1\r\n\r\nhi",
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhi\r\n0\r\n\r\n",
        b"HTTP/1.1 304 \r\n\r\nhi",
    ],
)
def test_what_is_no_response_is_told(data: bytes) -> None:
    with pytest.raises(AssertionError):
        read_response(data)
