"""Header fields: the response heads that nodes write, and small helpers over lists of fields.

Pure functions over bytes. Checks the grammar of RFC 9112 §2–5, lenient only where `protocol.md` §4 says so
(lines may end in LF, the reason may be missing). Knows no socket, no session and no message type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from blastbeat.errors import NodeError
from blastbeat.events import Buffer, Headers, NodeHead, PlainHeaders

T = TypeVar("T")

MAX_RESPONSE_HEAD = 64 * 1024
"""Bytes a node's response head may have, its empty line included: as many as a client's may."""

MAX_LENGTH_DIGITS = 18
"""Digits of a `Content-Length`: more than any body, and still a 64-bit number everywhere."""

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
TEXT = rb"[\t\x20-\x7e\x80-\xff]"  # what may stand in a field value or a reason: RFC 9110 §5.5, no other CTL

# One pass checks the whole head and finds its end. The possessive quantifiers keep hostile input linear. None
# stands behind a group: where its last round fails halfway, CPython 3.11.2 (Debian 12) goes on in its middle.
_HEAD = re.compile(
    rb"HTTP/1\.[0-9] ([1-5][0-9][0-9])(?: (%(text)s*+))?\r?\n"
    rb"((?:%(token)s++:%(text)s*+\r?\n)*)\r?\n" % {b"text": TEXT, b"token": TOKEN}
)
_FIELD = re.compile(rb"([^:]++):[ \t]*+([^ \t\r\n]*+(?:[ \t]++[^ \t\r\n]++)*)[ \t]*+\r?\n")
_HEAD_END = re.compile(rb"\n\r?\n")
_BARE_CR = re.compile(rb"\r(?!\n)")
_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] [1-5][0-9][0-9](?: %s*+)?" % TEXT)
_STATUS = re.compile(rb"([1-5][0-9][0-9])(?: (%s*+))?" % TEXT)
_USUAL_LENGTH = re.compile(rb"0|[1-9][0-9]{0,%d}" % (MAX_LENGTH_DIGITS - 1))
_NAME = re.compile(TOKEN + rb"++")
_VALUE = re.compile(TEXT + rb"*+")


# ---------------------------------------------------------------- heads that nodes write


def parse_response_head(data: Buffer) -> NodeHead:
    """A raw HTTP/1 response head; what follows its empty line becomes the head's `body`, uncopied where
    `data` is a memoryview. Raises NodeError that says what is wrong and in which line."""
    match = _HEAD.match(data, 0, MAX_RESPONSE_HEAD)
    if match is None:
        raise NodeError(f"malformed response head: {_fault_of(data)}")
    status, reason, lines = match.groups()
    end = match.end()
    code, reason, headers = int(status), reason or b"", _FIELD.findall(lines)
    if code >= 200 and code not in _NEVER_PLAIN:
        headers = _maybe_plain(code, reason, headers, lines)
    return NodeHead(code, reason, headers, data[end:] if end < len(data) else b"")


def find_head_end(buffer: Buffer, start: int = 0) -> int:
    """The position behind the first empty line at or after `start`, or -1.

    To look again when more has arrived, begin 3 bytes before the old end: the whole search stays linear.
    """
    match = _HEAD_END.search(buffer, start)
    return match.end() if match is not None else -1


def response_head(status: bytes, fields: Iterable[tuple[bytes, bytes]]) -> NodeHead:
    """A head from its parts, held to the same grammar, so that no encoder can smuggle a line break.

    `status` is ``200 OK`` or ``200``. Raises NodeError.
    """
    match = _STATUS.fullmatch(status)
    if match is None:
        raise NodeError(f"malformed status {_shown(status)}: expected three digits, 100-599, and a reason")
    return NodeHead(
        int(match[1]),
        (match[2] or b"").strip(b" \t"),
        [_checked_field(name, value) for name, value in fields],
    )


def is_field(name: bytes, value: bytes) -> bool:
    """True for what the grammar of RFC 9110 §5 allows as a field."""
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None


def _checked_field(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if _NAME.fullmatch(name) is None:
        raise NodeError(f"malformed header name {_shown(name)}")
    if _VALUE.fullmatch(value) is None:
        raise NodeError(f"the value of {_shown(name)} holds a line break, NUL or another control character")
    return name, value.strip(b" \t")


def _fault_of(data: Buffer) -> str:
    """What is wrong with a head that the grammar refused, for the person who wrote the node."""
    end = _HEAD_END.search(data, 0, MAX_RESPONSE_HEAD)
    if end is None:
        if len(data) > MAX_RESPONSE_HEAD:
            return f"it is longer than {MAX_RESPONSE_HEAD} bytes"
        return "no empty line at its end"
    head = bytes(data[: end.end()])
    if b"\0" in head:
        return "it holds a NUL byte"
    if _BARE_CR.search(head):
        return "it holds a CR without LF"
    lines = head.replace(b"\r\n", b"\n").split(b"\n")
    if _STATUS_LINE.fullmatch(lines[0]) is None:
        return f"expected a status line like 'HTTP/1.1 200 OK', got {_shown(lines[0])}"
    for number, line in enumerate(lines[1:], start=2):
        if fault := _fault_of_line(line):
            return f"line {number} {fault}"
    return "it does not follow the grammar"


def _fault_of_line(line: bytes) -> str:
    name, colon, value = line.partition(b":")
    if line[:1] in (b" ", b"\t"):
        return "is folded (begins with white space), which is obsolete"
    if line and not colon:
        return f"has no colon: {_shown(line)}"
    if line and _NAME.fullmatch(name) is None:
        return f"has a malformed header name: {_shown(name)}"
    if _VALUE.fullmatch(value) is None:
        return f"({_shown(name)}) holds a control character"
    return ""


def _shown(text: bytes) -> str:
    """At most 40 bytes, quoted so that a log stays one line."""
    return repr(text[:40])[1:] + ("..." if len(text) > 40 else "")


# ---------------------------------------------------------------- heads that go on as they are

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"content-length",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""What RFC 9110 §7.6.1 wants removed before forwarding, `Trailer` (trailers are dropped, so it would announce
what never comes), and Content-Length, which is written anew. Proxy-Authenticate is not among them: only
Connection could make it hop-by-hop."""

_NEVER_PLAIN = (204, 426)
"""The first never declares a length (RFC 9110 §8.6), the second always says more."""

_PASSES, _LENGTH, _DATE, _SERVER, _OF_THIS_HOP = 0, 1, 2, 3, 4


def _kind_of(name: bytes) -> int:
    """Of a field a node wrote, in whatever case."""
    lower = name.lower()
    if lower in HOP_BY_HOP:
        return _LENGTH if lower == b"content-length" else _OF_THIS_HOP
    return _DATE if lower == b"date" else _SERVER if lower == b"server" else _PASSES


def _maybe_plain(status: int, reason: bytes, headers: Headers, lines: bytes) -> Headers:
    """`headers` with the `lines` they were read from, where these can go on as they are."""
    if lines.count(b"\r\n") != len(headers):  # some end in LF alone
        return headers
    length: int | None = None
    has_date = has_server = False
    kinds = _KINDS
    for name, value in headers:
        kind = kinds[name]
        if not kind:
            continue
        if kind == _DATE:
            has_date = True
        elif kind == _SERVER:
            has_server = True
        elif kind == _LENGTH and length is None and _USUAL_LENGTH.fullmatch(value):
            length = int(value)
        else:
            return headers
    plain = PlainHeaders(headers)
    plain.text = b"HTTP/1.1 %d %b\r\n%b" % (status, reason, lines)
    plain.length, plain.has_date, plain.has_server = length, has_date, has_server
    return plain


# ---------------------------------------------------------------- framing


def response_framing(head: NodeHead) -> tuple[int | None, bool]:
    """The declared length of the body and whether the node codes it as chunked itself (`protocol.md` §6).

    `Transfer-Encoding` removes `Content-Length`, so never both. Raises NodeError for any other coding than
    chunked, and for lengths that are malformed or differ.
    """
    codings: list[bytes] | None = None
    length: int | None = None
    lengths: list[bytes] = []
    for name, value in head.headers:
        # The two names have 14 and 17 bytes: most fields are told apart without lowering them.
        if len(name) == 14 and name.lower() == b"content-length":
            lengths.append(value)
        elif len(name) == 17 and name.lower() == b"transfer-encoding":
            codings = (codings or []) + list_items(value)
    if codings is not None:
        if codings != [b"chunked"]:
            raise NodeError(f"unknown transfer coding {_shown(b', '.join(codings))}")
        return None, True
    for value in lengths:
        for number in value.split(b","):
            one = _parse_length(number.strip(b" \t"))
            if length is not None and one != length:
                raise NodeError("two different Content-Length in the response head")
            length = one
    return length, False


def asks_to_close(headers: Headers) -> bool:
    """Whether `Connection` names `close`. Told by the name's length first: asked for every response."""
    if headers.__class__ is PlainHeaders:
        return False
    for name, value in headers:
        if len(name) == 10 and name.lower() == b"connection" and b"close" in list_items(value):
            return True
    return False


def _parse_length(text: bytes) -> int:
    if not text.isdigit() or len(text) > MAX_LENGTH_DIGITS:
        raise NodeError(f"malformed Content-Length {_shown(text)}")
    return int(text)


# ---------------------------------------------------------------- lists of fields


def field_values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> Iterator[bytes]:
    """All values of a field in order; `name` in lower case, the list's names in any."""
    return (value for key, value in headers if key.lower() == name)


def field_value(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The first value of a field (`name` in lower case), or None."""
    return next(field_values(headers, name), None)


def list_items(value: bytes) -> list[bytes]:
    """The members of a comma list (RFC 9110 §5.6.1) in lower case, empty ones dropped. For lists of tokens:
    quoted strings with commas in them are not understood."""
    return [item for part in value.lower().split(b",") if (item := part.strip(b" \t"))]


def field_items(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """The members of all comma lists under one name, in lower case."""
    return [item for value in field_values(headers, name) for item in list_items(value)]


def combine(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """One value per name, in order of first appearance: repeated fields joined with ``, ``, `Cookie` with
    ``; `` (RFC 9110 §5.3, RFC 9113 §8.2.3). Names must be in one case."""
    combined = dict(headers)
    if len(combined) == len(headers):
        return combined
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    return {name: (b"; " if name == b"cookie" else b", ").join(several) for name, several in values.items()}


def without(headers: Iterable[tuple[bytes, bytes]], names: frozenset[bytes]) -> Headers:
    """The fields whose lower-cased name is not in `names`."""
    return [field for field in headers if field[0].lower() not in names]


# ---------------------------------------------------------------- what is known of names

MAX_TABLE_NAMES = 1024
"""Names a NameTable remembers; what comes later is worked out anew each time."""

MAX_TABLE_NAME_LENGTH = 64
"""Bytes of a name it remembers: with the number above, the bound of its memory."""

_USUAL_NAMES = (
    b"accept accept-charset accept-encoding accept-language access-control-request-headers authorization"
    b" access-control-request-method cache-control connection content-encoding content-length content-type"
    b" cookie dnt expect forwarded host if-match if-modified-since if-none-match if-range keep-alive origin"
    b" pragma priority range referer sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest"
    b" sec-fetch-mode sec-fetch-site sec-fetch-user sec-websocket-extensions sec-websocket-key"
    b" sec-websocket-protocol sec-websocket-version te trailer transfer-encoding upgrade user-agent via"
    b" upgrade-insecure-requests x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip x-request-id"
    b" x-requested-with"
).split()


class NameTable(dict[bytes, T]):
    """What a function says of a field name, remembered: `table[name]`, name in lower case.

    Bounded, and the usual names are there from the start, so that names made up by clients can neither fill
    the memory nor keep the usual ones out.
    """

    __slots__ = ("_compute",)

    def __init__(self, compute: Callable[[bytes], T]) -> None:
        super().__init__((name, compute(name)) for name in _USUAL_NAMES)
        self._compute = compute

    def __missing__(self, name: bytes) -> T:
        value = self._compute(name)
        if len(self) < MAX_TABLE_NAMES and len(name) <= MAX_TABLE_NAME_LENGTH:
            self[name] = value
        return value


_KINDS = NameTable(_kind_of)
