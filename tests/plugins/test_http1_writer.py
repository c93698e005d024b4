"""The output side: framing, fields that go and fields that stay, and what is never copied."""

from __future__ import annotations

import pytest

from blastbeat.events import Buffer, Headers, ResponseHead
from blastbeat.plugins.http1_writer import COPY_BELOW, Http1Writer


def new_writer(version: bytes = b"1.1", keep_alive: bool = True) -> Http1Writer:
    writer = Http1Writer()
    writer.answer(version, keep_alive)
    return writer


def respond(
    writer: Http1Writer,
    *data: Buffer,
    headers: Headers | None = None,
    status: int = 200,
    length: int | None = None,
    bodyless: bool = False,
    close: bool = False,
) -> tuple[list[bytes], bytes]:
    """The lines of the head, without `Server`, and everything behind it."""
    out: list[Buffer] = []
    writer.send_head(ResponseHead(1, status, b"OK", headers or [], length, bodyless, close), out)
    for piece in data:
        writer.send_data(piece, out)
    writer.send_end(out)
    head, _, body = b"".join(out).partition(b"\r\n\r\n")
    return [line for line in head.split(b"\r\n") if line != b"Server: blastbeat"], body


class TestFraming:
    def test_known_length(self) -> None:
        writer = new_writer()
        assert respond(writer, b"he", b"llo", length=5) == (
            [b"HTTP/1.1 200 OK", b"Content-Length: 5"],
            b"hello",
        )
        assert not writer.must_close()

    def test_length_zero(self) -> None:
        assert respond(new_writer(), length=0) == ([b"HTTP/1.1 200 OK", b"Content-Length: 0"], b"")

    def test_unknown_length_is_chunked(self) -> None:
        writer = new_writer()
        lines, body = respond(writer, b"hello", b"", b"0123456789abcdef")
        assert lines == [b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"]
        assert body == b"5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
        assert not writer.must_close()

    def test_unknown_length_and_no_payload(self) -> None:
        assert respond(new_writer())[1] == b"0\r\n\r\n"

    def test_unknown_length_is_read_until_close_in_http10(self) -> None:
        writer = new_writer(b"1.0", keep_alive=True)
        lines, body = respond(writer, b"hello", b"")
        assert (lines, body) == ([b"HTTP/1.1 200 OK", b"Connection: close"], b"hello")
        assert writer.must_close()

    @pytest.mark.parametrize("version", [b"1.0", b"1.1"])
    def test_bodyless_has_no_framing(self, version: bytes) -> None:
        writer = new_writer(version)
        lines, body = respond(writer, b"dropped", bodyless=True)
        assert body == b""
        assert not any(line.startswith((b"Content-Length", b"Transfer-Encoding")) for line in lines)
        assert not writer.must_close()

    @pytest.mark.parametrize(("status", "is_shown"), [(200, True), (304, True), (204, False)])
    def test_bodyless_shows_the_length_it_would_have(self, status: int, is_shown: bool) -> None:
        lines, body = respond(new_writer(), b"dropped", status=status, length=5, bodyless=True)
        assert body == b""
        assert (b"Content-Length: 5" in lines) is is_shown

    def test_nothing_follows_the_last_chunk(self) -> None:
        writer = new_writer()
        respond(writer, b"hello")
        out: list[Buffer] = []
        writer.send_data(b"late", out)
        writer.send_end(out)
        assert out == []

    def test_nothing_of_one_response_is_left_for_the_next(self) -> None:
        writer = new_writer()
        respond(writer, b"hello", close=True)
        assert writer.must_close()
        writer.answer(b"1.1", True)
        assert not writer.must_close()
        assert respond(writer, b"hi", length=2)[1] == b"hi"


class TestConnection:
    @pytest.mark.parametrize(
        ("version", "keep_alive", "close", "line"),
        [
            (b"1.1", True, False, None),
            (b"1.1", True, True, b"Connection: close"),
            (b"1.1", False, False, b"Connection: close"),
            (b"1.0", True, False, b"Connection: keep-alive"),
            (b"1.0", True, True, b"Connection: close"),
            (b"1.0", False, False, b"Connection: close"),
        ],
    )
    def test_says_what_happens(
        self, version: bytes, keep_alive: bool, close: bool, line: bytes | None
    ) -> None:
        writer = new_writer(version, keep_alive)
        lines, _ = respond(writer, length=0, close=close)
        assert lines[2:] == ([line] if line else [])
        assert writer.must_close() is (line == b"Connection: close")

    def test_an_answer_to_no_request_closes(self) -> None:
        writer = Http1Writer()
        assert writer.must_close()
        assert respond(writer, b"bad", status=400, length=3) == (
            [b"HTTP/1.1 400 OK", b"Content-Length: 3", b"Connection: close"],
            b"bad",
        )


class TestFields:
    def test_pass_in_order_and_as_written(self) -> None:
        headers = [(b"Set-Cookie", b"a"), (b"x-Y", b""), (b"set-cookie", b"b"), (b"Via", b"\xe9")]
        lines, _ = respond(new_writer(), headers=headers, length=0)
        assert lines[1:5] == [b"Set-Cookie: a", b"x-Y: ", b"set-cookie: b", b"Via: \xe9"]

    @pytest.mark.parametrize(
        "name",
        [
            b"Connection",
            b"Keep-Alive",
            b"PROXY-CONNECTION",
            b"TE",
            b"trailer",
            b"Transfer-Encoding",
            b"Upgrade",
        ],
    )
    def test_hop_by_hop_fields_are_dropped(self, name: bytes) -> None:
        assert respond(new_writer(), headers=[(name, b"close"), (b"A", b"b")], length=0)[0][1:] == [
            b"A: b",
            b"Content-Length: 0",
        ]

    def test_fields_that_connection_names_are_dropped_wherever_they_stand(self) -> None:
        headers = [(b"X-A", b"1"), (b"Connection", b"x-a, CLOSE"), (b"connection", b"X-B"), (b"x-b", b"2")]
        lines, _ = respond(new_writer(), headers=[*headers, (b"X-C", b"3")], length=0)
        assert lines[1:] == [b"X-C: 3", b"Content-Length: 0"]

    def test_a_server_named_by_connection_is_written_anew(self) -> None:
        out: list[Buffer] = []
        headers = [(b"Server", b"node"), (b"Connection", b"server")]
        new_writer().send_head(ResponseHead(1, 200, b"OK", headers, 0), out)
        assert b"\r\nServer: blastbeat\r\n" in bytes(out[0])

    def test_the_nodes_length_is_replaced(self) -> None:
        for length, line in ((5, b"Content-Length: 5"), (None, b"Transfer-Encoding: chunked")):
            lines, _ = respond(new_writer(), headers=[(b"content-length", b"9")], length=length)
            assert lines[1:] == [line]

    def test_proxy_authenticate_stays(self) -> None:
        lines, _ = respond(new_writer(), headers=[(b"Proxy-Authenticate", b"Basic")], length=0)
        assert lines[1] == b"Proxy-Authenticate: Basic"

    def test_date_and_server_are_added_where_missing(self) -> None:
        writer = new_writer()
        writer.date_now = lambda: b"Sun, 06 Nov 1994 08:49:37 GMT"
        out: list[Buffer] = []
        writer.send_head(ResponseHead(1, 200, b"OK", [], 0), out)
        date = b"Date: Sun, 06 Nov 1994 08:49:37 GMT"
        assert out == [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n%b\r\nServer: blastbeat\r\n\r\n" % date]
        out.clear()
        writer.send_head(ResponseHead(1, 200, b"OK", [(b"date", b"then"), (b"SERVER", b"node")], 0), out)
        assert out == [b"HTTP/1.1 200 OK\r\ndate: then\r\nSERVER: node\r\nContent-Length: 0\r\n\r\n"]

    def test_without_a_clock_there_is_no_date(self) -> None:
        assert not any(line.startswith(b"Date") for line in respond(new_writer(), length=0)[0])


class TestInterim:
    def test_continue(self) -> None:
        out: list[Buffer] = []
        new_writer().send_continue(out)
        assert out == [b"HTTP/1.1 100 Continue\r\n\r\n"]

    def test_head_has_no_framing_and_changes_nothing(self) -> None:
        writer = new_writer()
        out: list[Buffer] = []
        hints = ResponseHead(
            1, 103, b"Early Hints", [(b"Link", b"</a>"), (b"Connection", b"close")], None, True
        )
        writer.send_head(hints, out)
        assert out == [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]
        assert not writer.must_close()
        assert respond(writer, b"hello")[1] == b"5\r\nhello\r\n0\r\n\r\n"


class TestCopies:
    def test_a_head_is_one_buffer(self) -> None:
        out: list[Buffer] = []
        new_writer().send_head(ResponseHead(1, 200, b"OK", [(b"A", b"b")] * 5, 5), out)
        assert len(out) == 1

    @pytest.mark.parametrize("length", [COPY_BELOW, None])
    def test_large_payload_goes_out_as_it_is(self, length: int | None) -> None:
        writer = new_writer()
        out: list[Buffer] = []
        writer.send_head(ResponseHead(1, 200, b"OK", [], length), out)
        payload = memoryview(bytes(COPY_BELOW))
        writer.send_data(payload, out)
        assert any(piece is payload for piece in out)

    def test_small_chunks_are_one_buffer(self) -> None:
        writer = new_writer()
        out: list[Buffer] = []
        writer.send_head(ResponseHead(1, 200, b"OK", []), out)
        out.clear()
        writer.send_data(memoryview(b"hello"), out)
        assert out == [b"5\r\nhello\r\n"]
