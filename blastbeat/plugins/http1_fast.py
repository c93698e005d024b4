"""The driver for HTTP/1.1 as nearly all clients speak it: what `PlainHeads` reads becomes events at once.

Whatever is unusual about a request goes as it came to h11's reader (`http1_h11`), so both drivers give the
same events for the same bytes; `fuzz/http1_drivers.py` compares them.
"""

from __future__ import annotations

from collections.abc import Sequence

from blastbeat import hookimpl
from blastbeat.events import Buffer, ClientEvent, RequestData, RequestEnd, RequestHead
from blastbeat.interfaces import HttpLimits, Options, PlainHeads, Register
from blastbeat.plugins.http1_h11 import H11Reader
from blastbeat.plugins.http1_writer import Http1Writer

NAME = "fast"
STREAM_ID = 1

_END = RequestEnd(STREAM_ID)


class FastDriver(Http1Writer):
    """One client connection. See `interfaces.Driver`; `date_now` as in Http1Writer."""

    __slots__ = ("_limits", "_reader", "_remaining", "_unusual", "plain_heads")

    def __init__(self, limits: HttpLimits) -> None:
        super().__init__()
        self._limits = limits
        self.plain_heads = PlainHeads(limits)
        """The gate asks it first, and what it read is not read again."""
        self._reader: H11Reader | None = None  # made for the first request that needs it
        self._unusual = False  # this request is its
        self._remaining = 0  # bytes of body still to come

    def receive_data(self, data: Buffer) -> Sequence[ClientEvent]:
        """Events that `data` completes, all of stream 1. Raises ClientError."""
        if self._remaining:
            events: list[ClientEvent] = []
            self._read_body(data, events)
            return events
        if self._unusual or type(data) is not bytes:
            return self._read_unusual(data)
        plain = self.plain_heads.read(data)
        if plain is None:
            return self._read_unusual(data)
        block, target, length = plain.block, plain.target, plain.block.content_length
        head = RequestHead(
            STREAM_ID, plain.method, target, target, b"1.1", block.host, block.headers, length, False,
            block.keep_alive,
        )  # fmt: skip
        self.answer(b"1.1", block.keep_alive)
        if not length:
            return head, _END
        self._remaining = length
        events = [head]
        if plain.end < len(data):
            self._read_body(data[plain.end :], events)
        return events

    def start_next_exchange(self) -> None:
        """Forget the request and its response."""
        if self._unusual:
            assert self._reader is not None
            self._reader.start_next()
            self._unusual = False
        self.plain_heads.forget()
        self.expect_request()

    def _read_body(self, data: Buffer, events: list[ClientEvent]) -> None:
        if not data:
            return
        self._remaining -= len(data)
        events.append(RequestData(STREAM_ID, data))  # type: ignore[arg-type]  # the gate hands over bytes
        if not self._remaining:
            events.append(_END)

    def _read_unusual(self, data: Buffer) -> Sequence[ClientEvent]:
        if not data:
            return ()
        if self._reader is None:
            self._reader = H11Reader(self._limits)
        self._unusual = True
        events = self._reader.read(data)
        if events and isinstance(events[0], RequestHead):
            self.answer(events[0].version, events[0].keep_alive)
        return events


class FastDriverFactory:
    """Makes a driver per connection. See `interfaces.DriverFactory`."""

    protocols: Sequence[str] = ("http/1.1",)

    def __init__(self, options: Options) -> None:
        """Takes no options: the registry refuses any."""

    def new_driver(self, limits: HttpLimits) -> FastDriver:
        return FastDriver(limits)


@hookimpl
def blastbeat_register_drivers(register: Register) -> None:
    register(NAME, FastDriverFactory)
