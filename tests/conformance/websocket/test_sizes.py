"""Large messages, in one frame, in fragments and in small pieces of TCP; many small ones (class 9 and 10)."""

from __future__ import annotations

import pytest

from tests.helpers.websocket_cases import MIB, Case, EchoServer
from tests.helpers.websocket_frames import BINARY, TEXT, cut, fragments, frame, frame_header

KIB = 1024
KINDS = pytest.mark.parametrize(("opcode", "word"), [(TEXT, b"BAsd7&jh23"), (BINARY, b"\x00\xfe\x01")])


def payload(word: bytes, size: int) -> bytes:
    return (word * (size // len(word) + 1))[:size]


@KINDS
@pytest.mark.parametrize("size", [64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB])
def test_in_one_frame(server: EchoServer, opcode: int, word: bytes, size: int) -> None:
    data = payload(word, size)
    server.run(Case("", frame(opcode, data), ((opcode, data),)))


@KINDS
@pytest.mark.parametrize("size", [64, 256, KIB, 64 * KIB])
def test_in_fragments(server: EchoServer, opcode: int, word: bytes, size: int) -> None:
    data = payload(word, MIB)
    server.run(Case("", b"".join(fragments(opcode, cut(data, size))), ((opcode, data),)))


@KINDS
@pytest.mark.parametrize("chop", [64, 500, 1300, 2048])
def test_in_pieces(server: EchoServer, opcode: int, word: bytes, chop: int) -> None:
    data = payload(word, 256 * KIB)
    server.run(Case("", frame(opcode, data), ((opcode, data),)), chop)


@KINDS
@pytest.mark.parametrize("size", [0, 16, 4096])
def test_many_one_after_the_other(server: EchoServer, opcode: int, word: bytes, size: int) -> None:
    client = server.client()
    data = payload(word, size)
    for _ in range(100):
        client.send(frame(opcode, data))
        client.expect(opcode, data)
    client.send_all([frame(opcode, b"%d" % number) for number in range(1000)])
    for number in range(1000):
        client.expect(opcode, b"%d" % number)
    client.finish()


@KINDS
def test_one_byte_more_than_a_message_may_have(server: EchoServer, opcode: int, word: bytes) -> None:
    server.run(Case("", frame_header(opcode, 16 * MIB + 1), (), 1009))
