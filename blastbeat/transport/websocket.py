"""An upgraded client connection: bytes through gate and driver to the stream as messages, pings, and its end.

Takes the place of the `Connection` that read the handshake. Knows frames and deadlines; what a message is for
is the stream's business. Nothing here raises into the event loop.
"""

from __future__ import annotations

import asyncio
from math import inf

from blastbeat.client import Upgrade
from blastbeat.events import (
    Buffer,
    CloseReason,
    WebSocketClose,
    WebSocketEvent,
    WebSocketFailure,
    WebSocketMessage,
    WebSocketPing,
)
from blastbeat.gates.websocket import WebSocketGate
from blastbeat.interfaces import WebSocketDriver
from blastbeat.progress import Phase
from blastbeat.transport.client_link import ClientLink

PING = b"\x89\x00"
"""What every driver would write: a control frame without payload, never compressed nor masked."""

GOING_AWAY, POLICY, VANISHED, RESTART = 1001, 1008, 1006, 1012
MAX_REASON = 123  # bytes a close frame has room for (RFC 6455 §5.5)


class WebSocketConnection(ClientLink, asyncio.Protocol):
    """Implements `client.WebSocketClient`."""

    __slots__ = (
        "_driver",
        "_gate",
        "_heard_at",
        "_is_close_sent",
        "_period",
        "_pinged_at",
        "_pong",
        "_rest",
    )

    def __init__(
        self, link: ClientLink, driver: WebSocketDriver, upgrade: Upgrade, is_compressed: bool
    ) -> None:
        super().__init__(link._context, link.listener, link._connections)
        self._driver = driver
        self._gate = WebSocketGate(upgrade.options.max_message, is_compressed)
        self._period = upgrade.ping or inf
        self._heard_at = link._context.clock.monotonic()
        self._pinged_at = inf  # when a ping went that nothing has come after
        self._pong: bytes | None = None  # the answer that a client which takes nothing is owed
        self._is_close_sent = False
        self._rest = b""  # what came behind the handshake, and was not looked at yet

    def begin(self, link: ClientLink, rest: bytes) -> None:
        """Take the place of `link`; `rest` is what it had read behind the handshake."""
        self.take_over(link)
        self._rest = rest
        connections = self._connections
        connections.discard(link)
        connections.add(self)
        self._transport.set_protocol(self)
        self._context.timers.watch(self)
        if rest:
            self._context.loop.call_soon(self.data_received, b"")

    # ------------------------------------------------------------ asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data, self._rest = self._rest + data, b""
        if self._is_closing:
            self._discard(len(data))
            return
        if not data:
            return
        self._heard_at = self.stream.progress.moved = self._context.clock.monotonic()
        self._pinged_at = inf
        if self._gate.is_lone_pong(data):
            return
        try:
            self._receive(data)
            if self._out:
                self.flush()
        except Exception:
            self.broke()

    def eof_received(self) -> bool:
        """A FIN instead of a close frame, or behind one."""
        self._fin_seen = True
        if not self._is_closing:
            self._guarded(self._over, CloseReason.CLIENT_LEFT, VANISHED)
            self._close_when_taken()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = self._is_closing = True
        self.is_watched = False
        self._drop_output()
        self._hangup.stop()
        self._context.account.update(self, self.stream.policy.name, 0)
        self._guarded(self._over, CloseReason.CLIENT_LEFT, VANISHED)
        self._lost()

    # ------------------------------------------------------------ the client speaks

    def _receive(self, data: bytes) -> None:
        gate = self._gate
        passed = gate.receive(data)
        if passed:
            for event in self._driver.receive_data(passed):
                self._handle(event)
                if self._is_closing:
                    return
        if gate.failure is not None:
            self._failed(*gate.failure)

    def _handle(self, event: WebSocketEvent) -> None:
        if isinstance(event, WebSocketMessage):
            if not self._is_close_sent:
                self.stream.message_received(event.data, event.is_text)
        elif isinstance(event, WebSocketPing):
            self._answer(event.payload)
        elif isinstance(event, WebSocketClose):
            self._closed_by_client(event.code, event.reason)
        elif isinstance(event, WebSocketFailure):
            self._failed(event.code, event.detail)

    def _answer(self, payload: bytes) -> None:
        """A pong; only for the newest ping while the client takes nothing (RFC 6455 §5.5.3)."""
        if self._is_close_sent:
            return
        if self.is_congested():
            self._pong = payload
            return
        self._gathering()
        self._driver.send_pong(payload, self._out)
        self._out_size += len(payload)

    def _closed_by_client(self, code: int, reason: bytes) -> None:
        """With its own code back, unless ours was first (§5.5.1); then TCP, by us (§7.1.1)."""
        if not self._is_close_sent:
            self._send_close(code, b"")
        self._over(CloseReason.COMPLETE, code, reason)
        self._end()

    def _failed(self, code: int, detail: str) -> None:
        """The client broke the protocol: tell it why, and read no more (§7.1.7)."""
        if not self._is_close_sent:
            self._send_close(code, detail.encode()[:MAX_REASON])
        self._context.counters.add("websockets.failed")
        self._over(CloseReason.CLIENT_ERROR, code, b"", detail)
        self._end()

    def _over(self, reason: CloseReason, code: int, text: bytes = b"", detail: str = "") -> None:
        if self.stream.phase is not Phase.CLOSED:
            self.stream.websocket_over(reason, code, text, detail)

    def _end(self) -> None:
        policy = self.stream.policy
        self.close_gracefully(policy.linger, policy.linger_time)

    # ------------------------------------------------------------ WebSocketClient

    def send_message(self, data: Buffer, is_text: bool) -> None:
        if self._is_close_sent or self._is_closing or (self.is_congested() and self._is_over_bound()):
            return
        self._gathering()
        self._driver.send_message(data, is_text, self._out)
        self._out_size += len(data)

    def close_websocket(self, code: int, reason: bytes = b"") -> None:
        if self._is_close_sent or self._is_closing:
            return
        self._send_close(code, reason)
        self._close_due = self._context.clock.monotonic() + self.stream.policy.linger_time

    def _send_close(self, code: int, reason: bytes) -> None:
        self._is_close_sent = True
        self._pong = None
        self._gathering()
        self._driver.send_close(code, reason, self._out)

    def cut(self) -> None:
        """There is nothing to be left incomplete: messages went whole."""
        self._end()

    # ------------------------------------------------------------ clients that do not keep up

    def _drained(self) -> None:
        if self._is_closing:
            self._close_due = self._context.clock.monotonic() + self.stream.policy.linger_time
            return
        super()._drained()
        if self._pong is not None:
            payload, self._pong = self._pong, None
            self._answer(payload)

    def _give_up(self, reason: CloseReason, detail: str) -> None:
        """Where whole messages wait behind what the system has, they give way to a close frame, which the
        client may yet read."""
        is_between_messages = not self._piece and self._pace is None
        if reason is not CloseReason.SLOW_CLIENT or not is_between_messages or self._is_close_sent:
            self._over(reason, POLICY, b"", detail)
            super()._give_up(reason, detail)
            return
        self._context.counters.add(f"connections.given-up.{reason.value}")
        self._drop_output()
        self._send_close(POLICY, b"too slow")
        self._over(reason, POLICY, b"", detail)
        self._end()
        self._close_due = self._context.clock.monotonic() + self.stream.policy.linger_time

    # ------------------------------------------------------------ the end

    def stop(self, at_once: bool) -> None:
        """The server stops. All of them at once would come back all at once: the caller spreads them."""
        if self._is_closing:
            return
        code = GOING_AWAY if at_once else RESTART
        if not self._is_close_sent:
            self._send_close(code, b"")
        self._over(CloseReason.SERVER_STOP, code, b"", "the server stops")
        if at_once:
            self._close_when_taken()
        else:
            self._close_due = self._context.clock.monotonic() + self.stream.policy.linger_time

    # ------------------------------------------------------------ deadlines (timers.Watched)

    def deadline(self) -> float:
        if self._is_lost:
            return inf
        if self._is_closing or self._is_close_sent:
            return min(self._close_due, self._write_due())
        return min(self._silent_since() + self._period, self.stream.deadline(), self._write_due())

    def _silent_since(self) -> float:
        return self._heard_at if self._pinged_at == inf else self._pinged_at

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
        elif self._silent_since() + self._period <= now:
            self._ping(now)
        else:
            if self._has_moved():
                stream.progress.moved = now
            if stream.deadline() <= now:
                stream.expire(now)

    def _ping(self, now: float) -> None:
        if self._pinged_at == inf:
            self._pinged_at = now
            if not self.is_congested():
                self._gathering()
                self._out.append(PING)
            return
        self._context.counters.add("websockets.silent")
        self._send_close(GOING_AWAY, b"no answer to a ping")
        self._over(CloseReason.PING_TIMEOUT, VANISHED, b"", f"silent for {now - self._heard_at:.0f} s")
        self._end()
