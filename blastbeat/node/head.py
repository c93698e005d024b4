"""Response heads as `headers` messages carry them, and what is said of a head that can't be sent.

Pure: values in, bytes out. Checks here what the server would refuse, because here the application can still
be told, and its client be answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus

from blastbeat.node.errors import NodeUsageError

Fields = Iterable[tuple[str | bytes, str | bytes]]

MAX_NAMES = 1000
"""Names of fields that are remembered with their spelling."""

BODYLESS = (b"204", b"304")
"""Where a status line tells that no body follows: ``head[9:12]``."""

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_SPELLED_LOWER = (b"content-length", b"transfer-encoding")
_LENGTH = b"\r\ncontent-length: "
_CODING = b"\r\ntransfer-encoding: "


class _Names(dict[bytes, bytes]):
    """The beginnings of lines, by field name. Those that are searched for are spelled in one way."""

    def __missing__(self, name: bytes) -> bytes:
        if _TOKEN.fullmatch(name) is None:
            raise NodeUsageError(f"{name!r} is no name of a header field (RFC 9110 §5.6.2)")
        lower = name.lower()
        start = (lower if lower in _SPELLED_LOWER else name) + b": "
        if len(self) < MAX_NAMES:
            self[name] = start
        return start


class _StatusLines(dict[int, bytes]):
    """Status lines by status, with the reason phrases of RFC 9110; made once each."""

    def __missing__(self, status: int) -> bytes:
        if not isinstance(status, int) or not 100 <= status <= 599:
            raise NodeUsageError(f"{status!r} is no status: expected a number from 100 to 599")
        try:
            reason = HTTPStatus(status).phrase.encode()
        except ValueError:
            reason = b""
        line = self[int(status)] = b"HTTP/1.1 %d %b\r\n" % (status, reason)
        return line


_NAMES = _Names()
_STATUS_LINES = _StatusLines()


def format_head(status: int, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The body of a `headers` message. `Transfer-Encoding` is left out: framing is the server's.

    Raises NodeUsageError that says which field or status is wrong, and how.
    """
    try:
        parts = [_STATUS_LINES[status]]
        names = _NAMES
        for name, value in fields:
            parts += (names[name], value, b"\r\n")
        parts.append(b"\r\n")
        head = b"".join(parts)
    except (TypeError, ValueError):
        raise NodeUsageError(_fault(status, fields)) from None
    lines = len(parts) // 3 + 2
    if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
        raise NodeUsageError(_fault(status, fields))
    if _CODING in head:
        return format_head(status, [field for field in fields if field[0].lower() != b"transfer-encoding"])
    return head


def has_length(head: bytes) -> bool:
    """Whether a head that `format_head` made has a `Content-Length`."""
    return _LENGTH in head


def declared_length(head: bytes) -> int | None:
    """The `Content-Length` of a head that `format_head` made, None where it has none. Raises NodeUsageError
    for what is no number, and for two of them."""
    position = head.find(_LENGTH)
    if position < 0:
        return None
    begin = position + len(_LENGTH)
    value = head[begin : head.index(b"\r", begin)]
    if not value.isdigit() or head.find(_LENGTH, begin) >= 0:
        raise NodeUsageError(f"expected one Content-Length, and a number; got {value!r}")
    return int(value)


def with_length(head: bytes, length: int) -> bytes:
    """The head of a response whose length it does not tell yet."""
    return b"%bcontent-length: %d\r\n\r\n" % (head[:-2], length)


def as_bytes(fields: Fields, *, without_length: bool = False) -> list[tuple[bytes, bytes]]:
    """Fields for `format_head`, of those that a handler gave as str or bytes."""
    encoded = [(_bytes(name), _bytes(value)) for name, value in fields]
    if without_length:
        return [field for field in encoded if field[0].lower() != b"content-length"]
    return encoded


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def _fault(status: object, fields: Iterable[object]) -> str:
    """What is wrong, for the person who wrote the application."""
    if not isinstance(status, int):
        return f"expected the status as a number, got {status!r}"
    for field in fields:
        if not isinstance(field, (tuple, list)) or len(field) != 2:
            return f"expected a pair of name and value as a header, got {field!r}"
        for what, text in zip(("name", "value"), field, strict=True):
            if not isinstance(text, bytes):
                return f"expected the {what} of a header as bytes, got {text!r} in {tuple(field)!r}"
        if any(byte in field[1] for byte in b"\r\n\0"):
            return f"the value of the header {field[0]!r} holds a line break or NUL: {field[1]!r}"
    return "the headers can be read only once: pass a list"
