"""What a stream may ask of the connection it belongs to, as an interface.

Knows nothing of sockets; `transport.connection` implements it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from blastbeat.events import Buffer, Headers
from blastbeat.facts import ConnectionFacts
from blastbeat.interfaces import ClientSide, ConnectionView, Pace, WebSocketOptions


@dataclass(frozen=True, slots=True)
class Upgrade:
    """How a WebSocket handshake is accepted. `headers` are those of the 101 besides what RFC 6455 wants in
    it: the node's or a filter's. `offers` are the client's `Sec-WebSocket-Extensions`."""

    key: bytes
    headers: Headers
    options: WebSocketOptions
    offers: Sequence[bytes] = ()
    ping: float = 20.0  # seconds of silence, 0 for no pings


class Connected(Protocol):
    """A client connection, whatever it speaks. Calls are synchronous and never raise."""

    view: ConnectionView
    listener: Hashable  # which one accepted it, as `HostTable` knows it

    def hold_reading(self) -> None: ...
    def release_reading(self) -> None: ...
    def is_congested(self) -> bool: ...

    def close_gracefully(self, linger: int, linger_time: float) -> None:
        """Flush, send FIN, discard up to `linger` bytes for `linger_time` seconds, close."""
        ...

    def cut(self) -> None:
        """Close without completing what was begun, so that the client notices."""
        ...

    def pause_input(self, seconds: float) -> None:
        """Take nothing from the client for a while."""
        ...

    def pause_output(self, seconds: float) -> None:
        """Hold back what is sent for a while; it is bounded as ever."""
        ...

    def pace_output(self, pace: Pace) -> None:
        """Everything from here on, up to the next request, goes to the client as `pace` says."""
        ...


class Client(ClientSide, Connected, Protocol):
    """A client connection that speaks HTTP, as its stream sees it."""

    facts: ConnectionFacts
    default_port: int  # of its scheme

    def must_close(self) -> bool:
        """The driver can't carry another exchange after this one."""
        ...

    def next_exchange(self) -> None:
        """The exchange is over and the connection stays: read the next request."""
        ...

    def upgrade(self, upgrade: Upgrade) -> WebSocketClient:
        """Answer the handshake with 101. What is returned takes this client's place; what the client sent
        behind its handshake is read once this call has returned."""
        ...


class WebSocketClient(Connected, Protocol):
    """The same connection, upgraded. What comes of it goes to the stream: `message_received`, and once
    `websocket_over`."""

    def send_message(self, data: Buffer, is_text: bool) -> None:
        """One message; counted like payload, so a client that does not keep up is given up with 1008."""
        ...

    def close_websocket(self, code: int, reason: bytes = b"") -> None:
        """Send a close frame behind what was sent, wait for the client's for `linger_time`, and close. What
        the client sends meanwhile is dropped."""
        ...
