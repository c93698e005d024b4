"""The uwsgi format: every request that fits is read whole by readers of either kind, every response head
comes back as it was, and any bytes at all give a head or a NodeError."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.errors import ClientError, NodeError
from blastbeat.events import Headers, NodeHead
from tests.helpers.encoders import encoder, request
from tests.helpers.uwsgi import read_pairs, write_packet

UWSGI = encoder("uwsgi")

TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
tokens = st.text(TOKEN_CHARACTERS, min_size=1, max_size=12).map(str.encode)
texts = st.binary(max_size=40).map(lambda data: re.sub(rb"[\x00-\x08\x0a-\x1f\x7f]", b"", data))
values = texts.map(lambda text: text.strip(b" \t"))

request_names = st.text("abcxyz-.09!", min_size=1, max_size=8).map(str.encode)
request_headers: st.SearchStrategy[Headers] = st.lists(
    st.tuples(request_names | st.sampled_from([b"cookie", b"content-type", b"accept"]), values), max_size=12
)


def read_as_published_clients_do(packet: bytes) -> dict[bytes, bytes]:
    """The loop of the original's clients: from behind the prefix until the offset reaches the size."""
    size = packet[1] | packet[2] << 8
    variables = {}
    offset = 4
    while offset < size:
        ends = []
        for _ in range(2):
            length = packet[offset] | packet[offset + 1] << 8
            ends.append((offset + 2, offset + 2 + length))
            offset += 2 + length
        (name_start, name_end), (value_start, value_end) = ends
        variables[packet[name_start:name_end]] = packet[value_start:value_end]
    return variables


def with_header_counted(packet: bytes) -> bytes:
    """The same packet with the original's size, which counts the prefix in."""
    size = int.from_bytes(packet[1:3], "little") + 4
    return packet[:1] + size.to_bytes(2, "little") + packet[3:]


def expected_variables(headers: Headers) -> dict[bytes, bytes]:
    """What CGI makes of the fields, written down a second time."""
    joined: dict[str, str] = {}
    for name, value in headers:
        variable = name.decode().upper().replace("-", "_")
        if variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            variable = f"HTTP_{variable}"
        separator = "; " if name == b"cookie" else ", "
        text = value.decode("latin-1")
        joined[variable] = joined[variable] + separator + text if variable in joined else text
    return {name.encode(): value.encode("latin-1") for name, value in joined.items()}


@given(
    headers=request_headers, target=st.binary(max_size=30).map(lambda rest: b"/" + rest), raw=st.booleans()
)
def test_readers_of_both_kinds_read_every_request_whole(headers: Headers, target: bytes, raw: bool) -> None:
    packet = UWSGI.encode_request(request(headers, target=target, raw_path_info=raw))
    variables = dict(read_pairs(packet))
    assert len(variables) == len(read_pairs(packet))
    assert {name: variables[name] for name in expected_variables(headers)} == expected_variables(headers)
    assert len(variables) == 11 + len(expected_variables(headers))
    assert variables[b"REQUEST_URI"] == target
    # The published loop begins nothing in the last four bytes, but no variable begins there: the shortest
    # has five.
    assert read_as_published_clients_do(packet) == variables
    assert read_as_published_clients_do(with_header_counted(packet)) == variables


@given(
    status=st.integers(100, 599),
    reason=values,
    fields=st.lists(st.tuples(tokens.filter(lambda name: name != b"STATUS"), values), max_size=12),
    position=st.integers(0, 12),
    count_header=st.booleans(),
)
def test_a_response_head_comes_back_as_it_was(
    status: int, reason: bytes, fields: Headers, position: int, count_header: bool
) -> None:
    line = b"%d %b" % (status, reason) if reason else b"%d" % status
    pairs = [*fields[:position], (b"STATUS", line), *fields[position:]]
    packet = write_packet(pairs, count_header=count_header)
    assert UWSGI.decode(memoryview(packet)) == NodeHead(status, reason, fields, b"")


def assert_head_or_node_error(body: bytes) -> None:
    try:
        head = UWSGI.decode(memoryview(body))
    except NodeError as error:
        assert error.reason
    else:
        assert 100 <= head.status <= 599
        for text in (head.reason, *(part for field in head.headers for part in field)):
            assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", text)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_head_or_a_node_error(body: bytes) -> None:
    assert_head_or_node_error(body)


@given(
    pairs=st.lists(
        st.tuples(st.just(b"STATUS") | st.binary(max_size=8), st.just(b"200 OK") | st.binary(max_size=8))
    ),
    position=st.integers(0, 200),
    change=st.binary(max_size=3),
    size=st.none() | st.integers(0, 65535),
)
def test_a_damaged_head_gives_a_head_or_a_node_error(
    pairs: Headers, position: int, change: bytes, size: int | None
) -> None:
    packet = write_packet(pairs)
    packet = packet[:position] + change + packet[position + len(change) :]
    if size is not None:
        packet = packet[:1] + size.to_bytes(2, "little") + packet[3:]
    assert_head_or_node_error(packet)


@given(sizes=st.lists(st.integers(0, 40_000), max_size=4), target=st.integers(0, 40_000))
def test_what_does_not_fit_is_refused_and_nothing_else(sizes: list[int], target: int) -> None:
    headers = [(b"x-%d" % number, b"v" * size) for number, size in enumerate(sizes)]
    forwarded = request(headers, target=b"/" + b"t" * target)
    smallest = len(UWSGI.encode_request(request([(name, b"") for name, _ in headers], target=b"/"))) - 4
    needed = smallest + sum(sizes) + 2 * target  # the target stands in REQUEST_URI and in PATH_INFO
    if needed <= 65535:
        assert len(UWSGI.encode_request(forwarded)) == needed + 4
    else:
        with pytest.raises(ClientError) as caught:
            UWSGI.encode_request(forwarded)
        assert caught.value.status == 431
