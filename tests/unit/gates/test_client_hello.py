"""The server name in a ClientHello: of real ones, of crafted ones, and of what is none."""

from __future__ import annotations

import ssl
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.gates.client_hello import MAX_HELLO, HelloGate


def find_server_name(data: bytes) -> bytes | None:
    """Of what comes in one piece."""
    return HelloGate().receive(data)


@cache
def hello(name: str | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    """What Python's own client begins with."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.maximum_version = version
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", ["example.org", "EXAMPLE.org", "a.b-c.example", "localhost"])
def test_real_hellos(name: str, version: ssl.TLSVersion) -> None:
    data = hello(name, version)
    assert find_server_name(data) == name.lower().encode()
    assert find_server_name(data + b"more") == name.lower().encode()


def test_every_beginning_of_one_asks_for_more() -> None:
    data = hello("example.org")
    assert {find_server_name(data[:size]) for size in range(len(data))} == {None}


def test_one_without_a_name() -> None:
    assert find_server_name(hello(None)) == b""


@pytest.mark.parametrize("size", [1, 7, 100])
def test_one_in_many_records(size: int) -> None:
    message = hello("example.org")[5:]
    pieces = [message[i : i + size] for i in range(0, len(message), size)]
    data = b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)
    assert find_server_name(data) == b"example.org"


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x17\x03\x01\x00\x05hello",
        b"\x16\x03\x01\x00\x01\x01" * MAX_HELLO,
    ],
)
def test_what_is_none_names_nobody(data: bytes) -> None:
    assert find_server_name(data) == b""


def in_pieces(data: bytes, cuts: list[int]) -> bytes | None:
    gate, name, begin = HelloGate(), None, 0
    for end in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        if name is None and end > begin:
            name = gate.receive(data[begin:end])
        begin = end
    return name


@given(st.integers(1, 600), st.lists(st.integers(0, 10_000), max_size=30))
def test_any_split_gives_the_same_name(record: int, cuts: list[int]) -> None:
    message = hello("www.Example.org")[5:]
    pieces = [message[i : i + record] for i in range(0, len(message), record)]
    data = b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)
    assert in_pieces(data, cuts) == b"www.example.org"


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_name_somebody_or_nobody(data: bytes, cuts: list[int]) -> None:
    for whole in (data, b"\x16\x03\x01" + len(data).to_bytes(2, "big") + data):
        assert in_pieces(whole, cuts) == (in_pieces(whole, []) if whole else None)


@given(st.integers(0, 600), st.integers(0, 255))
def test_a_changed_byte_raises_nothing(at: int, value: int) -> None:
    data = bytearray(hello("www.example.org"))
    data[at % len(data)] = value
    name = find_server_name(bytes(data))
    assert name is None or len(name) <= 253


def test_bytes_that_never_end_are_not_gathered_for_ever() -> None:
    gate, received = HelloGate(), 0
    while gate.receive(b"\x16\x03\x01\x00\x01" + (b"\x01" if not received else b"\x00")) is None:
        received += 1
        assert received <= MAX_HELLO
