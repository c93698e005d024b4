"""The gate before every HTTP/1 driver: raw request bytes in, checked bytes of one request at a time out.

No library sees a byte that did not pass the strict grammar and the limits here, and no driver sees the next
request before it is asked for. Knows neither events nor sessions; pure, incremental, linear in its input.
"""

from __future__ import annotations

import re

from blastbeat.drivers import HttpLimits
from blastbeat.errors import ClientError, GrammarError
from blastbeat.events import Buffer
from blastbeat.gates.chunked import ChunkWalk
from blastbeat.gates.fields import (
    FIELD_VALUE,
    MAX_METHOD,
    TARGET,
    TOKEN,
    LineSection,
    check_partial_request_line,
    check_request_line,
)
from blastbeat.gates.framing import CHUNKED, check_facts, check_target
from blastbeat.gates.plain import PlainHead, PlainHeads

MAX_EMPTY_LINES = 8
"""Empty lines before a request line that are skipped (RFC 9112 §2.2 wants at least one tolerated)."""

# A whole head that gives no reason to look closer. Anything else is read line by line, which finds out what
# is wrong with it; both readings agree on every input.
_PLAIN_HEAD = re.compile(
    rb"(%(token)s{1,%(method)d}) (%(target)s+) HTTP/(1\.[01])\r\n(?:%(token)s+:%(value)s*\r\n)*\r\n"
    % {b"token": TOKEN, b"target": TARGET, b"value": FIELD_VALUE, b"method": MAX_METHOD}
)
_HEAD_END = b"\r\n\r\n"
_CR = 0x0D


class Http1Gate:
    """The gate of one client connection.

    Feed `receive`; hand what it returns to the driver. When `request_complete`, everything further is held
    back until `next_request`. What is held is bounded by the limits while a head or trailers are incomplete,
    and by the caller, who stops feeding when `buffered` grows, after a request. A refused request stays
    refused: later calls raise the same error.
    """

    __slots__ = (
        "_buffer",
        "_chunks",
        "_empty_lines",
        "_limits",
        "_plain_heads",
        "_refusal",
        "_remaining",
        "_request_line",
        "_section",
        "head_begun",
        "head_complete",
        "request_complete",
    )

    def __init__(self, limits: HttpLimits, plain_heads: PlainHeads | None = None) -> None:
        """`plain_heads`: what the driver reads plain heads with, if it does."""
        self._limits = limits
        self._plain_heads = plain_heads
        self._buffer = bytearray()
        self._refusal: GrammarError | None = None
        self.head_begun = False
        """A byte of a request head was seen; empty lines before it do not count."""
        self.head_complete = False
        self.request_complete = False
        self._empty_lines = 0
        self._request_line = (b"", b"", b"")
        self._section: LineSection | None = None
        self._chunks: ChunkWalk | None = None
        self._remaining = 0

    @property
    def buffered(self) -> int:
        """Bytes held: an incomplete head, chunk line or trailers, or what follows the request."""
        return len(self._buffer)

    def receive(self, data: Buffer) -> bytes:
        """Those bytes of the current request that may pass now, in order; trailers never pass.

        Raises ClientError: 400, 414, 417, 431, 501 or 505.
        """
        if self._refusal is not None:
            raise ClientError(self._refusal.status, self._refusal.reason)
        if self.request_complete:
            self._buffer += data
            return b""
        try:
            if type(data) is not bytes:
                data = bytes(data)
            if self._plain_heads is not None and not (self.head_begun or self._buffer):
                plain = self._plain_heads.read(data)
                if plain is not None:
                    if plain.end == len(data) and not plain.block.content_length:
                        self.head_begun = self.head_complete = self.request_complete = True
                        return data
                    return self._pass_plain(data, plain)
            return self._receive(data)
        except GrammarError as error:
            self._refusal = error.with_traceback(None)
            self._buffer = bytearray()  # not cleared: the traceback may still hold a view of the old one
        raise ClientError(self._refusal.status, self._refusal.reason)

    def next_request(self) -> bytes:
        """Open the gate for the next request; returns what of it may pass already. Raises ClientError.

        To be called once each time `request_complete` is true.
        """
        assert self.request_complete or self._refusal is not None
        self.head_begun = self.head_complete = self.request_complete = False
        self._empty_lines = self._remaining = 0
        self._chunks = self._section = None
        return self.receive(b"") if self._buffer or self._refusal is not None else b""

    def rest(self) -> None:
        """The client is silent between two requests: keep nothing of the one that is over."""
        if self._plain_heads is not None:
            self._plain_heads.rest()

    def take_rest(self) -> bytes:
        """What came behind a request after which no other one follows: the connection is upgraded."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        return rest

    def _receive(self, data: bytes) -> bytes:
        buffer = self._buffer
        window: bytes | bytearray = data
        if buffer:
            buffer += data
            window = buffer
        position = 0
        if not self.head_complete:
            position = self._read_plain_head(window) if self._section is None else 0
            if not position:
                if window is data:
                    buffer += data
                    window = buffer
                position = self._read_head()
                if not position:
                    return b""
        if not self._at_trailers:
            position = self._read_body(window, position)
        if window is data:
            passed = data if position == len(data) else data[:position]
            buffer += data[position:]
        else:
            passed = bytes(buffer[:position])
            del buffer[:position]
        return passed + self._read_trailers() if self._at_trailers else passed

    # ------------------------------------------------------------ head

    def _pass_plain(self, data: bytes, plain: PlainHead) -> bytes:
        """A head that needs no further look, and what is here of the body."""
        self.head_begun = self.head_complete = True
        self._remaining = plain.block.content_length or 0
        position = self._read_body(data, plain.end)
        if position == len(data):
            return data
        self._buffer += data[position:]
        return data[:position]

    def _read_plain_head(self, window: bytes | bytearray) -> int:
        """Where the head ends; 0 when it is incomplete, or needs to be read line by line."""
        limits = self._limits
        end = window.find(_HEAD_END) + 4
        if end < 4 or end > limits.max_head or window.count(b"\n", 0, end) - 2 > limits.max_headers:
            return 0
        head = bytes(window[:end])
        match = _PLAIN_HEAD.fullmatch(head)
        if match is None:
            return 0
        method, target, version = match.groups()
        if method == b"CONNECT" or len(target) > limits.max_uri:
            return 0
        self.head_begun = True
        check_target(method, target)
        self._head_ended(method, version, head)
        return end

    def _read_head(self) -> int:
        """The same in `self._buffer`, which may grow byte by byte; tells early what can't become good."""
        buffer = self._buffer
        if self._section is None:
            self._skip_empty_lines()
            if not buffer or buffer[0] == _CR:
                return 0
            self.head_begun = True
            limits = self._limits
            self._section = LineSection(
                "request head", limits.max_head, limits.max_headers, self._check_start
            )
        end = self._section.read(buffer)
        if end:
            self._section = None
            method, _, version = self._request_line
            self._head_ended(method, version, bytes(buffer[:end]))
        return end

    def _skip_empty_lines(self) -> None:
        buffer = self._buffer
        while buffer[:2] == b"\r\n":
            self._empty_lines += 1
            if self._empty_lines > MAX_EMPTY_LINES:
                raise GrammarError(400, "nothing but empty lines where a request should begin")
            del buffer[:2]
        if len(buffer) > 1 and buffer[0] == _CR:
            raise GrammarError(400, "a CR without LF before the request line")

    def _check_start(self, line: bytes | bytearray, is_whole: bool) -> None:
        if not is_whole:
            check_partial_request_line(line, self._limits.max_uri)
            return
        self._request_line = check_request_line(bytes(line), self._limits.max_uri)
        check_target(self._request_line[0], self._request_line[1])

    def _head_ended(self, method: bytes, version: bytes, head: bytes) -> None:
        self.head_complete = True
        length = check_facts(method, version, head)
        if length == CHUNKED:
            self._chunks = ChunkWalk()
        else:
            self._remaining = length
            self.request_complete = not length

    # ------------------------------------------------------------ body

    def _read_body(self, window: bytes | bytearray, position: int) -> int:
        chunks = self._chunks
        if chunks is None:
            size = min(self._remaining, len(window) - position)
            self._remaining -= size
            self.request_complete = not self._remaining
            return position + size
        position = chunks.walk(window, position)
        if chunks.at_trailers:
            if window[position : position + 2] == b"\r\n":
                self.request_complete = True
                return position + 2
            limits = self._limits
            self._section = LineSection("trailers", limits.max_head, limits.max_headers)
        return position

    @property
    def _at_trailers(self) -> bool:
        return self._section is not None and self.head_complete

    def _read_trailers(self) -> bytes:
        """The empty line that ends the body, once the trailers before it were checked and dropped."""
        assert self._section is not None
        end = self._section.read(self._buffer)
        if not end:
            return b""
        del self._buffer[:end]
        self.request_complete = True
        return b"\r\n"
