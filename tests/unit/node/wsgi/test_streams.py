"""`wsgi.input` and `wsgi.errors`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from blastbeat.node.errors import ClientGone
from blastbeat.node.wsgi.streams import MAX_LINE, ErrorStream, body_stream


@pytest.mark.parametrize("pieces", [[b"one\ntwo\nthr", b"ee"], [b"one\n", b"two\n", b"three"]])
def test_reading_crosses_pieces(pieces: list[bytes]) -> None:
    def body() -> Iterator[bytes]:
        yield from pieces
        while True:
            yield b""

    def fresh() -> BinaryIO:
        left = body()
        return body_stream(lambda: next(left))

    assert fresh().read() == b"one\ntwo\nthree"
    stream = fresh()
    assert stream.read(5) == b"one\nt" and stream.read(0) == b"" and stream.read(100) == b"wo\nthree"
    assert stream.read(1) == b"" and stream.readline() == b"" and stream.read() == b""
    assert list(fresh()) == [b"one\n", b"two\n", b"three"]
    assert fresh().readlines() == [b"one\n", b"two\n", b"three"]
    assert fresh().readlines(3) == [b"one\n"]
    stream = fresh()
    assert [stream.readline(2), stream.readline(), stream.readline(-1)] == [b"on", b"e\n", b"two\n"]


def test_reading_for_a_client_that_left_raises() -> None:
    def read() -> bytes:
        raise ClientGone("left")

    with pytest.raises(ClientGone):
        body_stream(read).read()


def test_errors_are_logged_by_line(caplog: pytest.LogCaptureFixture) -> None:
    stream = ErrorStream("GET /a")
    with caplog.at_level(logging.ERROR):
        assert stream.write("one\ntw") == 6
        stream.flush()
        stream.writelines(["o\n", "x" * (MAX_LINE + 1)])
        assert len(caplog.records) == 4
        stream.write("last")
        stream.close()
        stream.close()
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["GET /a: one", "GET /a: two", "GET /a: " + "x" * MAX_LINE, "GET /a: x", "GET /a: last"]
