"""Response heads that nodes write, framing facts, and the helpers over lists of fields."""

from __future__ import annotations

import pytest

from blastbeat.errors import NodeError
from blastbeat.events import NodeHead
from blastbeat.headers import (
    MAX_RESPONSE_HEAD,
    MAX_TABLE_NAME_LENGTH,
    MAX_TABLE_NAMES,
    NameTable,
    combine,
    field_items,
    field_value,
    field_values,
    find_head_end,
    is_field,
    list_items,
    parse_response_head,
    response_framing,
    response_head,
    without,
)

# ---------------------------------------------------------------- parse_response_head


def test_a_head_is_read_as_the_node_wrote_it() -> None:
    head = parse_response_head(
        b"HTTP/1.1 404 Not Found\r\nX-A: 1\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\n\r\nbody"
    )
    assert head == NodeHead(
        404, b"Not Found", [(b"X-A", b"1"), (b"Set-Cookie", b"a=b"), (b"set-cookie", b"c=d")], b"body"
    )


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"HTTP/1.1 200 OK", 200, b"OK"),
        (b"HTTP/1.0 200 OK", 200, b"OK"),
        (b"HTTP/1.1 204", 204, b""),
        (b"HTTP/1.1 204 ", 204, b""),
        (b"HTTP/1.1 100 Continue", 100, b"Continue"),
        (b"HTTP/1.1 599 Any\tthing \xe9", 599, b"Any\tthing \xe9"),
    ],
)
def test_status_lines(line: bytes, status: int, reason: bytes) -> None:
    head = parse_response_head(line + b"\r\n\r\n")
    assert (head.status, head.reason, head.headers, head.body) == (status, reason, [], b"")


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("last", [b"\r\n", b"\n"])
def test_lines_may_end_in_lf(line_end: bytes, last: bytes) -> None:
    head = parse_response_head(b"HTTP/1.1 200 OK" + line_end + b"A: b" + line_end + last + b"\r\nx\n\n")
    assert (head.headers, head.body) == ([(b"A", b"b")], b"\r\nx\n\n")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"A:b", b"b"),
        (b"A: b", b"b"),
        (b"A:\t b c \t", b"b c"),
        (b"A:", b""),
        (b"A: \t ", b""),
        (b"A: :b:", b":b:"),
        (b"A: \x80\xff", b"\x80\xff"),
        (b"A: b\t  c", b"b\t  c"),
    ],
)
def test_white_space_around_a_value_is_no_part_of_it(line: bytes, value: bytes) -> None:
    assert parse_response_head(b"HTTP/1.1 200\n" + line + b"\r\n\r\n").headers == [(b"A", value)]


def test_a_name_may_be_any_token() -> None:
    name = b"!#$%&'*+-.^_`|~09azAZ"
    assert parse_response_head(b"HTTP/1.1 200\r\n" + name + b": x\r\n\r\n").headers == [(name, b"x")]


def test_what_follows_a_head_in_a_memoryview_is_not_copied() -> None:
    data = bytearray(b"HTTP/1.1 200 OK\r\n\r\npayload")
    with memoryview(data) as view:
        body = parse_response_head(view).body
        assert isinstance(body, memoryview)
        data[-7:] = b"PAYLOAD"
        assert bytes(body) == b"PAYLOAD"
        body.release()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no empty line"),
        (b"HTTP/1.1 200 OK\r\n", "no empty line"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", "no empty line"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r", "no empty line"),
        (b"\r\n\r\n", "expected a status line"),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "expected a status line"),
        (b"HTTP/1.1 99 Low\r\n\r\n", "expected a status line"),
        (b"HTTP/1.1 099 Low\r\n\r\n", "expected a status line"),
        (b"HTTP/1.1 600 High\r\n\r\n", "expected a status line"),
        (b"HTTP/1.1 2000 Long\r\n\r\n", "expected a status line"),
        (b"HTTP/1.1 200OK\r\n\r\n", "expected a status line"),
        (b"HTTP/1.1  200 OK\r\n\r\n", "expected a status line"),
        (b"HTTP/1.1\r\n\r\n", "expected a status line"),
        (b"HTTP/1.10 200 OK\r\n\r\n", "expected a status line"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "expected a status line"),
        (b"http/1.1 200 OK\r\n\r\n", "expected a status line"),
        (b"HTTP/1.1 200 O\x01K\r\n\r\n", "expected a status line"),
        (b"HTTP/1.1 200 O\0K\r\n\r\n", "NUL"),
        (b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", "NUL"),
        (b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", "CR without LF"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n", "CR without LF"),
        (b"HTTP/1.1 200 OK\rA: b\r\n\r\n", "CR without LF"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "line 3 is folded"),
        (b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n", "line 2 is folded"),
        (b"HTTP/1.1 200 OK\r\nA: b\n\tc\n\n", "line 3 is folded"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\nnonsense\r\n\r\n", "line 3 has no colon: 'nonsense'"),
        (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "malformed header name: 'A '"),
        (b"HTTP/1.1 200 OK\r\n: b\r\n\r\n", "malformed header name: ''"),
        (b"HTTP/1.1 200 OK\r\nA(b): c\r\n\r\n", "malformed header name"),
        (b"HTTP/1.1 200 OK\r\n\xc3\xa4: c\r\n\r\n", "malformed header name"),
        (b"HTTP/1.1 200 OK\r\nA: b\x7f\r\n\r\n", "line 2 ('A') holds a control character"),
        (b"HTTP/1.1 200 OK\r\nA: \x0b\r\n\r\n", "control character"),
    ],
)
@pytest.mark.parametrize("container", [bytes, memoryview, bytearray])
def test_a_malformed_head_is_refused_with_its_fault(
    data: bytes, reason: str, container: type[bytes] | type[memoryview] | type[bytearray]
) -> None:
    with pytest.raises(NodeError) as caught:
        parse_response_head(container(data))
    assert reason in caught.value.reason
    assert caught.value.reason.startswith("malformed response head: ")
    assert "grammar" not in caught.value.reason


def test_a_fault_never_shows_a_value() -> None:
    with pytest.raises(NodeError) as caught:
        parse_response_head(b"HTTP/1.1 200 OK\r\nSet-Cookie: secret=1234\x01\r\n\r\n")
    assert "secret" not in caught.value.reason


def test_a_head_has_a_greatest_size() -> None:
    start = b"HTTP/1.1 200 OK\r\nA: "
    fitting = start + b"x" * (MAX_RESPONSE_HEAD - len(start) - 4) + b"\r\n\r\n"
    assert parse_response_head(fitting + b"body").body == b"body"
    with pytest.raises(NodeError, match=f"longer than {MAX_RESPONSE_HEAD} bytes"):
        parse_response_head(start + b"x" + fitting[len(start) :])
    with pytest.raises(NodeError, match="no empty line"):
        parse_response_head(fitting[:-2])


# ---------------------------------------------------------------- find_head_end


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", -1),
        (b"A\r\n\r", -1),
        (b"A\r\n\r\n", 5),
        (b"A\n\nB\r\n\r\n", 3),
        (b"A\n\r\nB\n\n", 4),
        (b"A\r\n\nB", 4),
        (b"A\r\n\r\r\n", -1),
        (b"A\nB\nC\n", -1),
    ],
)
def test_the_first_empty_line_ends_the_head(data: bytes, end: int) -> None:
    assert find_head_end(data) == end


@pytest.mark.parametrize("data", [b"AB\r\n\r\nrest", b"AB\n\nrest", b"AB\r\n\nrest", b"AB\n\r\nrest"])
def test_a_head_is_found_over_any_pieces(data: bytes) -> None:
    whole = find_head_end(data)
    for size in range(1, len(data)):
        collected = bytearray()
        found = -1
        while found < 0:
            old_end = len(collected)
            collected += data[old_end : old_end + size]
            found = find_head_end(collected, max(0, old_end - 3))
        assert found == whole


# ---------------------------------------------------------------- response_head


def test_a_head_from_parts() -> None:
    head = response_head(b"201 Created", [(b"A", b" b "), (b"a", b"")])
    assert head == NodeHead(201, b"Created", [(b"A", b"b"), (b"a", b"")])
    assert response_head(b"200", []) == NodeHead(200, b"", [])


@pytest.mark.parametrize(
    "status", [b"", b"OK", b"20", b"2000", b"200OK", b"099", b"600", b"200 O\nK", b"200\r\n"]
)
def test_a_malformed_status_is_refused(status: bytes) -> None:
    with pytest.raises(NodeError, match="malformed status"):
        response_head(status, [])


@pytest.mark.parametrize("name", [b"", b"A b", b"A:", b"A\r\nB", b"A\n", b"\xe9"])
def test_a_malformed_name_is_refused(name: bytes) -> None:
    assert not is_field(name, b"x")
    with pytest.raises(NodeError, match="malformed header name"):
        response_head(b"200", [(name, b"x")])


@pytest.mark.parametrize("value", [b"a\r\nB: c", b"a\n", b"\r", b"\0", b"\x1f", b"\x7f"])
def test_a_value_cannot_smuggle_a_line_break(value: bytes) -> None:
    assert not is_field(b"A", value)
    with pytest.raises(NodeError, match="line break, NUL or another control character"):
        response_head(b"200", [(b"A", value)])


# ---------------------------------------------------------------- response_framing


def _framing(*fields: tuple[bytes, bytes]) -> tuple[int | None, bool]:
    return response_framing(NodeHead(200, b"", list(fields)))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], (None, False)),
        ([(b"Content-Length", b"0")], (0, False)),
        ([(b"content-LENGTH", b"13")], (13, False)),
        ([(b"Content-Length", b"013"), (b"content-length", b"13")], (13, False)),
        ([(b"Content-Length", b"13, 13")], (13, False)),
        ([(b"Transfer-Encoding", b"chunked")], (None, True)),
        ([(b"transfer-encoding", b" Chunked ")], (None, True)),
        ([(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"5")], (None, True)),
        (
            [(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"6")],
            (None, True),
        ),
        ([(b"Content-Lengthy", b"5"), (b"X-Transfer-Encoding", b"gzip")], (None, False)),
    ],
)
def test_framing(fields: list[tuple[bytes, bytes]], expected: tuple[int | None, bool]) -> None:
    assert _framing(*fields) == expected


@pytest.mark.parametrize(
    "coding",
    [b"", b"identity", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"chunked;a=b", b"xchunked"],
)
def test_another_coding_is_refused(coding: bytes) -> None:
    with pytest.raises(NodeError, match="unknown transfer coding"):
        _framing((b"Transfer-Encoding", coding))


def test_codings_of_two_fields_count_together() -> None:
    with pytest.raises(NodeError, match="unknown transfer coding 'chunked, chunked'"):
        _framing((b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked"))


@pytest.mark.parametrize(
    "value",
    [b"", b"-1", b"+1", b"1.0", b"0x10", b"1 2", b"1_000", b"1,", b",", b"\xb2", b"9" * 19, b"9" * 5000],
)
def test_a_malformed_length_is_refused(value: bytes) -> None:
    with pytest.raises(NodeError, match="malformed Content-Length"):
        _framing((b"Content-Length", value))


def test_two_different_lengths_are_refused() -> None:
    for fields in ([b"5", b"6"], [b"5, 6"], [b"5, 5", b"6"]):
        with pytest.raises(NodeError, match="two different Content-Length"):
            _framing(*((b"Content-Length", value) for value in fields))


# ---------------------------------------------------------------- lists of fields


def test_looking_up_fields_ignores_their_case() -> None:
    headers = [(b"A", b"1"), (b"b", b"2"), (b"a", b"3")]
    assert field_value(headers, b"a") == b"1"
    assert list(field_values(headers, b"a")) == [b"1", b"3"]
    assert field_value(headers, b"c") is None
    assert without(headers, frozenset({b"a"})) == [(b"b", b"2")]


def test_comma_lists() -> None:
    assert list_items(b" Keep-Alive,, X ,\ty\t,") == [b"keep-alive", b"x", b"y"]
    assert list_items(b"") == []
    assert field_items([(b"Connection", b"a, B"), (b"X", b"no"), (b"connection", b"c")], b"connection") == [
        b"a",
        b"b",
        b"c",
    ]


def test_repeated_fields_are_combined_in_order() -> None:
    headers = [(b"a", b"1"), (b"cookie", b"x=1"), (b"a", b"2"), (b"cookie", b"y=2"), (b"b", b"")]
    assert list(combine(headers).items()) == [(b"a", b"1, 2"), (b"cookie", b"x=1; y=2"), (b"b", b"")]
    assert combine([]) == {}


# ---------------------------------------------------------------- NameTable


def test_a_name_table_works_a_name_out_once() -> None:
    asked: list[bytes] = []

    def upper(name: bytes) -> bytes:
        asked.append(name)
        return name.upper()

    table = NameTable(upper)
    asked.clear()
    assert [table[b"x-new"], table[b"x-new"], table[b"accept"]] == [b"X-NEW", b"X-NEW", b"ACCEPT"]
    assert asked == [b"x-new"]


def test_a_name_table_is_bounded_and_keeps_the_usual_names() -> None:
    table = NameTable(bytes.upper)
    for number in range(2 * MAX_TABLE_NAMES):
        assert table[b"x-%d" % number] == b"X-%d" % number
    assert len(table) == MAX_TABLE_NAMES
    assert b"accept-encoding" in table


def test_a_name_table_does_not_keep_long_names() -> None:
    table = NameTable(bytes.upper)
    assert table[b"x" * (MAX_TABLE_NAME_LENGTH + 1)] == b"X" * (MAX_TABLE_NAME_LENGTH + 1)
    assert b"x" * (MAX_TABLE_NAME_LENGTH + 1) not in table
