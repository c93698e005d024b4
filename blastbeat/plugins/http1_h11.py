"""The reference driver for HTTP/1.0 and 1.1: h11 reads requests, `http1_writer` writes responses.

h11 reads one request only, then makes room for a fresh one, so that no state of an old request can leak into
the next. It sees only bytes that passed the gate; what it refuses nevertheless is a ClientError too.
"""

from __future__ import annotations

from collections.abc import Sequence

import h11

from blastbeat import hookimpl
from blastbeat.errors import ClientError
from blastbeat.events import Buffer, ClientEvent, Headers, RequestData, RequestEnd, RequestHead
from blastbeat.interfaces import HttpLimits, Options, Register
from blastbeat.plugins.http1_writer import Http1Writer

NAME = "h11"
STREAM_ID = 1
_ROOM = 8 * 1024  # the gate counts without chunk lines; h11's own limit must never be the one that bites


class H11Reader:
    """Reads one request after the other. Other drivers hand it what they don't read themselves.

    h11's connection is made when a request begins, and not kept between two: an idle one takes a kilobyte.
    """

    __slots__ = ("_connection", "_limit")

    def __init__(self, limits: HttpLimits) -> None:
        self._limit = limits.max_head + _ROOM
        self.start_next()

    def start_next(self) -> None:
        """Forget the request."""
        self._connection: h11.Connection | None = None

    def read(self, data: Buffer) -> Sequence[ClientEvent]:
        """Events that `data` completes, all of stream 1; a head is the first. Raises ClientError."""
        if not data:
            return ()  # to h11 this would be the end of the connection
        events: list[ClientEvent] = []
        payload: list[bytes] = []
        connection = self._connection
        if connection is None:
            connection = self._connection = h11.Connection(h11.SERVER, self._limit)
        try:
            connection.receive_data(data)  # type: ignore[arg-type]  # any buffer will do
            while True:
                event = connection.next_event()
                if isinstance(event, h11.Data):
                    payload.append(event.data)
                elif isinstance(event, h11.Request):
                    head = _to_head(event.method, event.target, event.http_version, _lowered_fields(event))
                    events.append(head)
                    if not head.has_body:  # RFC 9112 §6.3; to have h11 say so costs a quarter of the parse
                        events.append(RequestEnd(STREAM_ID))
                        return events
                else:
                    break
        except h11.RemoteProtocolError as error:
            raise ClientError(error.error_status_hint, "malformed request") from error
        if payload:  # joined, so that many small chunks do not become as many messages
            events.append(RequestData(STREAM_ID, b"".join(payload)))
        if isinstance(event, h11.EndOfMessage):
            events.append(RequestEnd(STREAM_ID))
        return events


class H11Driver(Http1Writer):
    """One client connection. See `interfaces.Driver`; `date_now` as in Http1Writer."""

    __slots__ = ("_reader",)

    def __init__(self, limits: HttpLimits) -> None:
        super().__init__()
        self._reader = H11Reader(limits)

    def receive_data(self, data: Buffer) -> Sequence[ClientEvent]:
        """Events that `data` completes, all of stream 1. Raises ClientError."""
        events = self._reader.read(data)
        if events and isinstance(events[0], RequestHead):
            self.answer(events[0].version, events[0].keep_alive)
        return events

    def start_next_exchange(self) -> None:
        """Forget the request and its response."""
        self._reader.start_next()
        self.expect_request()


def _to_head(method: bytes, target: bytes, version: bytes, headers: Headers) -> RequestHead:
    head = RequestHead(STREAM_ID, method, target, target, version, b"", headers)
    connection: list[bytes] = []
    upgrade: list[bytes] = []
    for name, value in headers:
        if name == b"host":
            head.authority = value
        elif name == b"connection":
            connection += _tokens(value)
        elif name == b"content-length":
            head.content_length = int(value)
        elif name == b"transfer-encoding":
            head.chunked = True
        elif name == b"expect":
            head.expect_continue = version != b"1.0" and value.lower() == b"100-continue"
        elif name == b"upgrade":
            upgrade += _tokens(value)
    # RFC 9112 §9.3
    head.keep_alive = b"close" not in connection and (version != b"1.0" or b"keep-alive" in connection)
    head.upgrade = b"upgrade" in connection and b"websocket" in upgrade
    if target[:1] not in (b"/", b"*"):
        head.authority, head.path = _split_absolute(method, target)
    return head


def _lowered_fields(request: h11.Request) -> Headers:
    # To iterate over h11's Headers is a call in Python for each field, and an exception at the end.
    return [(name.lower(), value) for name, value in request.headers.raw_items()]


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip(b" \t") for token in value.lower().split(b",")]


def _split_absolute(method: bytes, target: bytes) -> tuple[bytes, bytes]:
    """Authority and origin form of an absolute-form target; the authority replaces Host (RFC 9112 §3.2.2)."""
    rest = target.partition(b"://")[2]
    slash, question = rest.find(b"/"), rest.find(b"?")
    ends = [end for end in (slash, question) if end >= 0]
    if not ends:
        return rest, b"*" if method == b"OPTIONS" else b"/"  # RFC 9112 §3.2.4
    end = min(ends)
    path = rest[end:]
    return rest[:end], path if path[:1] == b"/" else b"/" + path


class H11DriverFactory:
    """Makes a driver per connection. See `interfaces.DriverFactory`."""

    protocols: Sequence[str] = ("http/1.1",)

    def __init__(self, options: Options) -> None:
        """Takes no options: the registry refuses any."""

    def new_driver(self, limits: HttpLimits) -> H11Driver:
        return H11Driver(limits)


@hookimpl
def blastbeat_register_drivers(register: Register) -> None:
    register(NAME, H11DriverFactory)
