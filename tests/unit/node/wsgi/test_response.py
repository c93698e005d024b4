"""What an application says with `start_response`, `write` and its iterable, as pieces of a response."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper

import pytest

from blastbeat.node.errors import ClientGone, NodeUsageError
from blastbeat.node.wsgi.channel import Piece
from blastbeat.node.wsgi.response import Response, is_about_client, make_head

TEXT = ("Content-Type", "text/plain")


class Sink:
    """Takes pieces; from the `leave_after`th on the client has left."""

    def __init__(self, leave_after: int = 1000) -> None:
        self.pieces: list[Piece] = []
        self._left = leave_after

    def put(self, piece: Piece, /, *, waits: bool = True) -> None:
        if len(self.pieces) == self._left:
            raise ClientGone
        self.pieces.append(piece)

    def has_room(self) -> bool:
        return len(self.pieces) % 2 == 0

    @property
    def data(self) -> list[bytes]:
        return [piece.data for piece in self.pieces]


class Body:
    """An iterable that counts how often it was closed."""

    def __init__(self, *blocks: Any) -> None:
        self._blocks = blocks
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            if isinstance(block, Exception):
                raise block
            yield block

    def close(self) -> None:
        self.closed += 1


def call(
    application: Callable[..., Iterable[bytes]], *, method: str = "GET", sink: Sink | None = None
) -> Sink:
    sink = sink or Sink()
    Response(sink, method, f"{method} /").run(application, {})
    return sink


def answering(body: Any, *headers: tuple[str, str], status: str = "200 OK") -> Callable[..., Iterable[bytes]]:
    def application(environ: Any, start_response: Any) -> Any:
        start_response(status, [TEXT, *headers])
        return body

    return application


@pytest.mark.parametrize("body", [[b"hello"], [b"hel", b"lo"], (b"hello", b"")])
def test_what_is_there_as_a_whole_goes_as_one_with_its_length(body: Any) -> None:
    (piece,) = call(answering(body)).pieces
    assert piece.is_last and piece.data == b"hello"
    assert piece.head == b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 5\r\n\r\n"


def test_blocks_go_one_by_one_and_the_iterable_is_closed_once() -> None:
    body = Body(b"", b"a", b"", b"b")
    first, second, end = call(answering(body)).pieces
    assert first.head is not None and (first.data, first.is_last) == (b"a", False)
    assert (second.head, second.data, second.is_last) == (None, b"b", False)
    assert (end.head, end.data, end.is_last) == (None, b"", True)
    assert body.closed == 1


def test_a_response_is_complete_with_its_declared_length() -> None:
    sink = call(answering(Body(b"ab", b"c"), ("Content-Length", "3")))
    assert [piece.is_last for piece in sink.pieces] == [False, True] and sink.data == [b"ab", b"c"]


def test_code_behind_the_last_block_runs() -> None:
    after = []

    def body() -> Iterator[bytes]:
        yield b"abc"
        after.append(1)

    call(answering(body(), ("Content-Length", "3")))
    assert after == [1]


@pytest.mark.parametrize("blocks", [(b"abcd",), (b"abc", b"d"), (b"a", b"bcdef", b"g")])
def test_what_is_beyond_the_declared_length_is_cut(
    blocks: tuple[bytes, ...], caplog: pytest.LogCaptureFixture
) -> None:
    for body in (Body(*blocks), [*blocks]):
        caplog.clear()
        sink = call(answering(body, ("Content-Length", "3")))
        assert b"".join(sink.data) == b"abc" and sink.pieces[-1].is_last
        assert caplog.text.count("GET /: the response is longer than its Content-Length") == 1
        if isinstance(body, Body):
            assert body.closed == 1


@pytest.mark.parametrize("body", [[b"ab"], Body(b"ab"), Body(b"a", b"b"), []])
def test_a_response_that_is_shorter_than_declared_is_an_error(body: Any) -> None:
    with pytest.raises(NodeUsageError, match=r"shorter than its Content-Length"):
        call(answering(body, ("Content-Length", "3")))


@pytest.mark.parametrize("status, method", [("200 OK", "HEAD"), ("204 No Content", "GET"), ("304 N", "GET")])
@pytest.mark.parametrize("blocks", [(), (b"a",), (b"a", b"b", b"c")])
def test_a_response_without_a_body(status: str, method: str, blocks: tuple[bytes, ...]) -> None:
    for body in (Body(*blocks), [*blocks]):
        (piece,) = call(answering(body, status=status), method=method).pieces
        assert piece.is_last and piece.data == b"" and piece.head is not None


@pytest.mark.parametrize("body", [[b""], [], Body(), Body(b""), Body(b"1234567")])
def test_a_head_request_keeps_the_declared_length(body: Any) -> None:
    (piece,) = call(answering(body, ("Content-Length", "7")), method="HEAD").pieces
    assert piece.head is not None and b"\r\ncontent-length: 7\r\n" in piece.head


@pytest.mark.parametrize("headers", [(), (("Content-Length", "400000"),)])
def test_a_file_goes_on_when_there_is_room(headers: tuple[tuple[str, str], ...]) -> None:
    class File(io.BytesIO):
        closed_times = 0

        def close(self) -> None:
            self.closed_times += 1
            super().close()

    file, sink = File(bytes(400_000)), Sink()
    response = Response(sink, "GET", "GET /")
    assert not response.run(answering(FileWrapper(file), *headers), {})
    assert len(sink.pieces) == 1 and file.closed_times == 0
    assert not response.go_on()
    assert response.go_on()
    assert b"".join(sink.data) == bytes(400_000) and sink.pieces[-1].is_last and file.closed_times == 1


def test_a_file_is_closed_when_its_client_has_left() -> None:
    file, sink = io.BytesIO(bytes(400_000)), Sink(1)
    response = Response(sink, "GET", "GET /")
    assert not response.run(answering(FileWrapper(file)), {})
    with pytest.raises(ClientGone):
        response.go_on()
    assert file.closed


def test_write() -> None:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"")
        write(b"a")
        return [b"b"]

    first, second = call(application).pieces
    assert first.head == b"HTTP/1.1 200 OK\r\n\r\n"
    assert (first.data, second.data, second.is_last) == (b"a", b"b", True)


def test_write_raises_once_the_client_has_left() -> None:
    body = Body(b"c")

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"a")
        with pytest.raises(OSError):
            write(b"b")
        return body

    with pytest.raises(ClientGone):
        call(application, sink=Sink(1))
    assert body.closed == 1


def test_start_response_again() -> None:
    def twice(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return []

    with pytest.raises(NodeUsageError, match="exc_info"):
        call(twice)

    def replaced(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "100")])
        try:
            raise ValueError
        except ValueError:
            start_response("500 Oh No", [TEXT], sys.exc_info())
        return [b"sorry"]

    (piece,) = call(replaced).pieces
    assert piece.head is not None and piece.head.startswith(b"HTTP/1.1 500 Oh No\r\n")
    assert piece.data == b"sorry"


def test_start_response_with_exc_info_after_the_head_has_gone_raises_it() -> None:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])(b"a")
        try:
            raise ValueError("mine")
        except ValueError:
            start_response("500 Oh No", [], sys.exc_info())
        return []

    with pytest.raises(ValueError, match="mine"):
        call(application)


@pytest.mark.parametrize("blocks", [(ValueError(),), (b"a", ValueError())])
def test_an_iterable_that_raises_is_closed(blocks: tuple[Any, ...]) -> None:
    body = Body(*blocks)
    sink = Sink()
    response = Response(sink, "GET", "GET /")
    with pytest.raises(ValueError):
        response.run(answering(body), {})
    assert body.closed == 1
    response.fail()
    assert sink.pieces[-1].is_failed
    response.fail()
    assert len(sink.pieces) == len(blocks)


@pytest.mark.parametrize("body", [None, 5, b"ab", "ab", ["ab"], Body("ab"), [b"a", "b"], Body(None)])
def test_what_is_no_iterable_of_bytes(body: Any) -> None:
    with pytest.raises((TypeError, NodeUsageError), match="bytes"):
        call(answering(body))


@pytest.mark.parametrize("body", [[b"a"], [], Body(), Body(b"a")])
def test_a_body_before_start_response(body: Any) -> None:
    with pytest.raises(NodeUsageError, match="did not call start_response"):
        call(lambda environ, start_response: body)


def test_a_generator_may_call_start_response() -> None:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"a"

    assert call(application).data == [b"a", b""]


@pytest.mark.parametrize("status", ["OK", "200", "20 OK", "2000 OK", "200 OK\r\n", "100 Continue", "200-OK"])
def test_statuses(status: str) -> None:
    if status == "200":
        assert make_head(status, []) == b"HTTP/1.1 200\r\n\r\n"
    else:
        with pytest.raises(NodeUsageError, match="no final status"):
            make_head(status, [])


@pytest.mark.parametrize(
    "header",
    [("A b", "1"), ("", "1"), ("A:", "1"), ("A", "1\r\nB: 2"), ("A", "1\n"), ("A", "\0"), ("A", "\u20ac")],
)
def test_headers_that_are_none(header: tuple[str, str]) -> None:
    with pytest.raises(NodeUsageError, match="header"):
        make_head("200 OK", [header])


@pytest.mark.parametrize("args", [(b"200 OK", []), ("200 OK", [(b"A", "1")]), ("200 OK", [("A", 1)])])
def test_types(args: Any) -> None:
    with pytest.raises(TypeError, match="start_response"):
        make_head(*args)


@pytest.mark.parametrize("lengths", [["x"], ["-1"], ["1", "2"], ["1, 1"], [""]])
def test_lengths_that_are_none(lengths: list[str]) -> None:
    with pytest.raises(NodeUsageError, match="Content-Length"):
        call(answering([], *(("Content-Length", length) for length in lengths)))


def test_what_is_the_servers_to_say_is_left_out() -> None:
    head = make_head("200 OK", [("Connection", "close"), ("Transfer-Encoding", "chunked"), ("X-A", "\xe9 b")])
    assert head == b"HTTP/1.1 200 OK\r\nX-A: \xe9 b\r\n\r\n"


def test_whether_an_error_is_about_a_client_that_left() -> None:
    def caught() -> BaseException:
        try:
            try:
                raise ClientGone
            except ClientGone:
                raise ValueError from None
        except ValueError as error:
            return error

    assert is_about_client(ClientGone()) and is_about_client(caught())
    assert not is_about_client(ValueError()) and not is_about_client(None)
