"""RFC 6455 §8.1: text is UTF-8, and what is not fails as soon as it is there (Autobahn's class 6)."""

from __future__ import annotations

import pytest

from tests.helpers.websocket_cases import Case, EchoServer
from tests.helpers.websocket_frames import CONTINUATION, TEXT, cut, fragments, frame

KOSME = "κόσμε".encode()

VALID = [
    "Hello-µ@ßöäüàá-UTF-8!!".encode(),
    KOSME,
    *(chr(point).encode() for point in (0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD)),
    *(chr(point).encode() for point in (0xFFFE, 0xFFFF, 0x10000, 0x1FFFE, 0x8FFFF, 0x10FFFF)),
]

INVALID = [
    b"\x80",
    b"\xbf",
    b"\x80\xbf\x80\xbf\x80\xbf",
    b"\xc0 \xc1 \xdf ",
    b"\xe0 \xef ",
    b"\xf0 \xf7 ",
    *(b"\xf8 ", b"\xfb ", b"\xfc ", b"\xfd ", b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"),
    *(b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf"),
    b"\xfc\x80\x80\x80\x80\xaf",
    *(b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf"),
    *(b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80"),
    *(b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbf\xbf"),
    *(b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xaf\xbf\xed\xbf\xbf"),
    *(b"\xf4\x90\x80\x80", b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"),
    KOSME + b"\xed\xa0\x80edited",
]

UNFINISHED = [b"\xdf", b"\xe0\xa0", b"\xef\xbf", b"\xf0\x90\x80", b"\xf4\x8f\xbf", KOSME[:-1]]
"""What may yet become good, but the message ends."""


@pytest.mark.parametrize("payload", VALID, ids=bytes.hex)
def test_valid(server: EchoServer, payload: bytes) -> None:
    answer = ((TEXT, payload),)
    server.run(Case("whole", frame(TEXT, payload), answer))
    server.run(Case("in fragments of a byte", b"".join(fragments(TEXT, cut(payload, 1))), answer), 1)


@pytest.mark.parametrize("payload", INVALID + UNFINISHED, ids=bytes.hex)
def test_invalid(server: EchoServer, payload: bytes) -> None:
    server.run(Case("whole", frame(TEXT, payload), (), 1007))
    server.run(Case("in fragments of a byte", b"".join(fragments(TEXT, cut(payload, 1))), (), 1007))
    server.run(Case("behind what is good", frame(TEXT, b"x") + frame(TEXT, payload), ((TEXT, b"x"),), 1007))


@pytest.mark.parametrize("payload", INVALID, ids=bytes.hex)
def test_nothing_more_is_waited_for(server: EchoServer, payload: bytes) -> None:
    """The message has not ended, and neither has its frame."""
    server.run(Case("in a fragment", frame(TEXT, KOSME + payload, fin=False), (), 1007))
    server.run(Case("in part of a frame", frame(TEXT, KOSME + payload + b"rest of it")[:-10], (), 1007))
    later = frame(TEXT, KOSME, fin=False) + frame(CONTINUATION, payload, fin=False)
    server.run(Case("in a later fragment", later, (), 1007))
