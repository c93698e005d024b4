"""One accepted client connection: bytes from the socket through gate and driver to the stream, and its end.

An `asyncio.Protocol`. Knows sockets and deadlines; what a request means and where it goes is the stream's
business. Nothing here raises into the event loop: whatever goes wrong ends this connection alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable, Sequence
from math import inf
from typing import Any, cast

from blastbeat.client import Upgrade
from blastbeat.errors import ClientError
from blastbeat.events import Buffer, ClientEvent, CloseReason, RequestData, RequestHead, ResponseHead
from blastbeat.facts import ConnectionFacts, TlsFacts
from blastbeat.gates.http1 import Http1Gate
from blastbeat.handshake import format_switch
from blastbeat.interfaces import ConnectionView
from blastbeat.progress import Phase
from blastbeat.stream import Stream
from blastbeat.transport.client_link import ClientLink
from blastbeat.transport.client_output import WRITE_HIGH
from blastbeat.transport.context import ConnectionContext
from blastbeat.transport.preface import Peer, name_of, plain_peer
from blastbeat.transport.websocket import WebSocketConnection

log = logging.getLogger(__name__)

DEFAULT_PORT, DEFAULT_TLS_PORT = 80, 443
REST = 2.0
"""Seconds of silence after a response behind which nothing of it is kept, at the timers' next look."""


class Connection(ClientLink, asyncio.Protocol):
    """Implements `stream.Client` for HTTP/1. See `ClientLink`."""

    __slots__ = (
        "_driver",
        "_gate",
        "_head_since",
        "_is_ahead",
        "_is_busy",
        "_is_unframed",
        "_next_ready",
        "_number",
        "_peer",
        "_tls",
        "default_port",
        "facts",
    )

    facts: ConnectionFacts

    def __init__(
        self,
        context: ConnectionContext,
        listener: Hashable,
        number: int,
        connections: set[Any],
        peer: Peer | None = None,
        tls: TlsFacts | None = None,
    ) -> None:
        """`peer`: who the client is where that is not the socket's own peer; `tls` where it speaks that."""
        driver = context.driver.new_driver(context.limits)
        driver.date_now = context.date_now
        super().__init__(context, listener, connections)
        self.default_port = DEFAULT_PORT if tls is None else DEFAULT_TLS_PORT
        self._tls = tls
        self._driver = driver
        self._number = number
        self._peer = peer
        self._gate = Http1Gate(context.limits, getattr(driver, "plain_heads", None))
        self._is_ahead = False  # one of the holds: enough of the next requests is here
        self._is_busy = False  # within what looks for the next request itself
        self._next_ready = False
        self._is_unframed = False  # only the end of the connection tells this response's end
        self._head_since = 0.0  # when the first byte of one came

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self._transport.set_write_buffer_limits(high=WRITE_HIGH)
        context = self._context
        addr, port = self._peer or plain_peer(transport)
        local = transport.get_extra_info("sockname") or ("", 0)
        scheme, trusted = b"http" if self._tls is None else b"https", context.trusted_proxies
        self.facts = ConnectionFacts(addr, port, scheme, local[1], trusted, tls=self._tls)
        self.view = ConnectionView(self._number, addr, port, name_of(self.listener), context.clock.wall())
        self.stream = Stream(self, context.dispatcher, context.clock)
        self._since = context.clock.monotonic()
        context.counters.add("connections.accepted")
        notice = context.dispatcher.lifecycle.connection_opened
        if notice is not None:
            notice(self.view)
        context.timers.watch(self)
        if context.dispatcher.is_stopping:
            self.stop(at_once=False)

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            self._discard(len(data))
            return
        gate = self._gate
        if not gate.head_begun:
            self._head_since = self._context.clock.monotonic()
        passed = data
        try:
            self._is_busy = True
            try:
                passed = gate.receive(data)
                if passed:
                    self._handle(self._driver.receive_data(passed))
            except ClientError as error:
                self.stream.request_refused(error.status, error.reason, CloseReason.CLIENT_ERROR)
            self._is_busy = False
            if self._next_ready:
                self._pump()
            if passed is not data:  # else nothing stayed behind
                self._look_ahead()
            if self._out:
                self.flush()
        except Exception:
            self.broke()

    def eof_received(self) -> bool:
        """The client's FIN: the end of the session, unless what runs may finish (§6 The client leaves)."""
        self._fin_seen = True
        if self._is_closing:
            return False
        may_finish = self._guarded(self.stream.half_closed)
        if may_finish:
            self.flush()
            self._watch_for_hangup()
            return not self._is_closing or self._transport.get_write_buffer_size() > 0
        if not self._is_lost:
            self.stream.client_left()
            self._close_when_taken()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = self._is_closing = True
        self.is_watched = False
        self._drop_output()
        self._end_hangup_watch()
        context = self._context
        context.account.update(self, self.stream.policy.name, 0)
        if self.stream.phase is not Phase.CLOSED:
            self._guarded(self.stream.client_left)
        self._lost()

    # ------------------------------------------------------------ ClientSide

    def send_continue(self) -> None:
        self._gathering()
        self._driver.send_continue(self._out)

    def send_head(self, head: ResponseHead) -> None:
        if head.status < 200:
            self._send_interim(head)
            return
        if not self._out:
            self._context.outputs.add(self)
        self._driver.send_head(head, self._out)
        if head.length is None:
            exchange = self.stream.exchange
            self._is_unframed = not head.bodyless and exchange is not None and exchange.head.version == b"1.0"
        else:
            self._is_unframed = False

    def _send_interim(self, head: ResponseHead) -> None:
        """A node may send any number of them, so they count like payload."""
        if self.is_congested() and self._is_over_bound():
            return
        self._gathering()
        before = len(self._out)
        self._driver.send_head(head, self._out)
        self._out_size += sum(map(len, self._out[before:]))

    def send_data(self, data: Buffer) -> None:
        if (not self._is_writable or self._output_hold is not None) and self._is_over_bound():
            return
        if not self._out:
            self._context.outputs.add(self)
        self._driver.send_data(data, self._out)
        self._out_size += len(data)

    def send_end(self) -> None:
        if not self._out:
            self._context.outputs.add(self)
        self._driver.send_end(self._out)

    def must_close(self) -> bool:
        return self._driver.must_close()

    def upgrade(self, upgrade: Upgrade) -> WebSocketConnection:
        context = self._context
        extensions, driver = context.websocket_driver.negotiate(upgrade.offers, upgrade.options)
        self._gathering()
        self._out.append(format_switch(upgrade.key, extensions, upgrade.headers, context.date_now()))
        websocket = WebSocketConnection(self, driver, upgrade, bool(extensions))
        websocket.begin(self, self._gate.take_rest())
        self._is_closing = True  # nothing is this connection's any more
        if self._is_ahead:
            websocket.release_reading()
        context.loop.call_soon(self._let_go)  # whoever called is not through with them yet
        return websocket

    def _let_go(self) -> None:
        """Timers hold the shell for some seconds; what was read and told of HTTP is no use to anybody."""
        del self._gate, self._driver, self.facts

    # ------------------------------------------------------------ requests

    def _look_ahead(self) -> None:
        if self._gate.buffered > self._context.config.read_ahead and not self._is_ahead:
            self._is_ahead = True
            self.hold_reading()

    def next_exchange(self) -> None:
        """The exchange is over and the connection stays: read the next request."""
        self._next_ready = True
        if not self._is_busy:
            try:
                self._pump()
            except Exception:
                self.broke()

    def _pump(self) -> None:
        """One request after the other, in a loop: a thousand pipelined ones must not become recursion. None
        while the client does not take the responses it has: they would pile up."""
        while self._next_ready and not (self._is_closing or self._must_wait() or self.is_congested()):
            self._next_ready = False
            self._is_busy = True
            self._pace = None
            self._since = self._head_since = self._context.clock.monotonic()
            self._driver.start_next_exchange()
            try:
                passed = self._gate.next_request()
                if passed:
                    self._handle(self._driver.receive_data(passed))
            except ClientError as error:
                self.stream.request_refused(error.status, error.reason, CloseReason.CLIENT_ERROR)
            self._is_busy = False
        if self._is_ahead and self._gate.buffered <= self._context.config.read_ahead:
            self._is_ahead = False
            self.release_reading()

    def _handle(self, events: Sequence[ClientEvent]) -> None:
        stream = self.stream
        for event in events:
            if isinstance(event, RequestData):
                stream.request_data(event.data)
            elif isinstance(event, RequestHead):
                stream.request_head(event)
            else:
                stream.request_end()

    # ------------------------------------------------------------ the end

    def _drained(self) -> None:
        if self._is_closing:
            self._close_due = self._context.clock.monotonic() + self.stream.policy.linger_time
            return
        super()._drained()
        if self._next_ready and not self._is_busy:
            self._guarded(self._pump)

    def _fin_ends(self) -> bool:
        return self.stream.policy.half_close != "finish"

    def cut(self) -> None:
        """Break off, so that the client notices: a response without framing of its own needs a reset."""
        if self._is_unframed and not self._is_closing:
            self.flush()
            self._is_closing = True
            self._reset_instead_of_fin()
            self._abort()
        else:
            self.close_gracefully(self.stream.policy.linger, self.stream.policy.linger_time)

    def stop(self, at_once: bool) -> None:
        """The server stops: idle connections close now, busy ones after their exchange, or `at_once`."""
        is_made = bool(self._since)  # else `connection_made` will see that the server stops
        if is_made and at_once:
            self._is_closing = True
            if self.stream.phase is not Phase.CLOSED:
                self.stream.client_left(CloseReason.SERVER_STOP, "the server stops")
            self._abort()
        elif is_made and self.stream.exchange is None and not self._is_closing:
            self._close_idle(CloseReason.SERVER_STOP)

    def _close_idle(self, reason: CloseReason) -> None:
        """Nothing is on its way, so there is nothing to linger for."""
        self.stream.client_left(reason)
        self._close_when_taken()

    # ------------------------------------------------------------ deadlines (timers.Watched)

    def deadline(self) -> float:
        if self._is_lost:
            return inf
        if self._is_closing:
            return self._write_due() if not self._is_writable else self._close_due
        if self.stream.exchange is not None:
            return min(self.stream.deadline(), self._write_due())
        return min(self._idle_due(), self._write_due())

    def _idle_due(self) -> float:
        gate = self._gate
        if gate.request_complete or self._output_hold is not None:
            return inf  # between two requests: the ROUTER is about to be read empty, or output goes at a pace
        timeout = self._context.config.header_timeout
        if gate.head_begun:
            return self._head_since + (timeout or inf)
        if self.stream.exchanges:
            timeout = self.stream.policy.keep_alive
            if self.facts.repeated is not None and self._context.clock.monotonic() - self._since > REST:
                self._rest()
        return self._since + (timeout or inf)

    def _rest(self) -> None:
        """What is left of the last request is more than all else that an idle connection holds."""
        self.facts.repeated = self.facts.found = None
        self._gate.rest()
        self.stream.rest()

    def expire(self, now: float) -> None:
        self._guarded(self._expire, now)
        self._context.outputs.flush()

    def _expire(self, now: float) -> None:
        stream = self.stream
        if self._write_due() <= now:
            self._write_overdue(now)
        elif self._is_closing:
            self._transport.abort()
        elif stream.exchange is not None:
            if self._has_moved():
                stream.progress.moved = now
            if stream.deadline() <= now:
                stream.expire(now)
        elif self._gate.head_begun:
            timeout = self._context.config.header_timeout
            stream.request_refused(408, f"no request head within {timeout:g} s", CloseReason.SLOW_REQUEST)
        else:
            self._close_idle(CloseReason.KEEP_ALIVE_OVER)
