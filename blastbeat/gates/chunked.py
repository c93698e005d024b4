"""The chunked transfer coding, read strictly (RFC 9112 §7.1): the gate's check, and the decoder for nodes.

Sizes are bare hexadecimal digits, extensions follow the grammar without white space and are dropped, every
line ends in CRLF. Knows nothing of heads, and never holds payload.
"""

from __future__ import annotations

import re

from blastbeat.errors import GrammarError
from blastbeat.events import Buffer
from blastbeat.gates.fields import FIELD_VALUE, TOKEN, LineSection

MAX_CHUNK_LINE = 1024
"""Bytes of one chunk line, extensions included, without its line end."""
MAX_EXCESS = 16 * 1024
"""Bytes of extensions that a body may carry beyond what its payload earns (see `ChunkWalk._spend`)."""
MAX_TRAILERS = 16 * 1024
MAX_TRAILER_FIELDS = 100

_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\%s)*"' % FIELD_VALUE
_CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,15})((?:;%(token)s+(?:=(?:%(token)s+|%(quoted)s))?)*)\r\n"
    % {b"token": TOKEN, b"quoted": _QUOTED}
)
_SIZE_DIGITS = b"0123456789abcdefABCDEF"
_CRLF = b"\r\n"
_ZERO_COPY_FROM = 8 * 1024


class ChunkWalk:
    """Walks over chunked coding up to the last chunk's line, checking it; payload is stepped over.

    What follows, trailers and the empty line, is the caller's.
    """

    __slots__ = ("_after_data", "_excess", "_remaining", "at_trailers")

    def __init__(self) -> None:
        self.at_trailers = False
        self._remaining = 0
        self._after_data = False
        self._excess = 0

    def walk(self, data: Buffer, start: int, payload: list[tuple[int, int]] | None = None) -> int:
        """Behind the last byte from `start` on that is checked; the rest must come again with more bytes.

        The spans of payload go to `payload`. Raises GrammarError(400).
        """
        position, size = start, len(data)
        while position < size:
            if self._remaining:
                end = min(size, position + self._remaining)
                if payload is not None:
                    payload.append((position, end))
                self._remaining -= end - position
                self._after_data = not self._remaining
                position = end
            elif self._after_data:
                ending = bytes(data[position : position + 2])
                if ending != _CRLF:
                    if ending == b"\r":
                        break
                    raise GrammarError(400, "a chunk that is not followed by CRLF where its size says")
                self._after_data = False
                position += 2
            else:
                after_line = self._read_line(data, position)
                if after_line == position or self.at_trailers:
                    return after_line
                position = after_line
        return position

    def _read_line(self, data: Buffer, start: int) -> int:
        match = _CHUNK_LINE.match(data, start)
        if match is None or match.end() - start > MAX_CHUNK_LINE + 2:
            self._check_partial(bytes(data[start : start + MAX_CHUNK_LINE + 2]))
            return start
        self._remaining = int(match[1], 16)
        self.at_trailers = not self._remaining
        if match.end(2) > match.start(2):
            self._spend(match.end(2) - match.start(2))
        elif self._excess:
            self._spend(0)
        return match.end()

    def _spend(self, extensions: int) -> None:
        # Each chunk line makes the reader work for nothing; payload pays for extensions, so that only a body
        # made of them is refused, not a long one that signs each chunk.
        self._excess = max(0, self._excess + extensions - 16 - 2 * self._remaining)
        if self._excess > MAX_EXCESS:
            raise GrammarError(400, "chunk extensions out of all proportion to the payload")

    @staticmethod
    def _check_partial(line: bytes) -> None:
        if line[0] not in _SIZE_DIGITS or b"\n" in line:
            raise GrammarError(400, "a chunk line that is not a hexadecimal size and well-formed extensions")
        if len(line) > MAX_CHUNK_LINE + 1:
            raise GrammarError(400, f"a chunk line longer than {MAX_CHUNK_LINE} bytes")


class ChunkedDecoder:
    """Takes the chunked coding off a body. Holds an incomplete line at most, or trailers up to the limits."""

    __slots__ = ("_carry", "_trailers", "_walk", "begun", "excess", "finished")

    def __init__(
        self, max_trailers: int = MAX_TRAILERS, max_trailer_fields: int = MAX_TRAILER_FIELDS
    ) -> None:
        self.begun = False
        """A byte was seen."""
        self.finished = False
        """The coding came to its end, trailers included."""
        self.excess: bytes = b""
        """What followed the end, in the last piece decoded."""
        self._walk = ChunkWalk()
        self._carry = bytearray()
        self._trailers = LineSection("trailers", max_trailers, max_trailer_fields)

    def decode(self, data: Buffer) -> list[Buffer]:
        """Pieces of payload; those of 8 KiB and more are views into `data`, not copies.

        Raises GrammarError (a ValueError) when the coding is malformed or over a limit.
        """
        if self.finished:
            self.excess = bytes(data)
            return []
        self.begun = self.begun or len(data) > 0
        if self._walk.at_trailers:
            self._read_trailers(data)
            return []
        if self._carry:
            data = bytes(self._carry) + bytes(data)
            self._carry.clear()
        spans: list[tuple[int, int]] = []
        position = self._walk.walk(data, 0, spans)
        if self._walk.at_trailers:
            self._read_trailers(data[position:])
        else:
            self._carry += data[position:]
        view = memoryview(data)
        return [
            view[start:end] if end - start >= _ZERO_COPY_FROM else bytes(view[start:end])
            for start, end in spans
        ]

    def _read_trailers(self, data: Buffer) -> None:
        self._carry += data
        end = self._trailers.read(self._carry)
        if end:
            self.finished = True
            self.excess = bytes(self._carry[end:])
            self._carry.clear()
