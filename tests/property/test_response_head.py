"""Response heads as text: every head in the grammar comes back as it was, any bytes at all give a head or a
NodeError, and what is told of framing never smuggles."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from blastbeat.errors import NodeError
from blastbeat.events import Headers, NodeHead
from blastbeat.headers import find_head_end, parse_response_head, response_framing
from tests.helpers.encoders import encoder, request

CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
tokens = st.text(TOKEN_CHARACTERS, min_size=1, max_size=12).map(str.encode)
texts = st.binary(max_size=40).map(lambda data: CONTROLS.sub(b"", data))
values = texts.map(lambda text: text.strip(b" \t"))
fields: st.SearchStrategy[Headers] = st.lists(st.tuples(tokens, values), max_size=12)
line_ends = st.sampled_from([b"\r\n", b"\n"])
blanks = st.text(" \t", max_size=3).map(str.encode)

# Bytes that are nearly a head find more than random ones.
pieces = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 204",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b"A",
        b"A: b",
        b"\r\n\r\n",
    ]
    + [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"\n\n", b"\x7f", b"\xe9", b"HTTP/1."]
)
nearly_heads = st.lists(pieces | st.binary(max_size=3), max_size=20).map(b"".join)


@given(
    status=st.integers(100, 599),
    reason=values,
    fields=fields,
    body=st.binary(max_size=40),
    data=st.data(),
)
def test_a_head_comes_back_as_it_was(
    status: int, reason: bytes, fields: Headers, body: bytes, data: st.DataObject
) -> None:
    line = b"HTTP/1.%d %d" % (data.draw(st.integers(0, 1)), status)
    text = line + (b" " + reason if reason else b"") + data.draw(line_ends)
    for name, value in fields:
        text += name + b":" + data.draw(blanks) + value + data.draw(blanks) + data.draw(line_ends)
    text += data.draw(line_ends)
    head = NodeHead(status, reason, fields, body)
    assert parse_response_head(text + body) == head
    assert parse_response_head(memoryview(text + body)) == head
    assert find_head_end(text + body) == len(text)


@given(st.binary(max_size=100) | nearly_heads | nearly_heads.map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest))
def test_any_bytes_give_a_head_or_a_node_error(body: bytes) -> None:
    try:
        head = parse_response_head(body)
    except NodeError as error:
        assert error.reason.startswith("malformed response head: ")
        # Every refusal has a reason that helps; "the grammar" would mean that the diagnosis missed it.
        assert "grammar" not in error.reason
        return
    assert 100 <= head.status <= 599
    for name, value in head.headers:
        assert name and not re.search(rb"[\x00-\x20\x7f:]", name)
        assert not CONTROLS.search(value)
        assert value == value.strip(b" \t")
    end = find_head_end(body)
    assert bytes(head.body) == body[end:]
    assert body[:end].count(b"\n") == len(head.headers) + 2


@given(nearly_heads, st.lists(st.integers(1, 10), min_size=1))
def test_the_end_of_a_head_is_found_over_any_pieces(body: bytes, sizes: list[int]) -> None:
    collected = bytearray()
    position = number = 0
    found = -1
    while position < len(body) and found < 0:
        size = sizes[number % len(sizes)]
        old_end = len(collected)
        collected += body[position : position + size]
        found = find_head_end(collected, max(0, old_end - 3))
        position += size
        number += 1
    assert found == find_head_end(body)


lengths = st.tuples(
    st.sampled_from([b"Content-Length", b"content-length"]),
    st.sampled_from([b"0", b"5", b"05", b"5, 5", b"5,6", b"", b"x", b"-5", b"6"]),
)
codings = st.tuples(
    st.sampled_from([b"Transfer-Encoding", b"transfer-encoding"]),
    st.sampled_from([b"chunked", b"Chunked", b"gzip", b"gzip, chunked", b"", b"identity"]),
)


@given(st.lists(lengths | codings | st.tuples(tokens, values), max_size=5))
def test_framing_is_one_length_or_chunked_or_refused(headers: Headers) -> None:
    named = [(name.lower(), value) for name, value in headers]
    codings_told = [value.lower() for name, value in named if name == b"transfer-encoding"]
    coded = [
        value for value in codings_told if value
    ]  # RFC 9110 §5.6.1: empty members of a list do not count
    declared = {
        number.strip() for name, value in named if name == b"content-length" for number in value.split(b",")
    }
    try:
        length, is_chunked = response_framing(NodeHead(200, b"", headers))
    except NodeError:
        good = all(re.fullmatch(rb"[0-9]+", number) for number in declared)
        assert (
            (codings_told and coded != [b"chunked"])
            or not good
            or len({int(number) for number in declared}) > 1
        )
        return
    if coded:
        assert (coded, length, is_chunked) == ([b"chunked"], None, True)
    else:
        assert not is_chunked
        expected: set[int | None] = {int(number) for number in declared}
        assert {length} == (expected or {None})


@given(fields=fields, target=values.map(lambda text: b"/" + text))
def test_a_request_head_is_read_by_a_plain_reader(fields: Headers, target: bytes) -> None:
    lowered = [(name.lower(), value) for name, value in fields]
    text: bytes = encoder("headers").encode_request(request(lowered, target=target))
    first, *lines, empty, rest = text.split(b"\r\n")
    assert (first, empty, rest) == (b"GET " + target + b" HTTP/1.1", b"", b"")
    read = [line.split(b": ", 1) for line in lines]
    assert [(name.lower(), value) for name, value in read] == lowered
