"""The server name in a ClientHello: of real ones, of crafted ones, and of what is none."""

from __future__ import annotations

import ssl

import pytest

from blastbeat.gates.client_hello import MAX_HELLO, find_server_name


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
