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


# ---------------------------------------------------------------- WebSockets

TEXTS = ("x", "hello", "κόσμε", "\U0001f600", "\uffff", "", "é" * 40, "x" * 130, "a" * 5000)
NO_TEXTS = (
    b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80", b"\xf0\x9f\x98",
)  # fmt: skip
CODES = (999, 1000, 1001, 1003, 1004, 1005, 1006, 1007, 1011, 1013, 1014, 1015, 1016, 2999, 3000, 4999, 5000)
SIZES = (0, 1, 3, 4, 5, 20, 21, 125, 126, 127, 300, 301, 4095, 4097, 0xFFFF, 0x10000)


def websocket_frames(dice: random.Random) -> bytes:
    """What a client sends on one upgraded connection: messages whole and in fragments, control frames."""
    wildness = dice.choice((0.0, 0.0, 0.05, 0.3))
    sent = b""
    for _ in range(dice.randint(1, 6)):
        kind = dice.random()
        if kind < 0.5:
            sent += _message(dice, wildness)
        elif kind < 0.85:
            sent += _control(dice, wildness)
        else:
            sent += _frame(dice, dice.randint(0, 15), dice.randbytes(dice.randint(0, 9)), True, wildness)
    return sent


def _message(dice: random.Random, wildness: float) -> bytes:
    is_text = dice.random() < 0.7
    if is_text:
        payload = "".join(dice.choices(TEXTS, (9, 9, 9, 9, 3, 3, 3, 2, 1), k=dice.randint(1, 3))).encode()
        if dice.random() < 0.2:
            at = dice.randint(0, len(payload))
            payload = payload[:at] + dice.choice(NO_TEXTS) + payload[at:]
    else:
        size = dice.choice(SIZES[: dice.choice((7, 11, len(SIZES)))])
        payload = dice.randbytes(size)
    cuts = sorted(dice.randint(0, len(payload)) for _ in range(dice.choice((0, 0, 0, 1, 2, 4))))
    sent, begin, opcode = b"", 0, 1 if is_text else 2
    for end in [*cuts, None]:
        sent += _frame(dice, opcode, payload[begin:end], end is None, wildness)
        if end is not None and dice.random() < 0.3:
            sent += _control(dice, wildness)
        begin, opcode = end or 0, 0
    return sent


def _control(dice: random.Random, wildness: float) -> bytes:
    if dice.random() < 0.75:
        size = dice.choice((0, 1, 4, 7, 125, 126)) if dice.random() < 0.3 else dice.randint(0, 9)
        return _frame(dice, dice.choice((9, 10)), dice.randbytes(size), True, wildness)
    payload = dice.choice((b"", b"\x03", dice.choice(CODES).to_bytes(2, "big")))
    if len(payload) == 2:
        payload += dice.choice((b"", b"bye", "κόσμε".encode(), b"r" * 123, *NO_TEXTS[:3]))
    return _frame(dice, 8, payload, True, wildness)


def _frame(dice: random.Random, opcode: int, payload: bytes, fin: bool, wildness: float) -> bytes:
    """Each rule of a header is broken with the probability `wildness`."""

    def is_wild() -> bool:
        return dice.random() < wildness

    first = (
        opcode | (0x80 if fin is not is_wild() else 0) | (dice.choice((0x40, 0x20, 0x10)) if is_wild() else 0)
    )
    size = len(payload)
    width = 1 if size < 126 else 2 if size < 0x10000 else 8
    if is_wild():
        width = dice.choice((1, 2, 8))
    if is_wild():
        size = dice.choice((size + 1, max(size - 1, 0), 1 << 16, 1 << 62, (1 << 63) + 5))
    masked = 0 if is_wild() else 0x80
    if width == 1:
        length = bytes([masked | size & 0x7F])
    else:
        length = bytes([masked | (126 if width == 2 else 127)]) + (size % (1 << 8 * width)).to_bytes(
            width, "big"
        )
    mask = dice.choice((bytes(4), dice.randbytes(4)))
    return (
        bytes([first])
        + length
        + mask[: 4 if masked else 0]
        + bytes(byte ^ mask[at & 3] if masked else byte for at, byte in enumerate(payload))
    )
