"""Requests and responses that every HTTP/1 driver must read and write the same way, as tables.

Sources: RFC 9110, RFC 9112, and `protocol.md` §6.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from blastbeat.events import Headers, ResponseHead

_KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"


def _get(*fields: bytes, line: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"".join(each + b"\r\n" for each in (line, b"Host: a", *fields)) + b"\r\n"


@dataclass(frozen=True)
class RequestCase:
    """A client's bytes, and what the head must say; the attributes not named are those of a plain GET."""

    data: bytes
    expected: dict[str, Any] = field(default_factory=dict)
    body: bytes = b""


REQUESTS: dict[str, RequestCase] = {
    "plain": RequestCase(_get()),
    "names are lowered, values trimmed, repetitions kept": RequestCase(
        b"GET / HTTP/1.1\r\nHOST: A:80\r\nX-a:  y \r\nx-A:\tz\r\nEmpty:\r\n\r\n",
        {
            "authority": b"A:80",
            "headers": [(b"host", b"A:80"), (b"x-a", b"y"), (b"x-a", b"z"), (b"empty", b"")],
        },
    ),
    "any token is a method": RequestCase(_get(line=b"m-search~ / HTTP/1.1"), {"method": b"m-search~"}),
    "a target stays as it was sent": RequestCase(
        _get(line=b"GET //b/../%2E%00?x=/y?z HTTP/1.1"),
        {"target": b"//b/../%2E%00?x=/y?z", "path": b"//b/../%2E%00?x=/y?z"},
    ),
    "absolute form": RequestCase(
        _get(line=b"GET http://b:81/x?y=/z HTTP/1.1"),
        {"target": b"http://b:81/x?y=/z", "path": b"/x?y=/z", "authority": b"b:81"},
    ),
    "absolute form without a path": RequestCase(
        _get(line=b"GET HTTPS://B HTTP/1.1"), {"target": b"HTTPS://B", "path": b"/", "authority": b"B"}
    ),
    "absolute form with a query alone": RequestCase(
        _get(line=b"GET http://b?x=/y HTTP/1.1"),
        {"target": b"http://b?x=/y", "path": b"/?x=/y", "authority": b"b"},
    ),
    "absolute form with IPv6": RequestCase(
        _get(line=b"GET http://[::1]:80/ HTTP/1.1"),
        {"target": b"http://[::1]:80/", "path": b"/", "authority": b"[::1]:80"},
    ),
    "asterisk form": RequestCase(
        _get(line=b"OPTIONS * HTTP/1.1"), {"method": b"OPTIONS", "target": b"*", "path": b"*"}
    ),
    "the server itself in absolute form": RequestCase(  # RFC 9112 §3.2.4
        _get(line=b"OPTIONS http://a HTTP/1.1"),
        {"method": b"OPTIONS", "target": b"http://a", "path": b"*"},
    ),
    "HTTP/1.0 without Host": RequestCase(
        b"GET / HTTP/1.0\r\n\r\n",
        {"version": b"1.0", "authority": b"", "headers": [], "keep_alive": False},
    ),
    "HTTP/1.0 with keep-alive": RequestCase(
        b"GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n",
        {
            "version": b"1.0",
            "authority": b"",
            "headers": [(b"connection", b"x, Keep-Alive")],
            "keep_alive": True,
        },
    ),
    "close": RequestCase(_get(b"Connection: keep-alive, CLOSE"), {"keep_alive": False}),
    "close in a second field": RequestCase(
        _get(b"Connection: keep-alive", b"connection: close"), {"keep_alive": False}
    ),
    "closed is not close": RequestCase(_get(b"Connection: closed"), {"keep_alive": True}),
    "a body of known length": RequestCase(
        _get(b"Content-Length: 5", line=b"POST / HTTP/1.1") + b"hello",
        {"method": b"POST", "content_length": 5},
        b"hello",
    ),
    "a length of zero": RequestCase(
        _get(b"Content-Length: 0", line=b"POST / HTTP/1.1"), {"method": b"POST", "content_length": 0}
    ),
    "chunks": RequestCase(
        _get(b"Transfer-Encoding: Chunked", line=b"POST / HTTP/1.1")
        + b"2;a=b\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n",
        {"method": b"POST", "chunked": True},
        b"hello",
    ),
    "chunks with trailers": RequestCase(
        _get(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.1") + b"1\r\nx\r\n0\r\nT: x\r\n\r\n",
        {"method": b"POST", "chunked": True},
        b"x",
    ),
    "no chunk but the last": RequestCase(
        _get(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.1") + b"0\r\n\r\n",
        {"method": b"POST", "chunked": True},
    ),
    "a body that looks like a request": RequestCase(
        _get(b"Content-Length: 25", line=b"POST / HTTP/1.1") + b"GET / HTTP/1.1\r\nHost: b\r\n",
        {"method": b"POST", "content_length": 25},
        b"GET / HTTP/1.1\r\nHost: b\r\n",
    ),
    "an expectation": RequestCase(_get(b"Expect: 100-Continue"), {"expect_continue": True}),
    "an expectation of HTTP/1.0": RequestCase(
        _get(b"Expect: 100-continue", line=b"GET / HTTP/1.0"),
        {"version": b"1.0", "keep_alive": False, "expect_continue": False},
    ),
    "a handshake": RequestCase(_get(b"Connection: Upgrade", b"Upgrade: websocket", _KEY), {"upgrade": True}),
    "a handshake among other protocols": RequestCase(
        _get(b"Connection: keep-alive", b"connection: upgrade", b"Upgrade: h2c, WebSocket", _KEY),
        {"upgrade": True},
    ),
    "an upgrade to something else": RequestCase(
        _get(b"Connection: upgrade", b"Upgrade: h2c"), {"upgrade": False}
    ),
    "an upgrade that Connection does not name": RequestCase(_get(b"Upgrade: websocket"), {"upgrade": False}),
    "empty lines in front": RequestCase(b"\r\n\r\n" + _get()),
    "bytes above ASCII": RequestCase(
        _get(b"X: \xe9\xff"), {"headers": [(b"host", b"a"), (b"x", b"\xe9\xff")]}
    ),
}
"""By what is special about them."""


@dataclass(frozen=True)
class ResponseCase:
    """A response to `request`, and how it must be framed. `connection` is what `Connection` must say."""

    head: dict[str, Any]
    framing: str
    request: bytes = _get()
    connection: bytes = b""
    must_close: bool = False
    length: bytes | None = None  # what Content-Length must say; None: there must be none


_OLD = b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"
_OLD_KEPT = b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
_HEAD = _get(line=b"HEAD / HTTP/1.1")

RESPONSES: dict[str, ResponseCase] = {
    "a length": ResponseCase({"length": 4}, "length", length=b"4"),
    "a length of zero": ResponseCase({"length": 0}, "length", length=b"0"),
    "no length": ResponseCase({}, "chunked"),
    "no length, and the client closes": ResponseCase(
        {}, "chunked", _get(b"Connection: close"), b"close", must_close=True
    ),
    "no length to HTTP/1.0": ResponseCase({}, "close", _OLD, b"close", must_close=True),
    "no length to HTTP/1.0 with keep-alive": ResponseCase({}, "close", _OLD_KEPT, b"close", must_close=True),
    "a length to HTTP/1.0": ResponseCase({"length": 4}, "length", _OLD, b"close", True, b"4"),
    "a length to HTTP/1.0 with keep-alive": ResponseCase(
        {"length": 4}, "length", _OLD_KEPT, b"keep-alive", False, b"4"
    ),
    "the node closes": ResponseCase({"length": 4, "close": True}, "length", _get(), b"close", True, b"4"),
    "HEAD, length told": ResponseCase({"length": 4, "bodyless": True}, "none", _HEAD, length=b"4"),
    "HEAD, length not told": ResponseCase({"bodyless": True}, "none", _HEAD),
    "204": ResponseCase({"status": 204, "bodyless": True, "length": 0}, "none"),
    "304": ResponseCase({"status": 304, "bodyless": True}, "none"),
    "304 that tells a length": ResponseCase(
        {"status": 304, "bodyless": True, "length": 9}, "none", length=b"9"
    ),
}
"""By what decides the framing (RFC 9112 §6, RFC 9110 §8.6)."""


def new_head(**changes: Any) -> ResponseHead:
    """A 200 without fields."""
    values: dict[str, Any] = {"stream_id": 1, "status": 200, "reason": b"OK", "headers": []}
    return ResponseHead(**values | changes)


HOP_BY_HOP: Headers = [
    (b"Connection", b"keep-alive, X-Hop"),
    (b"Keep-Alive", b"timeout=5"),
    (b"Transfer-Encoding", b"chunked"),
    (b"content-length", b"999"),
    (b"Upgrade", b"h2c"),
    (b"TE", b"trailers"),
    (b"Trailer", b"X"),
    (b"Proxy-Connection", b"close"),
]

_NAMES = st.sampled_from([b"X-A", b"accept", b"Cookie", b"TE", b"x_y", b"Content-Lengths", b"!#$%"])
_VALUES = st.binary(max_size=20).map(
    lambda text: bytes(each for each in text if each >= 0x20 and each != 0x7F)
)


@st.composite
def requests_of_clients(draw: st.DrawFn) -> bytes:
    """The bytes of a valid request, body and all."""
    line = draw(
        st.sampled_from(
            [b"GET /a HTTP/1.1", b"POST /?b=%c HTTP/1.1", b"PUT http://b/x HTTP/1.1", b"OPTIONS * HTTP/1.1"]
        )
    )
    fields = [
        b"Host: a",
        *(b"%b:%b" % each for each in draw(st.lists(st.tuples(_NAMES, _VALUES), max_size=4))),
    ]
    body = draw(st.binary(max_size=60))
    if draw(st.booleans()):
        fields.append(b"transfer-encoding: Chunked")
        at, coded = 0, b""
        while at < len(body):
            size = draw(st.integers(1, len(body) - at))
            extension = draw(st.sampled_from([b"", b";a", b';a="\\"";b=c']))
            coded += b"%x%b\r\n%b\r\n" % (size, extension, body[at : at + size])
            at += size
        body = coded + b"0\r\n" + draw(st.sampled_from([b"", b"T: x\r\n"])) + b"\r\n"
    elif body:
        fields.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([line, *draw(st.permutations(fields))]) + b"\r\n\r\n" + body


FRAGMENTS = [
    *(
        b"GET / HTTP/1.1\r\n",
        b"POST /a HTTP/1.0\r\n",
        b"OPTIONS * HTTP/1.1\r\n",
        b"GET http://b/ HTTP/1.1\r\n",
    ),
    *(b"Host: a\r\n", b"Host:", b"Transfer-Encoding: chunked\r\n", b"chunked", b"Content-Length: 5\r\n"),
    *(
        b"Expect: 100-continue\r\n",
        b"Connection: upgrade\r\n",
        b"Upgrade: websocket\r\n",
        b"X: y\r\n",
        b"hello",
    ),
    *(
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"0\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b";a=b",
        b",",
        b"\0",
    ),
    *(b"#", b"\xff", b"1", b"a", b"X" * 40, b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1"),
]
"""Bytes that mean something to somebody, so that random sequences of them come close to requests."""


@st.composite
def likely_bytes(draw: st.DrawFn) -> bytes:
    """Valid requests with something spliced in or cut out, or fragments at random."""
    fragment = st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=4))
    if draw(st.booleans()):
        return b"".join(draw(st.lists(fragment, max_size=12)))
    data = draw(requests_of_clients()) + draw(requests_of_clients())
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 8)))
    return data[:start] + draw(fragment) + data[end:]
