"""The grammar of request lines and field lines, and sections of lines that arrive in pieces."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.errors import GrammarError
from blastbeat.gates.fields import (
    MAX_METHOD,
    LineSection,
    check_field_line,
    check_partial_request_line,
    check_request_line,
)

MAX_URI = 100


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b"GET / HTTP/1.1\r\n", (b"GET", b"/", b"1.1")),
        (b"GET / HTTP/1.0\r\n", (b"GET", b"/", b"1.0")),
        (b"M-SEARCH * HTTP/1.1\r\n", (b"M-SEARCH", b"*", b"1.1")),
        (b'get /?a=|^`{}"<>\\ HTTP/1.1\r\n', (b"get", b'/?a=|^`{}"<>\\', b"1.1")),
        (b"!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n", (b"!#$%&'*+-.^_`|~09azAZ", b"/", b"1.1")),
        (b"GET /%zz%00 HTTP/1.1\r\n", (b"GET", b"/%zz%00", b"1.1")),
    ],
)
def test_good_request_lines(line: bytes, parts: tuple[bytes, bytes, bytes]) -> None:
    assert check_request_line(line, MAX_URI) == parts


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"GET /\r\n", 400, "one space between"),
        (b"GET\r\n", 400, "one space between"),
        (b"GET  / HTTP/1.1\r\n", 400, "one space between"),
        (b"GET /  HTTP/1.1\r\n", 400, "one space between"),
        (b"GET / HTTP/1.1 \r\n", 400, "one space between"),
        (b"GET /a b HTTP/1.1\r\n", 400, "one space between"),
        (b"GET\t/\tHTTP/1.1\r\n", 400, "one space between"),
        (b" GET / HTTP/1.1\r\n", 400, "does not begin with a method"),
        (b"\n", 400, "does not begin with a method"),
        (b"\x16\x03\x01\x02\x00\x01\n", 400, "TLS"),
        (b"G(T / HTTP/1.1\r\n", 400, "malformed request line"),
        (b"GET / http/1.1\r\n", 400, "malformed request line"),
        (b"GET / HTTP/1.10\r\n", 400, "malformed request line"),
        (b"GET / HTTP/11\r\n", 400, "malformed request line"),
        (b"GET / HTTP/1.\r\n", 400, "malformed request line"),
        (b"GET / HTTP/1,1\r\n", 400, "malformed request line"),
        (b"GET / ICAP/1.1\r\n", 400, "malformed request line"),
        (b"GET /#top HTTP/1.1\r\n", 400, "`#`"),
        (b"GET /caf\xc3\xa9 HTTP/1.1\r\n", 400, "percent-encoded"),
        (b"GET /\x7f HTTP/1.1\r\n", 400, "percent-encoded"),
        (b"GET /\0 HTTP/1.1\r\n", 400, "NUL"),
        (b"GET / HTTP/1.1\n", 400, "LF without CR"),
        (b"GET / HTTP/1.1\r\r\n", 400, "CR without LF"),
        (b"GET /\rHost: a HTTP/1.1\r\n", 400, "CR without LF"),
        (b"GET / HTTP/9.9\r\n", 505, "HTTP/1.1"),
        (b"GET / HTTP/1.2\r\n", 505, "HTTP/1.1"),
        (b"GET / HTTP/0.9\r\n", 505, "HTTP/1.1"),
        (b"PRI * HTTP/2.0\r\n", 505, "HTTP/1.1"),
        (b"CONNECT a:443 HTTP/1.1\r\n", 501, "CONNECT"),
        (b"A" * (MAX_METHOD + 1) + b" / HTTP/1.1\r\n", 501, "48 bytes"),
        (b"GET /" + b"a" * MAX_URI + b" HTTP/1.1\r\n", 414, "longer than 100 bytes"),
        (b"A" * (MAX_URI + 200) + b" / HTTP/1.1\r\n", 414, "longer than 100 bytes"),
    ],
)
def test_bad_request_lines(line: bytes, status: int, reason: str) -> None:
    with pytest.raises(GrammarError, match=reason) as caught:
        check_request_line(line, MAX_URI)
    assert caught.value.status == status


def test_the_longest_target_and_method_pass() -> None:
    method, target = b"M" * MAX_METHOD, b"/" * MAX_URI
    line = b"%b %b HTTP/1.1\r\n" % (method, target)
    assert check_request_line(line, MAX_URI) == (method, target, b"1.1")
    for end in range(1, len(line)):
        check_partial_request_line(line[:end], MAX_URI)


def test_a_request_line_that_can_only_be_too_long_is_refused_before_its_end() -> None:
    longest = MAX_URI + MAX_METHOD + len(b"  HTTP/1.1")
    check_partial_request_line(b"a" * longest + b"\r", MAX_URI)
    for line in (b"a" * (longest + 2), b"a" * (longest + 1) + b"\r"):
        with pytest.raises(GrammarError) as caught:
            check_partial_request_line(line, MAX_URI)
        assert caught.value.status == 414
    for size, status in ((longest, 400), (longest + 1, 414)):
        with pytest.raises(GrammarError) as caught:
            check_request_line(b"a" * size + b"\r\n", MAX_URI)
        assert caught.value.status == status


@pytest.mark.parametrize("first", [b"\x16", b" ", b"\0", b"\n", b"(", b"\x80"])
def test_a_stranger_is_told_by_its_first_byte(first: bytes) -> None:
    with pytest.raises(GrammarError) as caught:
        check_partial_request_line(first, MAX_URI)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "line",
    [
        b"Host: a\r\n",
        b"host:a\r\n",
        b"X:\r\n",
        b"X: \t \r\n",
        b"X_y: \xff\x80 ~\t!\r\n",
        b"X: a:b: c\r\n",
        b"!#$%&'*+-.^_`|~0aZ: x\r\n",
    ],
)
def test_good_fields(line: bytes) -> None:
    check_field_line(line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b" X: folded\r\n", "folded"),
        (b"\tX: folded\r\n", "folded"),
        (b"X : y\r\n", "between a header field's name and the colon"),
        (b"X\t: y\r\n", "between a header field's name and the colon"),
        (b": y\r\n", "not a token"),
        (b"X(: y\r\n", "not a token"),
        (b"X Y: y\r\n", "not a token"),
        (b"X\xe9: y\r\n", "not a token"),
        (b'"X": y\r\n', "not a token"),
        (b"no colon\r\n", "without a colon"),
        (b"X: y\n", "LF without CR"),
        (b"\n", "LF without CR"),
        (b"X: y\rz\r\n", "CR without LF"),
        (b"X: y\r\r\n", "CR without LF"),
        (b"X: \0\r\n", "NUL"),
        (b"X\0: y\r\n", "NUL"),
        (b"X: \x01\r\n", "control character"),
        (b"X: \x7f\r\n", "control character"),
        (b"X: \x0b\r\n", "control character"),
        (b"X: \x0c\r\n", "control character"),
    ],
)
def test_bad_fields(line: bytes, reason: str) -> None:
    with pytest.raises(GrammarError, match=reason) as caught:
        check_field_line(line)
    assert caught.value.status == 400


class TestLineSection:
    def test_ends_at_the_empty_line(self) -> None:
        section = LineSection("trailers", 100, 10)
        buffer = bytearray()
        for byte in b"A: b\r\nC: d\r\n\r":
            buffer.append(byte)
            assert section.read(buffer) == 0
        buffer += b"\nrest"
        assert section.read(buffer) == len(b"A: b\r\nC: d\r\n\r\n")

    def test_may_be_empty(self) -> None:
        assert LineSection("trailers", 100, 10).read(bytearray(b"\r\nrest")) == 2

    def test_a_bad_line_is_refused_before_the_section_ends(self) -> None:
        with pytest.raises(GrammarError, match="without a colon"):
            LineSection("trailers", 100, 10).read(bytearray(b"A: b\r\nbad\r\nC:"))

    def test_lines_are_judged_in_order(self) -> None:
        with pytest.raises(GrammarError, match="without a colon"):
            LineSection("trailers", 100, 1).read(bytearray(b"bad\r\nA: b\r\nC: d\r\n"))

    def test_bytes_are_bounded_whether_or_not_the_line_ends(self) -> None:
        for data in (b"A: b\r\nC:", b"A: b\r\nC: d\r\n"):
            with pytest.raises(GrammarError, match="longer than 7 bytes") as caught:
                LineSection("trailers", 7, 10).read(bytearray(data))
            assert caught.value.status == 431

    def test_the_bound_counts_the_empty_line(self) -> None:
        assert LineSection("trailers", 8, 10).read(bytearray(b"A: b\r\n\r\n")) == 8
        with pytest.raises(GrammarError, match="longer than 7 bytes"):
            LineSection("trailers", 7, 10).read(bytearray(b"A: b\r\n\r\n"))

    def test_fields_are_bounded(self) -> None:
        assert LineSection("trailers", 100, 2).read(bytearray(b"A: b\r\nC: d\r\n\r\n"))
        with pytest.raises(GrammarError, match="more than 1 header fields in the trailers") as caught:
            LineSection("trailers", 100, 1).read(bytearray(b"A: b\r\nC: d\r\n"))
        assert caught.value.status == 431

    def test_no_byte_is_searched_twice(self) -> None:
        class Counting(bytearray):
            searched = 0

            def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
                self.searched += len(self) - start
                return super().find(sub, start)

        buffer = Counting()
        section = LineSection("trailers", 2000, 10)
        for _ in range(1000):
            buffer += b"a"
            section.read(buffer)
        assert buffer.searched == 1000

    def test_each_line_is_checked_once(self) -> None:
        checked: list[bytes] = []

        def check(line: bytes | bytearray, is_whole: bool) -> None:
            if is_whole:
                checked.append(bytes(line))

        section = LineSection("request head", 100, 10, check)
        buffer = bytearray()
        for byte in b"first\r\nA: b\r\n\r\n":
            buffer.append(byte)
            section.read(buffer)
        assert checked == [b"first\r\n"]
