"""Close frames (Autobahn 7.*) and what follows them. See case.py."""

from __future__ import annotations

from tests.conformance.websocket.case import Case, bad, closed
from tests.helpers.websocket_frames import CLOSE, CONTINUATION, PING, TEXT, close, frame

GOOD_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999)
BAD_CODES = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)

CASES: dict[str, Case] = {
    "behind a message": closed(1000, frame(TEXT, b"x") + close(), ("text", b"x")),
    "twice": closed(1000, close() + close(1001)),
    "a ping behind it": closed(1000, close() + frame(PING, b"p")),
    "a message behind it": closed(1000, close() + frame(TEXT, b"x")),
    "within fragments": closed(1000, frame(TEXT, b"x", fin=False) + close() + frame(CONTINUATION, b"y")),
    "empty": closed(1005, close(None)),
    "one byte": bad(1002, frame(CLOSE, b"\x03")),
    "with a reason": closed(1000, close(1000, "bye")),
    "with the longest reason": closed(1000, close(1000, "*" * 123)),
    "with a longer one": bad(1002, close(1000, "*" * 124)),
    "with a reason in UTF-8": closed(1000, close(1000, "κόσμε")),
    "with half a character at its end": bad(1007, close(1000, b"\xce")),
    "nonsense behind it": closed(1000, close() + b"\xff" * 100),
    "with a reason that is no UTF-8": bad(1007, close(1000, b"\xce\xba\xff")),
    **{f"code {code}": closed(code, close(code)) for code in GOOD_CODES},
    **{f"code {code} and a reason": closed(code, close(code, "because")) for code in GOOD_CODES},
    **{f"code {code}": bad(1002, close(code)) for code in BAD_CODES},
    **{f"code {code} and a reason": bad(1002, close(code, "because")) for code in BAD_CODES},
}
