"""What the engine asks of drivers, the sans-I/O codecs of what clients speak: typing.Protocols, and limits.

Knows no implementation. Plugin authors find all of it in `interfaces`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from blastbeat.events import Buffer, ClientEvent, ResponseHead, WebSocketEvent

# ---------------------------------------------------------------- HTTP


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds on what one request head may be. Bytes; `max_headers` counts field lines."""

    max_head: int = 64 * 1024
    max_uri: int = 16 * 1024
    max_headers: int = 100


class Driver(Protocol):
    """Sans-I/O codec of one client connection: checked bytes in, events out, and back.

    The gate stands before it, so `receive_data` sees only bytes that passed the strict grammar, and for
    HTTP/1 never a byte of the next request before `start_next_exchange` was called. Output is appended to
    `out`, buffers in order; large payloads are appended as they are, never copied.
    """

    date_now: Callable[[], bytes]
    """The value of the `Date` field, set by who made the driver; drivers have no clock."""

    def receive_data(self, data: Buffer) -> Sequence[ClientEvent]:
        """Events that `data` completes. Raises ClientError for what cannot be understood; then the driver
        is over for input, but an error response can still be sent."""
        ...

    def start_next_exchange(self) -> None:
        """The response is complete and the request was read to its end: forget both."""
        ...

    def send_continue(self, out: list[Buffer]) -> None:
        """``100 Continue``, for a request that expects it."""
        ...

    def send_head(self, head: ResponseHead, out: list[Buffer]) -> None:
        """An interim or the final head. The framing is the driver's choice from `head` and the request's
        version; hop-by-hop fields in `head.headers` are not passed on; `Date` and `Server` are added where
        missing."""
        ...

    def send_data(self, data: Buffer, out: list[Buffer]) -> None:
        """Payload of the final response. The caller keeps to the declared length."""
        ...

    def send_end(self, out: list[Buffer]) -> None:
        """The response is complete (writes the last chunk where the driver frames chunks)."""
        ...

    def must_close(self) -> bool:
        """True when the connection can't carry another exchange after this one, whatever the session
        wants."""
        ...


class DriverFactory(Protocol):
    """What a driver plugin registers: makes one driver per connection."""

    protocols: Sequence[str]  # ALPN names, e.g. ("http/1.1",)

    def new_driver(self, limits: HttpLimits) -> Driver: ...


# ---------------------------------------------------------------- drivers of upgraded connections


@dataclass(frozen=True, slots=True)
class WebSocketOptions:
    """What a virtualhost allows. `max_message`: bytes of one message, inflated. `window_bits`: 9 to 15."""

    max_message: int = 1024 * 1024
    compression: bool = False
    window_bits: int = 12


class WebSocketDriver(Protocol):
    """Sans-I/O codec of one upgraded connection (RFC 6455, RFC 7692): checked bytes in, events out, and back.

    `gates/websocket.py` stands before it: frame headers passed its grammar and its limits. What is inside the
    frames (UTF-8, close codes, compressed data) is the driver's to check. One that has `checks_frames = True`
    reads its headers with `FrameHeaders` and gets the client's bytes as they are; it must go by its verdicts.
    """

    @property
    def held(self) -> int:
        """Bytes here of a message that is not whole yet, inflated. They count for `memory`."""
        ...

    def receive_data(self, data: Buffer) -> Sequence[WebSocketEvent]:
        """Events that `data` completes, in order. The last may be a WebSocketFailure or a WebSocketClose:
        then nothing more is to be handed in. Invalid UTF-8 fails as soon as it is there. Never raises for
        what a client sent."""
        ...

    def send_message(self, data: Buffer, is_text: bool, out: list[Buffer]) -> None:
        """One message as one frame. `data` is valid UTF-8 where `is_text`."""
        ...

    def send_ping(self, payload: bytes, out: list[Buffer]) -> None: ...
    def send_pong(self, payload: bytes, out: list[Buffer]) -> None: ...
    def send_close(self, code: int, reason: bytes, out: list[Buffer]) -> None:
        """`code` 1005: a close frame without one. `reason`: at most 123 bytes of UTF-8."""
        ...


class WebSocketDriverFactory(Protocol):
    """What a WebSocket driver plugin registers."""

    def negotiate(self, offers: Sequence[bytes], options: WebSocketOptions) -> tuple[bytes, WebSocketDriver]:
        """A driver for one connection, and the value of `Sec-WebSocket-Extensions` to answer with, ``b""``
        for none. `offers` are the values of that field in the handshake, as sent. What can't be understood in
        them is no offer."""
        ...
