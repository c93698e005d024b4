"""The grammar of HTTP/1 lines: request line, field lines, and sections of them read piece by piece.

Strict where RFC 9112 lets recipients be lenient, since every leniency is somebody's request smuggling. Knows
nothing of bodies or of what a field means.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from blastbeat.errors import GrammarError

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
FIELD_VALUE = rb"[\t\x20-\x7e\x80-\xff]"
TARGET = rb"[!\"$-~]"  # visible ASCII without "#": a fragment never belongs on the wire (RFC 9112 §3.2)
MAX_METHOD = 48
"""Bytes. Bounds the request line together with `max_uri`."""
_AROUND_TARGET = MAX_METHOD + len(b"  HTTP/1.1")

_REQUEST_LINE = re.compile(rb"(%s+) (%s+) HTTP/([0-9]\.[0-9])\r\n" % (TOKEN, TARGET))
_FIELD_LINE = re.compile(rb"%s+:%s*\r\n" % (TOKEN, FIELD_VALUE))
_FIELD_NAME = re.compile(rb"%s+" % TOKEN)
_TOKEN_BYTE = re.compile(TOKEN)
_TLS_HANDSHAKE = 0x16


def check_request_line(line: bytes, max_uri: int) -> tuple[bytes, bytes, bytes]:
    """Method, target and version (``b"1.0"``, ``b"1.1"``) of a whole line with its line end.

    Raises GrammarError: 400 malformed, 414 longer than `max_uri` allows, 501 CONNECT, 505 another version.
    """
    check_request_start(line)
    if len(line) - 2 > max_uri + _AROUND_TARGET:
        raise _too_long(max_uri)
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise GrammarError(400, _what_is_wrong_with_request(line))
    method, target, version = match.groups()
    if len(target) > max_uri:
        raise _too_long(max_uri)
    if version not in (b"1.1", b"1.0"):
        raise GrammarError(505, "HTTP/1.0 and HTTP/1.1 are spoken here")
    if len(method) > MAX_METHOD:
        raise GrammarError(501, f"a method is at most {MAX_METHOD} bytes long")
    if method == b"CONNECT":
        raise GrammarError(501, "CONNECT is not offered here")
    return method, target, version


def check_partial_request_line(line: bytes | bytearray, max_uri: int) -> None:
    """As early as can be told: what no further byte can make good. Verdicts equal check_request_line's."""
    check_request_start(line)
    if len(line) - 1 > max_uri + _AROUND_TARGET:
        raise _too_long(max_uri)


def check_request_start(line: bytes | bytearray) -> None:
    """A request begins with a method, so its first byte already tells strangers apart."""
    if _TOKEN_BYTE.match(line) is None:
        if line[0] == _TLS_HANDSHAKE:
            raise GrammarError(400, "a TLS handshake on a port that speaks plain HTTP")
        raise GrammarError(400, "the request line does not begin with a method")


def _too_long(max_uri: int) -> GrammarError:
    return GrammarError(414, f"the request target is longer than {max_uri} bytes")


def _what_is_wrong_with_request(line: bytes) -> str:
    problem = _wrong_line_end(line)
    if problem:
        return f"{problem} in the request line"
    if b"#" in line.partition(b" ")[2]:
        return "a `#` in the request target"
    if line.count(b" ") != 2:
        return "the request line is not `method target version`, with one space between"
    if re.search(rb"[^\x20-\x7e]", line[:-2]):
        return "a byte in the request line that belongs percent-encoded"
    return "malformed request line"


def check_field_line(line: bytes) -> None:
    """One whole field line with its line end. Raises GrammarError(400)."""
    if _FIELD_LINE.fullmatch(line) is None:
        raise GrammarError(400, _what_is_wrong_with_field(line))


def _what_is_wrong_with_field(line: bytes) -> str:
    problem = _wrong_line_end(line)
    if problem:
        return f"{problem} in a header field"
    if line[0] in b" \t":
        return "a folded header field (a line that begins with white space)"
    name, colon, _ = line.partition(b":")
    if not colon:
        return "a header line without a colon"
    if name.endswith((b" ", b"\t")):
        return "white space between a header field's name and the colon"
    if _FIELD_NAME.fullmatch(name) is None:
        return "a header field whose name is not a token"
    return "a control character in a header field's value"


def _wrong_line_end(line: bytes) -> str:
    if b"\0" in line:
        return "a NUL"
    if not line.endswith(b"\r\n"):
        return "a line that ends in LF without CR"
    if b"\r" in line[:-2]:
        return "a CR without LF"
    return ""


class LineSection:
    """Finds the end of a section of lines (a head, or trailers) in a buffer that grows, checking each line
    once.

    Every verdict depends on the bytes alone, never on how they were split: each line is judged in order,
    first by the limits, then by its grammar.
    """

    __slots__ = ("_check_start", "_fields", "_line_start", "_max_bytes", "_max_fields", "_searched", "_what")

    def __init__(
        self,
        what: str,
        max_bytes: int,
        max_fields: int,
        check_start: Callable[[bytes | bytearray, bool], None] | None = None,
    ) -> None:
        """`what` names the section in errors. `check_start` judges the first line, which then is no field:
        called with the line so far, and whether that is all of it."""
        self._what = what
        self._max_bytes = max_bytes
        self._max_fields = max_fields
        self._check_start = check_start
        self._line_start = 0
        self._searched = 0
        self._fields = 0

    def read(self, buffer: bytearray) -> int:
        """Where the section ends in `buffer` (behind its empty line), 0 while it has not.

        Give it the same buffer, grown, each time. Raises GrammarError(400), or 431 over a limit.
        """
        while (newline := buffer.find(b"\n", self._searched)) >= 0:
            line = bytes(buffer[self._line_start : newline + 1])
            self._line_start = self._searched = newline + 1
            if self._check_start is not None:
                self._check_start(line, True)
                self._check_start = None
                continue
            self._check_size(newline + 1)
            if line == b"\r\n":
                return newline + 1
            self._fields += 1
            if self._fields > self._max_fields:
                raise GrammarError(431, f"more than {self._max_fields} header fields in the {self._what}")
            check_field_line(line)
        self._searched = len(buffer)
        if self._check_start is None:
            self._check_size(len(buffer))
        elif buffer:
            self._check_start(buffer, False)
        return 0

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise GrammarError(431, f"the {self._what} is longer than {self._max_bytes} bytes")
