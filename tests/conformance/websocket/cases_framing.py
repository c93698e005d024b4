"""Whole messages of all lengths (Autobahn 1.*), and sizes up to the limit (9.*). See case.py."""

from __future__ import annotations

from tests.conformance.websocket.case import MAX_MESSAGE, Case, bad, good
from tests.helpers.websocket_frames import BINARY, TEXT, fragments, frame, frame_header

LENGTHS = (0, 1, 125, 126, 127, 128, 65535, 65536, MAX_MESSAGE)

CASES: dict[str, Case] = {
    **{f"text of {n}": good(frame(TEXT, b"*" * n), ("text", b"*" * n)) for n in LENGTHS},
    **{f"binary of {n}": good(frame(BINARY, b"\xfe" * n), ("binary", b"\xfe" * n)) for n in LENGTHS},
    **{
        f"fragments of {n}": good(
            b"".join(fragments(TEXT, [b"*" * n] * (65536 // n))), ("text", b"*" * (65536 // n * n))
        )
        for n in (64, 256, 1024, 16384, 65536)
    },
    "one byte over the limit": bad(1009, frame(TEXT, b"*" * (MAX_MESSAGE + 1))),
    "fragments over the limit": bad(1009, b"".join(fragments(BINARY, [b"*" * (MAX_MESSAGE // 2 + 1)] * 2))),
    "2^62 announced": bad(1009, frame_header(BINARY, 1 << 62)),
    "2^63 announced": bad(1002, frame_header(BINARY, 1 << 63)),
    "2^64-1 announced": bad(1002, frame_header(BINARY, (1 << 64) - 1)),
    "125 in 16 bits": bad(1002, frame(TEXT, b"*" * 125, length_bytes=2)),
    "65535 in 64 bits": bad(1002, frame(TEXT, b"*" * 65535, length_bytes=8)),
    "5 in 64 bits": bad(1002, frame(TEXT, b"hello", length_bytes=8)),
    "a mask of zeros": good(frame(TEXT, b"hello", mask=b"\0\0\0\0"), ("text", b"hello")),
    "not masked": bad(1002, frame(TEXT, b"*", mask=None)),
}
