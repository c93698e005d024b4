"""RFC 6455 §5: sizes, pings, reserved bits, opcodes, fragments (Autobahn's classes 1 to 5)."""

from __future__ import annotations

import pytest

from tests.helpers.websocket_cases import Case, EchoServer
from tests.helpers.websocket_frames import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    fragments,
    frame,
)

HELLO = b"Hello, world!"
GOOD = frame(TEXT, HELLO)
ECHO = (TEXT, HELLO)
NEXT = frame(PING, b"behind it")  # what comes behind a failure is never looked at


def part(opcode: int, payload: bytes) -> bytes:
    return frame(opcode, payload, fin=False)


SIZES = [
    Case(f"{name} of {size} bytes", frame(opcode, piece * size), ((opcode, piece * size),))
    for opcode, name, piece in ((TEXT, "text", b"*"), (BINARY, "binary", b"\xfe"))
    for size in (0, 125, 126, 127, 128, 65535, 65536)
]

PINGS = [
    Case("an empty ping", frame(PING), ((PONG, b""),)),
    Case("a ping of text", frame(PING, HELLO), ((PONG, HELLO),)),
    Case("a ping of bytes", frame(PING, b"\x00\xff\xfe\xfd"), ((PONG, b"\x00\xff\xfe\xfd"),)),
    Case("a ping of 125 bytes", frame(PING, b"\xfe" * 125), ((PONG, b"\xfe" * 125),)),
    Case("a ping of 126 bytes", frame(PING, b"\xfe" * 126), (), 1002),
    Case("a pong nobody asked for", frame(PONG)),
    Case("a pong with payload", frame(PONG, HELLO)),
    Case("a pong, then a ping", frame(PONG, HELLO) + frame(PING, b"x"), ((PONG, b"x"),)),
    Case(
        "ten pings",
        b"".join(frame(PING, b"%d" % number) for number in range(10)),
        tuple((PONG, b"%d" % number) for number in range(10)),
    ),
]

RESERVED = [
    Case("bit 3 on text", frame(TEXT, HELLO, rsv=RSV3) + NEXT, (), 1002),
    *(
        Case(f"bits {rsv} behind a message", GOOD + frame(TEXT, HELLO, rsv=rsv) + NEXT, (ECHO,), 1002)
        for rsv in (RSV1, RSV2, RSV3, 7)
    ),
    Case("all bits on binary", frame(BINARY, b"\x00\xff", rsv=7) + NEXT, (), 1002),
    Case("a bit on a ping", frame(PING, HELLO, rsv=RSV1), (), 1002),
    Case("bits on a close frame", frame(8, b"\x03\xe8", rsv=RSV2), (), 1002),
    *(Case(f"opcode {opcode}", frame(opcode) + NEXT, (), 1002) for opcode in (3, 4, 5, 6, 7)),
    *(Case(f"opcode {opcode}", frame(opcode, HELLO) + NEXT, (), 1002) for opcode in (11, 12, 13, 14, 15)),
    *(
        Case(f"opcode {opcode} behind a message", GOOD + frame(opcode, HELLO) + NEXT, (ECHO,), 1002)
        for opcode in (3, 5, 7, 11, 13, 15)
    ),
    Case("not masked", GOOD + frame(TEXT, HELLO, mask=None), (ECHO,), 1002),
    Case("a mask of zeros", frame(TEXT, HELLO, mask=b"\0\0\0\0"), (ECHO,)),
    Case("a short length in two bytes", frame(TEXT, HELLO, length_bytes=2), (), 1002),
    Case("a short length in eight bytes", frame(TEXT, HELLO, length_bytes=8), (), 1002),
    Case("a middle length in eight bytes", frame(TEXT, b"x" * 65535, length_bytes=8), (), 1002),
]

FRAGMENTS = [
    Case("a ping in two", part(PING, b"a") + frame(CONTINUATION, b"b"), (), 1002),
    Case("a pong in two", part(PONG, b"a") + frame(CONTINUATION, b"b"), (), 1002),
    Case("text in two", b"".join(fragments(TEXT, [b"one", b"two"])), ((TEXT, b"onetwo"),)),
    Case(
        "a ping between",
        part(TEXT, b"one") + frame(PING, b"x") + frame(CONTINUATION, b"two"),
        ((PONG, b"x"), (TEXT, b"onetwo")),
    ),
    Case("nothing to continue", frame(CONTINUATION, b"x") + GOOD, (), 1002),
    Case("nothing to continue, more to come", part(CONTINUATION, b"x") + GOOD, (), 1002),
    Case(
        "nothing to continue, behind a message",
        part(TEXT, b"one") + frame(CONTINUATION, b"two") + part(CONTINUATION, b"three") + GOOD,
        ((TEXT, b"onetwo"),),
        1002,
    ),
    Case("a message within another", part(TEXT, b"one") + GOOD, (), 1002),
    Case("binary within text", part(TEXT, b"one") + frame(BINARY, b"x"), (), 1002),
    Case(
        "five, with pings between",
        b"".join(
            piece + frame(PING, b"%d" % number)
            for number, piece in enumerate(fragments(TEXT, [b"a", b"b", b"c", b"d", b"e"])[:-1])
        )
        + frame(CONTINUATION, b"e"),
        ((PONG, b"0"), (PONG, b"1"), (PONG, b"2"), (PONG, b"3"), (TEXT, b"abcde")),
    ),
    Case("empty ones", b"".join(fragments(TEXT, [b"", b"", b""])), ((TEXT, b""),)),
    Case("text between empty ones", b"".join(fragments(TEXT, [b"", HELLO, b""])), (ECHO,)),
]


@pytest.mark.parametrize("case", SIZES + PINGS + RESERVED + FRAGMENTS, ids=str)
def test_in_one_piece(server: EchoServer, case: Case) -> None:
    server.run(case)


@pytest.mark.parametrize(
    "case", [each for each in SIZES + PINGS + RESERVED + FRAGMENTS if len(each.sent) < 1000], ids=str
)
def test_byte_by_byte(server: EchoServer, case: Case) -> None:
    server.run(case, 1)
