"""Response heads from JSON: the family's contract, every form that is read, and what is refused and why."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.errors import NodeError
from blastbeat.events import NodeHead
from blastbeat.headers import MAX_RESPONSE_HEAD, parse_response_head
from blastbeat.interfaces import Encoder
from blastbeat.testing import EncoderContract
from blastbeat_json_encoder import JsonEncoder
from blastbeat_json_encoder.responses import MAX_FIELDS, MAX_TEXT
from json_encoder_case import decode, fault_of, make, relaxed

CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class TestContract(EncoderContract):
    valid_bodies: Sequence[bytes] = (
        b'{"status": 200}',
        b' {"status":404,"reason":"Gone fishing","headers":{}}\n',
        b'{"headers":{"Content-Type":"text/plain","Content-Length":5,"Set-Cookie":["a=1","b=2"]},"status":200}',
        b'{"status":101,"headers":[["Upgrade","websocket"],["X-A","\\u00ff"],["X-A","2"]]}',
        '{"status":200,"headers":{"X-Name":"Zo\xeb"}}'.encode(),
    )
    invalid_bodies: Sequence[bytes] = (
        b"",
        b"200",
        b"[]",
        b"{}",
        b'{"status":200}{}',
        b'{"status":200,}',
        b'{"status":200,"status":200}',
        b'{"status":NaN}',
        b"\xef\xbb\xbf" + b'{"status":200}',
        '{"status":200}'.encode("utf-16"),
        b'{"status":200,"reason":"\xff"}',
        b"[" * 100_000,
        b'{"status":200,"reason":' + b"1" * 5000 + b"}",
        b'{"status":200,"headers":' + b"[" * 500 + b"]" * 500 + b"}",
    )

    def new_encoder(self) -> Encoder:
        return make()


def test_a_head_is_read() -> None:
    assert decode(
        {"status": 200, "reason": "Ok", "headers": {"A": "b", "C": ["d", "e"], "F": 7, "G": []}}
    ) == (NodeHead(200, b"Ok", [(b"A", b"b"), (b"C", b"d"), (b"C", b"e"), (b"F", b"7")]))
    assert decode({"status": 204}) == NodeHead(204, b"", [])
    assert decode({"status": 200, "headers": [["A", "b"], ["a", 0], ["A", " c\t"]]}) == (
        NodeHead(200, b"", [(b"A", b"b"), (b"a", b"0"), (b"A", b"c")])
    )
    assert decode({"status": 200, "headers": []}) == NodeHead(200, b"", []), "an empty table of PHP"


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        ([], "expected an object like"),
        ("200 OK", "expected an object like"),
        ({"status": 200, "body": "x"}, "status, reason and headers are all .* not 'body'"),
        ({"Status": 200}, "not 'Status'"),
        ({}, "status must be a whole number from 100 to 599, not null"),
        ({"status": 99}, "not 99"),
        ({"status": 600}, "not 600"),
        ({"status": 10**30}, "not 10"),
        ({"status": True}, "not True"),
        ({"status": 200.0}, "not 200.0"),
        ({"status": "200"}, "not '200'"),
        ({"status": None}, "not null"),
        ({"status": 200, "reason": None}, "reason must be a string, not null"),
        ({"status": 200, "reason": "a\r\nB: c"}, "malformed status"),
        ({"status": 200, "reason": "\u2713"}, r"reason holds '\\u2713', which is no byte"),
        ({"status": 200, "headers": None}, "headers must be an object, or a list of .*, not null"),
        ({"status": 200, "headers": "A: b"}, "not 'A: b'"),
        ({"status": 200, "headers": ["A: b"]}, "not of 'A: b'"),
        ({"status": 200, "headers": [["A"]]}, "not of a list"),
        ({"status": 200, "headers": [["A", "b", "c"]]}, "not of a list"),
        ({"status": 200, "headers": [{"A": "b"}]}, "not of an object"),
        ({"status": 200, "headers": [[1, "b"]]}, "the name of a header must be a string, not 1"),
        ({"status": 200, "headers": {"A": None}}, "the value of 'A' must be a string or .*, not null"),
        ({"status": 200, "headers": {"A": True}}, "the value of 'A' must be a string or .*, not True"),
        ({"status": 200, "headers": {"A": 1.5}}, "not 1.5"),
        ({"status": 200, "headers": {"A": -1}}, "not -1"),
        ({"status": 200, "headers": {"A": 2**53}}, "not 9007199254740992"),
        ({"status": 200, "headers": {"A": {"b": "c"}}}, "not an object"),
        ({"status": 200, "headers": {"A": [["b"]]}}, "not a list"),
        ({"status": 200, "headers": {"A": "b\r\nC: d"}}, "'A' holds a line break"),
        ({"status": 200, "headers": {"A": "\0"}}, "'A' holds a line break, NUL"),
        ({"status": 200, "headers": {"A": "\ud800"}}, r"'A' holds '\\ud800', which is no byte"),
        ({"status": 200, "headers": {"A:": "b"}}, "malformed header name 'A:'"),
        ({"status": 200, "headers": {"": "b"}}, "malformed header name ''"),
        ({"status": 200, "headers": {"A ": "b"}}, "malformed header name 'A '"),
        ({"status": 200, "headers": {"\xe9": "b"}}, "malformed header name"),
        ({"status": 200, "headers": {"X-A": "1", "x-a": "2"}}, "'x-a' comes twice in an object; a list"),
        (b'{"status":200,"status":404}', "'status' comes twice"),
        (b'{"status":200,"headers":{"A":"1","A":"1"}}', "'a' comes twice"),
        (b'{"status":Infinity}', "Infinity is no JSON"),
        (b'{"status":200', "line 1 column"),
        (b"\xff\xfe", "can't decode byte 0xff"),
        (b"[" * 200_000, "nested too deeply|line 1"),
        (b" " * (MAX_TEXT + 1), f"longer than {MAX_TEXT}"),
    ],
)
def test_what_is_wrong_is_said(head: object, fault: str) -> None:
    assert re.search(fault, fault_of(head))


def test_sizes_are_those_of_other_notations() -> None:
    size = MAX_RESPONSE_HEAD - len("A") - 4
    assert decode({"status": 200, "headers": {"A": "\xff" * size}}).headers == [(b"A", b"\xff" * size)]
    assert "at most" in fault_of({"status": 200, "headers": {"A": "\xff" * (size + 1)}})
    assert len(decode({"status": 200, "headers": [["A", ""]] * MAX_FIELDS}).headers) == MAX_FIELDS
    assert "at most" in fault_of({"status": 200, "headers": [["A", ""]] * (MAX_FIELDS + 1)})


# ---------------------------------------------------------------- any heads, any bytes

tokens = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=8)
texts = st.binary(max_size=20).map(lambda data: CONTROL.sub(b"", data).strip(b" \t"))
fields = st.lists(st.tuples(tokens.map(str.encode), texts), max_size=8)


def spelled(head: NodeHead, as_object: bool, ascii_only: bool) -> bytes:
    """The head in JSON, as one library or another would write it."""
    pairs = [[name.decode(), value.decode("latin-1")] for name, value in head.headers]
    headers: object = pairs
    if as_object:
        grouped: dict[str, list[str]] = {}
        for name, value in pairs:
            grouped.setdefault(name, []).append(value)
        headers = {name: values[0] if len(values) == 1 else values for name, values in grouped.items()}
    whole = {"status": head.status, "headers": headers, "reason": head.reason.decode("latin-1")}
    return json.dumps(whole, ensure_ascii=ascii_only).encode()


@relaxed
@given(st.integers(100, 599), texts, fields, st.booleans(), st.booleans())
def test_every_head_comes_back_as_it_would_as_text(
    status: int, reason: bytes, fields: list[tuple[bytes, bytes]], as_object: bool, ascii_only: bool
) -> None:
    if as_object:
        first = {name.lower(): name for name, _ in reversed(fields)}
        names = list(dict.fromkeys(first[name.lower()] for name, _ in fields))
        fields = [(one, value) for one in names for name, value in fields if name.lower() == one.lower()]
    text = b"HTTP/1.1 %d %b\r\n" % (status, reason)
    head = parse_response_head(text + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n")
    assert head == NodeHead(status, reason, fields)
    assert decode(spelled(head, as_object, ascii_only)) == head


def assert_head_or_node_error(body: bytes) -> None:
    try:
        head = JsonEncoder().decode(memoryview(body))
    except NodeError as error:
        assert error.reason.startswith("json: ") and error.reason.isprintable() and error.reason.isascii()
    else:
        assert 100 <= head.status <= 599
        for text in (head.reason, *(part for field in head.headers for part in field)):
            assert not CONTROL.search(text)


@relaxed
@given(st.binary(max_size=100))
def test_any_bytes_give_a_head_or_a_node_error(body: bytes) -> None:
    assert_head_or_node_error(body)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@relaxed
@given(
    st.fixed_dictionaries(
        {"status": st.integers(0, 700) | anything},
        optional={"reason": st.text(max_size=8) | anything, "headers": anything, "x": anything},
    )
    | anything
)
def test_any_json_gives_a_head_or_a_node_error(value: object) -> None:
    assert_head_or_node_error(json.dumps(value).encode())


WHOLE = b'{"status":200,"reason":"OK","headers":{"Content-Length":5,"Set-Cookie":["a=1","b=\\u00ff"]}}'


@relaxed
@given(st.integers(0, len(WHOLE)), st.binary(max_size=4), st.integers(0, 4))
def test_a_damaged_head_gives_a_head_or_a_node_error(position: int, change: bytes, cut: int) -> None:
    assert_head_or_node_error(WHOLE[:position] + change + WHOLE[position + cut :])
