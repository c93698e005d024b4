"""What a stream may ask of the connection it belongs to, as an interface.

Knows nothing of sockets; `transport.connection` implements it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from blastbeat.forwarding import ConnectionFacts
from blastbeat.interfaces import ClientSide, ConnectionView, Pace


class Client(ClientSide, Protocol):
    """A client connection, as its stream sees it. Calls are synchronous and never raise."""

    view: ConnectionView
    facts: ConnectionFacts
    listener: Hashable  # which one accepted it, as `HostTable` knows it
    default_port: int  # of its scheme

    def must_close(self) -> bool:
        """The driver can't carry another exchange after this one."""
        ...

    def next_exchange(self) -> None:
        """The exchange is over and the connection stays: read the next request."""
        ...

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
