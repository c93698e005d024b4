"""Request heads as nearly all clients write them, read in one go: the narrow grammar of the fast way.

Narrower than the gate's in everything: what is read here needs no other look, and what is not is read by the
gate line by line, and by h11. What a client repeats from request to request (its whole block of fields, more
often than not) is compared rather than read again. Knows no events and no body.
"""

from __future__ import annotations

import re

from blastbeat.drivers import HttpLimits
from blastbeat.errors import GrammarError
from blastbeat.events import Headers
from blastbeat.gates.fields import MAX_METHOD, TARGET, TOKEN
from blastbeat.gates.framing import MAX_LENGTH_DIGITS, check_host
from blastbeat.headers import NameTable

_REQUEST_LINE = re.compile(rb"([A-Z]{1,%d}) (/%b*) HTTP/1\.1\r\n" % (MAX_METHOD, TARGET))
# Behind a line end, so that a match is a line from its beginning on. A value begins and ends with what can be
# seen, or is empty.
_FIELD = re.compile(rb"(?<=\n)(%b+): ?((?:[!-~](?:[ -~]*[!-~])?)?)\r\n" % TOKEN)
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,%d}" % (MAX_LENGTH_DIGITS - 1))
_HEAD_END = b"\r\n\r\n"

_PLAIN, _HOST, _LENGTH_OF_BODY, _CONNECTION, _UNUSUAL = 0, 1, 2, 3, 4
_KINDS = {
    b"host": _HOST,
    b"content-length": _LENGTH_OF_BODY,
    b"connection": _CONNECTION,
    b"transfer-encoding": _UNUSUAL,
    b"upgrade": _UNUSUAL,
    b"expect": _UNUSUAL,
}


def _known(name: bytes) -> tuple[bytes, int]:
    """A field's name in lower case, and what the field says of its request."""
    lower = name.lower()
    return lower, _KINDS.get(lower, _PLAIN)


_NAMES = NameTable(_known)


class FieldBlock:
    """The fields of a head, and what they say. `text` is all behind the request line, with the empty line.

    One block serves every request that repeats it: nothing here may be changed.
    """

    __slots__ = ("content_length", "headers", "host", "keep_alive", "text")

    def __init__(
        self, text: bytes, headers: Headers, host: bytes, content_length: int | None, keep_alive: bool
    ) -> None:
        self.text = text
        self.headers = headers
        self.host = host
        self.content_length = content_length
        self.keep_alive = keep_alive


class PlainHead:
    """A head that was read. `end` is where it ends in the bytes it was read from."""

    __slots__ = ("block", "end", "method", "target")

    def __init__(self, method: bytes, target: bytes, block: FieldBlock, end: int) -> None:
        self.method = method
        self.target = target
        self.block = block
        self.end = end


class PlainHeads:
    """Reads the heads of one connection."""

    __slots__ = ("_block", "_data", "_head", "_limits")

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._block: FieldBlock | None = None
        self._data = b""
        self._head: PlainHead | None = None

    def read(self, data: bytes) -> PlainHead | None:
        """The head that `data` begins with, None where it is not plain or not whole. Asked again about the
        same object it remembers: the gate asks, and then the driver."""
        if data is self._data:
            return self._head
        self._data = data
        self._head = head = self._read(data)
        return head

    def forget(self) -> None:
        """The request is over: its bytes need not be kept."""
        self._data = b""
        self._head = None

    def rest(self) -> None:
        """The client is silent: its fields will be read anew."""
        self.forget()
        self._block = None

    def _read(self, data: bytes) -> PlainHead | None:
        line = _REQUEST_LINE.match(data)
        if line is None:
            return None
        begin, limits = line.end(), self._limits
        method, target = line.groups()
        block = self._block
        if block is None or not data.startswith(block.text, begin):
            block = self._read_block(data, begin)
            if block is None:
                return None
            self._block = block
        end = begin + len(block.text)
        if end > limits.max_head or len(target) > limits.max_uri or method == b"CONNECT":
            return None
        return PlainHead(method, target, block, end)

    def _read_block(self, data: bytes, begin: int) -> FieldBlock | None:
        end = data.find(_HEAD_END, begin) + 2
        if end < 2:
            return None
        fields = _FIELD.findall(data, begin, end)
        if len(fields) != data.count(b"\n", begin, end) or len(fields) > self._limits.max_headers:
            return None
        headers: Headers = []
        hosts: list[bytes] = []
        length: int | None = None
        keep_alive, names = True, _NAMES
        for name, value in fields:
            lower, kind = names[name]
            headers.append((lower, value))
            if not kind:
                continue
            if kind == _HOST:
                hosts.append(value)
            elif kind == _LENGTH_OF_BODY and length is None and _LENGTH.fullmatch(value):
                length = int(value)
            elif kind == _CONNECTION and value in (b"keep-alive", b"close") and keep_alive:
                keep_alive = value == b"keep-alive"
            else:
                return None
        if len(hosts) != 1 or not _is_host(hosts[0]):
            return None
        return FieldBlock(data[begin : end + 2], headers, hosts[0], length, keep_alive)


def _is_host(host: bytes) -> bool:
    try:
        check_host(host, "")
    except GrammarError:
        return False
    return True
