"""Makes inputs that are close to what is read: by the rules of the grammar, with every rule broken at times.

Knows no target and no reader.
"""

from __future__ import annotations

import random

METHODS = (b"GET", b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"M-SEARCH", b"get", b"CONNECT")
TARGETS = (
    b"/",
    b"/a?b=c",
    b"/%20~!$&'()*+,;=:@",
    b"*",
    b"http://h/",
    b"http://h",
    b"//x",
    b'/"<>\\^`{|}',
    b"/#",
    b"",
)
VERSIONS = (
    b"HTTP/1.1",
    b"HTTP/1.1",
    b"HTTP/1.1",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/1.2",
    b"HTTP/2.0",
    b"http/1.1",
)
NAMES = (
    b"Host", b"host", b"HOST", b"Content-Length", b"content-length", b"Connection", b"connection",
    b"Transfer-Encoding", b"Expect", b"Upgrade", b"Cookie", b"X-A", b"x_y", b"TE", b"Accept",
    b"!#$%&'*+-.^_`|~", b"Sec-WebSocket-Key", b"X Y", b"",
)  # fmt: skip
VALUES = {
    b"host": (b"a", b"a:80", b"[::1]:80", b"a b", b"", b"a,b"),
    b"content-length": (b"0", b"5", b"5", b"05", b"5 ", b"+5", b"5,5", b"1" * 19, b"", b"0x5"),
    b"connection": (
        b"keep-alive",
        b"close",
        b"Close",
        b"keep-alive, close",
        b"upgrade",
        b"x",
        b"",
        b"close,",
    ),
    b"transfer-encoding": (b"chunked", b"Chunked", b"gzip, chunked", b"chunked, chunked", b"identity", b""),
    b"expect": (b"100-continue", b"100-Continue", b"x"),
    b"upgrade": (b"websocket", b"WebSocket", b"h2c", b"websocket/13"),
    b"sec-websocket-key": (b"dGhlIHNhbXBsZSBub25jZQ==", b"x"),
}
OTHER_VALUES = (
    b"x", b"", b"a b", b"a  b", b"\ta", b"a\t", b" ", b"x: y", b"\xff\x80", b'"quoted, text"', b"\0", b"\x7f",
    b"a\rb", b"z" * 90,
)  # fmt: skip
COLONS = (b": ", b": ", b": ", b": ", b":", b":  ", b":\t", b" : ", b"")
ENDS = (b"\r\n",) * 30 + (b"\n", b"\r\r\n", b"\r\n ", b"\r", b" \r\n", b"\t\r\n", b"")
BODIES = (
    b"",
    b"",
    b"hello",
    b"hello",
    b"hell",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n",
    b"0\r\n\r\n",
)


def http1_requests(dice: random.Random) -> bytes:
    """Up to four requests on one connection."""
    return b"".join(_request(dice) for _ in range(dice.randint(1, 4)))


def _request(dice: random.Random) -> bytes:
    is_wild = dice.random() < 0.4
    pick = dice.choice
    if is_wild:
        line = b"%b %b %b" % (pick(METHODS), pick(TARGETS), pick(VERSIONS))
        names = [pick(NAMES) for _ in range(dice.randint(0, 6))]
    else:
        line = b"%b %b HTTP/1.1" % (pick(METHODS[:7]), pick(TARGETS[:3]))
        names = [b"Host", *(pick(NAMES[3:16]) for _ in range(dice.randint(0, 5)))]
        dice.shuffle(names)
    fields = b"".join(_field(dice, name, is_wild) for name in names)
    empty = b"\r\n" * (dice.random() < 0.05)
    return empty + line + (pick(ENDS) if is_wild else b"\r\n") + fields + b"\r\n" + pick(BODIES)


def _field(dice: random.Random, name: bytes, is_wild: bool) -> bytes:
    values = VALUES.get(name.lower(), OTHER_VALUES)
    value = dice.choice(values) if is_wild or values is OTHER_VALUES else dice.choice(values[:2])
    if is_wild:
        return name + dice.choice(COLONS) + value + dice.choice(ENDS)
    return b"%b: %b\r\n" % (name, value)
