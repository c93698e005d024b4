"""The output side of every HTTP/1 driver: response heads and payload into client bytes, framing included.

The request side tells it three things about the request (`answer`); it knows nothing else of requests, and
trusts the fields it is given: the grammar of a node's head was checked where it came in.
"""

from __future__ import annotations

from collections.abc import Callable

from blastbeat.events import Buffer, Headers, PlainHeaders, ResponseHead
from blastbeat.headers import HOP_BY_HOP

COPY_BELOW = 8 * 1024
"""Bytes. Smaller payload is joined with its framing into one buffer; larger goes out as it is."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_SAYS_MORE = frozenset({*range(100, 200), 426})
"""Statuses whose head gets less, or more, than others."""

_LAST_CHUNK = b"0\r\n\r\n"


def no_date() -> bytes:
    """The default of `Http1Writer.date_now`: without a clock no Date."""
    return b""


class Http1Writer:
    """Writes the responses of one connection, in order. See `interfaces.Driver` for the methods.

    `date_now` returns the value of the `Date` field (IMF-fixdate, so it may be cached for a second), or
    ``b""`` for none. Drivers have no clock: who makes a driver sets it.
    """

    __slots__ = ("_bodyless", "_chunked", "_closing", "_is_http11", "_keep_alive", "date_now")

    def __init__(self) -> None:
        self.date_now: Callable[[], bytes] = no_date
        self.expect_request()

    def expect_request(self) -> None:
        """Between requests: whatever is answered now answers bytes that were no request, and closes."""
        self._is_http11 = True
        self._keep_alive = self._chunked = self._bodyless = self._closing = False

    def answer(self, version: bytes, keep_alive: bool) -> None:
        """The responses that follow answer a request of `version` whose client wants to `keep_alive`."""
        self._is_http11 = version != b"1.0"
        self._keep_alive = keep_alive
        self._chunked = self._bodyless = self._closing = False

    def send_continue(self, out: list[Buffer]) -> None:
        """``100 Continue``."""
        out.append(_CONTINUE)

    def send_head(self, head: ResponseHead, out: list[Buffer]) -> None:
        """The head as one buffer, with the framing that its length, the status and the version call for."""
        headers, status = head.headers, head.status
        if headers.__class__ is PlainHeaders:
            if headers.length is not None and head.length is not None and status not in _SAYS_MORE:
                if self._is_http11 and self._keep_alive and not head.close:
                    self._send_plain_head(head, headers, out)
                    return
            lines = [headers.text]
            has_date, has_server, has_length = (
                headers.has_date,
                headers.has_server,
                headers.length is not None,
            )
        else:
            lines, has_date, has_server = _forwarded_fields(headers)
            lines.insert(0, b"HTTP/1.1 %d %b\r\n" % (status, head.reason))
            has_length = False
        if status >= 200:
            self._frame(head, lines, has_length)
            if not has_date and (date := self.date_now()):
                lines.append(b"Date: %b\r\n" % date)
            if not has_server:
                lines.append(b"Server: blastbeat\r\n")
        lines.append(b"\r\n")
        out.append(b"".join(lines))

    def _send_plain_head(self, head: ResponseHead, headers: PlainHeaders, out: list[Buffer]) -> None:
        """Nearly every head: the node's own text frames it, and the connection stays."""
        self._bodyless = head.bodyless
        self._chunked = self._closing = False
        end = b"\r\n" if headers.has_server else b"Server: blastbeat\r\n\r\n"
        if not headers.has_date and (date := self.date_now()):
            out.append(b"".join((headers.text, b"Date: ", date, b"\r\n", end)))
        else:
            out.append(headers.text + end)

    def _frame(self, head: ResponseHead, lines: list[bytes], has_length: bool) -> None:
        self._bodyless = head.bodyless
        self._closing = head.close or not self._keep_alive
        self._chunked = False
        if head.length is not None:
            if head.status != 204 and not has_length:  # RFC 9110 §8.6 forbids the field there
                lines.append(b"Content-Length: %d\r\n" % head.length)
        elif not head.bodyless:
            if self._is_http11:
                self._chunked = True
                lines.append(b"Transfer-Encoding: chunked\r\n")
            else:
                self._closing = True
        if head.status == 426:  # RFC 9110 §15.5.22 and §7.8; whoever answers it speaks of WebSockets
            lines.append(b"Upgrade: websocket\r\nConnection: Upgrade\r\n")
        if self._closing:
            lines.append(b"Connection: close\r\n")
        elif not self._is_http11:
            lines.append(b"Connection: keep-alive\r\n")

    def send_data(self, data: Buffer, out: list[Buffer]) -> None:
        """Payload; what a response without body must not have is dropped."""
        size = len(data)
        if not size or self._bodyless:
            return
        if not self._chunked:
            out.append(data)
        elif size < COPY_BELOW:
            out.append(b"".join((b"%x\r\n" % size, data, b"\r\n")))
        else:
            out += (b"%x\r\n" % size, data, b"\r\n")

    def send_end(self, out: list[Buffer]) -> None:
        """The last chunk, where chunks are written."""
        if self._chunked:
            self._chunked = False
            self._bodyless = True  # nothing may follow the last chunk
            out.append(_LAST_CHUNK)

    def must_close(self) -> bool:
        """The client asked for it, was told so, or can tell the end of the response by nothing else."""
        return self._closing or not self._keep_alive


def _forwarded_fields(headers: Headers) -> tuple[list[bytes], bool, bool]:
    """The field lines that go on, and whether Date and Server are among them."""
    lines: list[bytes] = []
    has_date = has_server = False
    for name, value in headers:
        lower = name.lower()
        if lower in HOP_BY_HOP:
            if lower == b"connection" and _names_others(value):
                return _forwarded_fields(_without_named(headers))
            continue
        if lower == b"date":
            has_date = True
        elif lower == b"server":
            has_server = True
        lines.append(b"%b: %b\r\n" % (name, value))
    return lines, has_date, has_server


def _names_others(connection: bytes) -> bool:
    return connection.lower() not in (b"close", b"keep-alive")


def _without_named(headers: Headers) -> Headers:
    """Without Connection and every field that it names (RFC 9110 §7.6.1)."""
    named = {b"connection"}
    for name, value in headers:
        if name.lower() == b"connection":
            named.update(token.strip(b" \t").lower() for token in value.split(b","))
    return [(name, value) for name, value in headers if name.lower() not in named]
