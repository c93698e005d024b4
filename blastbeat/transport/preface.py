"""What comes before HTTP on an accepted socket: on a `proxy-protocol` address, who the client is.

One bounded step per socket, then the transport belongs to a connection. Knows sockets and who may be
believed. Nothing is ever answered here: whoever fails is no client.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from functools import lru_cache
from math import inf
from typing import Protocol, cast

from blastbeat.errors import GrammarError
from blastbeat.gates.proxy import ProxyHeader, parse_proxy_header
from blastbeat.ratelimit import RateLimit
from blastbeat.transport.context import ConnectionContext

log = logging.getLogger(__name__)

Peer = tuple[str, int]


class Accepted(Protocol):
    """An accepted socket, whatever state it is in."""

    def stop(self, at_once: bool) -> None:
        """The server stops: end now what is idle, everything when `at_once`."""
        ...


class ProxyPreface(asyncio.Protocol):
    """Reads a PROXY header, then hands over to what `next_protocol` makes for the peer that was told, or for
    None: the real one. `on_lost` is called when it does not come to that."""

    __slots__ = (
        "_buffer",
        "_context",
        "_due",
        "_is_over",
        "_next_protocol",
        "_on_lost",
        "_peer",
        "_rate_limit",
        "_transport",
        "is_watched",
    )

    def __init__(
        self,
        context: ConnectionContext,
        rate_limit: RateLimit,
        next_protocol: Callable[[ProxyPreface, Peer | None], asyncio.Protocol],
        on_lost: Callable[[ProxyPreface], None],
    ) -> None:
        self.is_watched = True
        self._context = context
        self._rate_limit = rate_limit
        self._next_protocol = next_protocol
        self._on_lost = on_lost
        self._buffer = b""
        self._is_over = False
        self._peer = ""
        self._due = inf

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        context = self._context
        self._peer = plain_peer(transport)[0]
        if not context.trusted_proxies.trusts(self._peer):
            self._refuse("not-trusted", "it is not in trusted-proxies, and only those are believed")
            return
        if context.dispatcher.is_stopping:
            self._end("proxy-probe")
            return
        self._due = context.clock.monotonic() + (context.config.header_timeout or inf)
        context.timers.watch(self)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        self._buffer += data  # at most a header and one read: what is whole is not waited for
        try:
            header = parse_proxy_header(self._buffer)
        except GrammarError as error:
            self._refuse("proxy-header", f"{error.reason}, but {self._buffer[:32]!r}")
            return
        if header is not None:
            self._hand_over(header)

    def eof_received(self) -> bool:
        if not self._is_over:
            if self._buffer:
                self._refuse("proxy-header", f"it ended within the PROXY header, after {self._buffer[:32]!r}")
            else:  # a look whether somebody listens, as balancers take it
                self._end("proxy-probe")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_over:
            self._end("proxy-probe" if not self._buffer else "proxy-header")
        self._on_lost(self)

    # ------------------------------------------------------------ how it ends

    def _hand_over(self, header: ProxyHeader) -> None:
        self._is_over, self.is_watched = True, False
        protocol = self._next_protocol(self, (header.addr, header.port) if header.addr else None)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        rest, self._buffer = self._buffer[header.size :], b""
        if rest:
            protocol.data_received(rest)

    def _refuse(self, reason: str, why: str) -> None:
        """Whoever is at the other end is misconfigured or an intruder; the operator wants to know which."""
        suppressed = self._rate_limit.allow((reason, self._peer), self._context.clock.monotonic())
        if suppressed is not None:
            more = f" ({suppressed} more like it)" if suppressed else ""
            log.warning("connection from %s closed: %s%s", self._peer, why, more)
        self._end(reason)

    def _end(self, reason: str) -> None:
        self._is_over, self.is_watched = True, False
        self._buffer = b""
        self._context.counters.add(f"connections.refused.{reason}")
        self._transport.abort()

    def stop(self, at_once: bool) -> None:
        """See `Accepted`: nobody has asked for anything yet. One that is not made yet sees it then."""
        if not self._is_over and self._peer:
            self._end("proxy-probe" if not self._buffer else "proxy-header")

    # ------------------------------------------------------------ deadline (timers.Watched)

    def deadline(self) -> float:
        return self._due

    def expire(self, now: float) -> None:
        timeout = self._context.config.header_timeout
        self._refuse("proxy-late", f"no whole PROXY header within header-timeout, {timeout:g} s")


def plain_peer(transport: asyncio.BaseTransport) -> Peer:
    """Address and port of the peer. A socket for IPv4 and IPv6 together, as systemd passes them, shows IPv4
    mapped into IPv6."""
    addr, port = (transport.get_extra_info("peername") or ("", 0))[:2]
    return (addr[7:] if addr.startswith("::ffff:") and "." in addr else addr), port


@lru_cache(maxsize=256)
def name_of(listener: Hashable) -> str:
    """Of a listener: one text for all its connections."""
    return str(listener)
