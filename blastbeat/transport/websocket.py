"""An upgraded client connection: bytes through gate and driver to the stream as messages, pings, and its end.

Takes the place of the `Connection` that read the handshake. Knows frames and deadlines; what a message is for
is the stream's business. Nothing here raises into the event loop.
"""

from __future__ import annotations

import asyncio
from math import inf

from blastbeat.client import Upgrade
from blastbeat.events import (
    CloseReason,
    WebSocketClose,
    WebSocketEvent,
    WebSocketFailure,
    WebSocketMessage,
    WebSocketPing,
)
from blastbeat.gates.websocket import WebSocketGate
from blastbeat.interfaces import WebSocketDriver
from blastbeat.transport.client_link import ClientLink
from blastbeat.transport.websocket_output import VANISHED, WebSocketOutput

PING = b"\x89\x00"
"""What every driver would write: a control frame without payload, never compressed nor masked."""

GOING_AWAY, RESTART = 1001, 1012
MAX_REASON = 123  # bytes a close frame has room for (RFC 6455 §5.5)
SLICE = 32 * 1024
"""Bytes handled before a look whether anybody wants no more for now. One read may bring eight times as many,
and thousands of small messages in each."""

DEFLATED_SLICE = 4 * 1024
"""The same where a byte may inflate to a thousand."""

TURN = 0.005
"""Seconds of one client's input at a time; the rest of what it brought waits until others had theirs. 256 KiB
of empty frames take longer than a quarter of a second."""

ANSWER_TIME = 0.25
"""Seconds in which the node's answers to messages before a failure still reach the client."""

PING_SPREAD = 0.5
"""The part of `websocket-ping` by which a client's first ping may be early: who came all at once (back, after
a restart) is not pinged all at once ever after."""

GOLDEN = 0.6180339887498949  # its multiples leave no gap and no crowd between 0 and 1


class WebSocketConnection(WebSocketOutput, asyncio.Protocol):
    """Implements `client.WebSocketClient`."""

    __slots__ = (
        "_failure",
        "_gate",
        "_held",
        "_is_pinged",
        "_is_taking_turns",
        "_period",
        "_ping_after",
        "_slice",
        "_unread",
    )

    def __init__(
        self, link: ClientLink, driver: WebSocketDriver, upgrade: Upgrade, is_compressed: bool
    ) -> None:
        super().__init__(link, driver)
        checks_frames = getattr(driver, "checks_frames", False)
        self._gate = None if checks_frames else WebSocketGate(upgrade.options.max_message, is_compressed)
        self._held = 0  # bytes of a message that is not whole yet, as the driver last said
        self._period = upgrade.ping or inf
        self._ping_after = self._period
        self._is_pinged = False  # and nothing has come since
        self._unread = b""  # what was read, and waits until somebody wants it
        self._slice = DEFLATED_SLICE if is_compressed else SLICE
        self._is_taking_turns = False  # it brought more than one turn's work: reading is held for that
        self._failure: tuple[int, str] | None = None  # it is told of that as soon as answers had their time

    def begin(self, link: ClientLink, rest: bytes) -> None:
        """Take the place of `link`; `rest` is what it had read behind the handshake."""
        self.take_over(link)
        self._since = self._context.clock.monotonic()
        if self._period < inf:
            self._ping_after *= 1 - PING_SPREAD * (self.view.id * GOLDEN % 1)
        self._unread = rest
        connections = self._connections
        connections.discard(link)
        connections.add(self)
        self._transport.set_protocol(self)
        self._hurry()
        self.flush()  # the 101 waits for nothing
        if rest:
            self._context.loop.call_soon(self._read_on)

    # ------------------------------------------------------------ asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            self._discard(len(data))
            return
        self._since = self.stream.progress.moved = self._context.clock.monotonic()
        self._is_pinged = False
        if self._unread:
            self._unread += data
            if not self._holds:
                self._read_on()
        elif self._gate is None or not self._gate.is_lone_pong(data):
            self._read(data)

    def eof_received(self) -> bool:
        """A FIN instead of a close frame, or behind one."""
        self._fin_seen = True
        while self._unread and self._holds == self._is_taking_turns:
            self._read_on()
        if self._failure is not None and not self._is_closing:
            self._guarded(self._fail)
        if not self._is_closing:
            self._guarded(self._client_gone)
            self._close_when_taken()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = self._is_closing = True
        self.is_watched = False
        self._context.timers.forget(self)
        self._unread = b""
        self._drop_output()
        self._end_hangup_watch()
        self._context.account.update(self, self.stream.policy.name, 0)
        self._guarded(self._client_gone)
        self._lost()

    # ------------------------------------------------------------ the client speaks

    def release_reading(self) -> None:
        super().release_reading()
        self._hurry()
        if self._unread and self._holds == self._is_taking_turns:
            self._context.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        """What was read already, before anything else is."""
        data, self._unread = self._unread, b""
        if data and not self._is_closing:
            self._read(data)

    def _read(self, data: bytes) -> None:
        try:
            if len(data) <= self._slice and not self._holds:
                self._handle(data)
            else:
                self._handle_in_turns(data)
            if self._out:
                self.flush()
        except Exception:
            self.broke()

    def _handle_in_turns(self, data: bytes) -> None:
        position, size, monotonic = 0, len(data), self._context.clock.monotonic
        until = monotonic() + TURN
        while position < size and not self._is_closing:
            if self._holds > self._is_taking_turns:  # somebody else wants no more: a release reads on
                self._unread = data[position:]
                self._watch_for_hangup()
                return
            self._handle(data[position : position + self._slice])
            position += self._slice
            if position < size and monotonic() >= until:
                self._unread = data[position:]
                self._wait_for_turn()
                return
        if self._is_taking_turns:
            self._is_taking_turns = False
            self.release_reading()

    def _wait_for_turn(self) -> None:
        if not self._is_taking_turns:
            self._is_taking_turns = True
            self.hold_reading()
            self._pause_hangup_watch()  # what came before a FIN has its turn first
        self._context.loop.call_soon(self._read_on)

    def _handle(self, data: bytes) -> None:
        gate = self._gate
        if gate is not None:
            data = gate.receive(data)
        if data:
            driver, stream = self._driver, self.stream
            for event in driver.receive_data(data):
                if not isinstance(event, WebSocketMessage):
                    self._take(event)
                elif not self._is_close_sent:
                    stream.message_received(event.data, event.is_text)
                if self._is_closing:
                    return
            held = driver.held
            if held or self._held:
                self._held = held
                self._account()
        if gate is not None and gate.failure is not None and not self._is_closing:
            self._failed(*gate.failure)

    def queued_bytes(self) -> int:
        return self.unsent_bytes() + self._held

    def _caught_up(self) -> None:
        super()._caught_up()
        if self._held and not self._is_closing:
            self._account()

    def _take(self, event: WebSocketEvent) -> None:
        """All but messages."""
        if isinstance(event, WebSocketPing):
            self._answer(event.payload)
        elif isinstance(event, WebSocketClose):
            self._closed_by_client(event.code, event.reason)
        elif isinstance(event, WebSocketFailure):
            self._failed(event.code, event.detail)

    def _closed_by_client(self, code: int, reason: bytes) -> None:
        """With its own code back, unless ours was first (§5.5.1); then TCP, by us (§7.1.1)."""
        if not self._is_close_sent:
            self._send_close(code, b"")
        self._over(CloseReason.COMPLETE, code, reason)
        self._end()

    def _failed(self, code: int, detail: str) -> None:
        """The client broke the protocol: read no more, and tell it why (§7.1.7), behind the answers to what
        it had sent before."""
        if self._failure is not None:
            return
        self._failure = code, detail
        exchange = self.stream.exchange
        if exchange is None or not exchange.messages_in or self._is_close_sent:
            self._fail()
        else:
            self.hold_reading()
            self._context.loop.call_later(ANSWER_TIME, self._guarded, self._fail_now)

    def _fail_now(self) -> None:
        self._unread = b""
        self.release_reading()
        if not self._is_closing:
            self._fail()
            self._context.outputs.flush()

    def _fail(self) -> None:
        assert self._failure is not None
        code, detail = self._failure
        if not self._is_close_sent:
            text = detail.encode()[:MAX_REASON].decode("utf-8", "ignore")
            self._send_close(code, text.encode())
        self._context.counters.add("websockets.failed")
        self._over(CloseReason.CLIENT_ERROR, code, b"", detail)
        self._end()

    # ------------------------------------------------------------ the end

    def stop(self, at_once: bool) -> None:
        """The server stops: the close handshake with 1012, or 1001 and not a moment more when `at_once`."""
        self._guarded(self._stop, at_once)

    def _stop(self, at_once: bool) -> None:
        if self._is_lost:
            return
        if not at_once:
            if not self._is_closing:
                self._over(CloseReason.SERVER_STOP, RESTART, b"", "the server stops")
                self.close_websocket(RESTART)
        elif self._is_closing or self._is_close_sent or self.is_congested():
            self._over(CloseReason.SERVER_STOP, GOING_AWAY, b"", "the server stops")
            self._abort()
        else:
            self._send_close(GOING_AWAY, b"")
            self._over(CloseReason.SERVER_STOP, GOING_AWAY, b"", "the server stops")
            self._close_when_taken()

    # ------------------------------------------------------------ deadlines (timers.Watched)

    def deadline(self) -> float:
        if self._is_closing or self._is_close_sent:
            return self._end_due()
        return min(self._silent_due(), self.stream.deadline(), self._write_due())

    def _end_due(self) -> float:
        if self._is_lost:
            return inf
        if self._postponed is not None:  # it goes at its pace yet
            return self._write_due()
        policy = self.stream.policy
        return (
            self._close_due
            if self._is_writable
            else self._taken_at + (policy.write_timeout or policy.linger_time)
        )

    def _silent_due(self) -> float:
        return self._since + (2 * self._period if self._is_pinged else self._ping_after)

    def expire(self, now: float) -> None:
        self._guarded(self._expire, now)
        self._context.outputs.flush()

    def _expire(self, now: float) -> None:
        stream = self.stream
        if self._write_due() <= now:
            self._write_overdue(now)
        elif self._is_closing:
            self._transport.abort()
        elif self._is_close_sent:
            self._end()  # it does not answer our close frame
        elif self._silent_due() <= now:
            self._silent(now)
        else:
            if self._has_moved():
                stream.progress.moved = now
            if stream.deadline() <= now:
                stream.expire(now)

    def _silent(self, now: float) -> None:
        if self._output_hold is not None or self._has_moved():
            # It takes what it is sent, as fast as it may: no ping would reach it sooner.
            self._since = now
            self._is_pinged = False
        elif self._holds:
            # It is us who hear nothing. But whose process is gone answers with a reset, which is noticed.
            self._since = now
            self._is_pinged = False
            self._ping()
        elif not self._is_pinged:
            self._is_pinged = True
            self._ping_after = self._period
            self._ping()
        else:
            self._context.counters.add("websockets.silent")
            self._send_close(GOING_AWAY, b"no answer to a ping")
            silence = round(now - self._since, 1)
            self._over(CloseReason.PING_TIMEOUT, VANISHED, b"", f"silent for {silence:g} s")
            self._end()

    def _ping(self) -> None:
        if self._is_writable:
            self._gathering()
            self._out.append(PING)
