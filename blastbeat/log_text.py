"""Text that is safe in a line of a log: escaped bytes, JSON strings, times.

Pure. Whatever a client or a node sent, nothing made here ends a line or its quotes, or speaks to the reader's
terminal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii

# Anything else could end the line or its quotes, or speak to the reader's terminal.
_UNSAFE = re.compile(rb"[^ !#-\[\]-~]")
_SAFE = bytes(byte for byte in range(256) if _UNSAFE.match(bytes((byte,))) is None)
_WORD = re.compile(rb"[!#-\[\]-~]+")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def escape_each(values: Sequence[bytes]) -> list[str]:
    """`escape` of each. One look at all together: nearly always nothing is to be escaped."""
    together = b'"'.join(values)
    if together.translate(None, _SAFE) == b'"' * (len(values) - 1):
        return together.decode("ascii").split('"')
    return [escape(value) for value in values]


def escape(value: bytes) -> str:
    """Printable ASCII that stays between its quotes: quote and backslash get a backslash, other bytes become
    ``\\xNN``."""
    return (_UNSAFE.sub(_escape_byte, value) if _UNSAFE.search(value) else value).decode("ascii")


def _escape_byte(match: re.Match[bytes]) -> bytes:
    byte = match[0]
    return b"\\" + byte if byte in b'"\\' else b"\\x%02x" % byte[0]


def escape_word(value: bytes) -> str:
    """The same for a value that stands without quotes, where a blank would make two of it. ``-`` for none."""
    if _WORD.fullmatch(value):
        return value.decode("ascii")
    return escape(value).replace(" ", "\\x20") or "-"


def to_bytes(text: str) -> bytes:
    """UTF-8 of text that may hold undecodable bytes of the system's (surrogates); never raises."""
    return text.encode("utf-8", "surrogateescape" if text.isprintable() else "backslashreplace")


def json_string(value: bytes | str) -> str:
    """A JSON string, quotes included, of ASCII alone and without a control character: what is not ASCII
    becomes ``\\uNNNN``, bytes that are no UTF-8 become ``\\xNN`` as text."""
    if isinstance(value, str):
        value = value.encode("utf-8", "backslashreplace")  # a lone surrogate is no JSON everybody reads
    text: str = encode_basestring_ascii(value.decode("utf-8", "backslashreplace"))
    return text.replace("\x7f", "\\u007f") if "\x7f" in text else text


def format_time(seconds: float) -> str:
    """Wall-clock seconds in UTC with milliseconds, as RFC 3339 spells it."""
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{_rfc3339(whole)}.{milliseconds:03d}Z"


@lru_cache(maxsize=16)  # a third of a line's cost, and most lines of a block share it
def _rfc3339(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=16)
def format_common_time(whole: int) -> str:
    """UTC as the common log format spells it, without its brackets; `whole` seconds."""
    at = datetime.fromtimestamp(whole, UTC)
    return f"{at.day:02d}/{_MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S} +0000"
