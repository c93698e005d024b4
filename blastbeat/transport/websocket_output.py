"""The way out to an upgraded client: whole messages, the answers to its pings, and the close handshake.

Knows frames as the driver writes them, and who does not take them; what comes in is `websocket`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from blastbeat.events import Buffer, CloseReason
from blastbeat.interfaces import WebSocketDriver
from blastbeat.progress import Phase
from blastbeat.transport.client_link import ClientLink
from blastbeat.transport.client_output import WRITE_HIGH
from blastbeat.transport.timers import NOWHERE

VANISHED, POLICY, INTERNAL_ERROR = 1006, 1008, 1011

MESSAGE_OVERHEAD = 64  # bytes a message costs that waits, beside its payload: many empty ones are memory too

CODES = {
    CloseReason.SLOW_CLIENT: POLICY,
    CloseReason.MEMORY: POLICY,
    CloseReason.PLUGIN_ERROR: INTERNAL_ERROR,
}
"""What the node hears of ends that no close frame tells the client of; of any other that it vanished."""


class WebSocketOutput(ClientLink):
    """Implements `client.WebSocketClient`; `WebSocketConnection` adds what comes in and when it is late."""

    __slots__ = ("_driver", "_is_close_sent", "_pong", "slot")

    def __init__(self, link: ClientLink, driver: WebSocketDriver) -> None:
        super().__init__(link._context, link.listener, link._connections)
        self._driver = driver
        self._pong: bytes | None = None  # the answer that a client which takes nothing is owed
        self._is_close_sent = False
        self.slot = NOWHERE

    def _hurry(self) -> None:
        """A deadline may have come nearer."""
        self._context.timers.expect(self)

    def deadline(self) -> float:
        raise NotImplementedError

    def expire(self, now: float) -> None:
        raise NotImplementedError

    def send_message(self, data: Buffer, is_text: bool) -> None:
        if self._is_close_sent or self._is_closing:
            return
        if (not self._is_writable or self._output_hold is not None) and self._is_over_bound():
            return
        if not self._out:
            self._context.outputs.add(self)
        if self._pace is None:
            self._driver.send_message(data, is_text, self._out)
        else:  # one buffer each, so that `_rest_of_message` can tell them apart
            out: list[Buffer] = []
            self._driver.send_message(data, is_text, out)
            self._out.append(b"".join(out))
        self._out_size += len(data) + MESSAGE_OVERHEAD

    def close_websocket(self, code: int, reason: bytes = b"") -> None:
        if self._is_close_sent or self._is_closing:
            return
        self._send_close(code, reason)
        if not self._must_wait():
            self.flush()
        # Paused writing means "not everything was taken" from now on: then the client's time begins.
        self._transport.set_write_buffer_limits(high=0)
        has_all = self._is_writable and not self._out and not self._piece
        linger_time = self.stream.policy.linger_time
        self._close_due = self._context.clock.monotonic() + linger_time if has_all else inf
        self._hurry()

    def _send_close(self, code: int, reason: bytes) -> None:
        self._is_close_sent = True
        self._pong = None
        self._gathering()
        self._driver.send_close(code, reason, self._out)

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

    # ------------------------------------------------------------ clients that do not keep up

    def pause_writing(self) -> None:
        super().pause_writing()
        self._hurry()

    def _drained(self) -> None:
        if self._is_closing or self._is_close_sent:
            self._close_due = self._context.clock.monotonic() + self.stream.policy.linger_time
            self._hurry()
            return
        super()._drained()
        if self._pong is not None:
            payload, self._pong = self._pong, None
            self._answer(payload)
            self.flush()

    def _give_up(self, reason: CloseReason, detail: str) -> None:
        """Messages that the system has not got give way to a close frame, which the client may yet read."""
        rest = self._rest_of_message()
        if reason is not CloseReason.SLOW_CLIENT or self._is_close_sent or sum(map(len, rest)) > WRITE_HIGH:
            super()._give_up(reason, detail)
            return
        self._context.counters.add(f"connections.given-up.{reason.value}")
        self._drop_output()
        if rest:
            self._gathering()
            self._out += rest
        self._send_close(POLICY, b"too slow")
        self._over(reason, POLICY, b"", detail)
        self._end()

    def _rest_of_message(self) -> Sequence[Buffer]:
        """What has to go before a close frame may: the rest of a message that went in part, at its pace."""
        is_split = bool(self._out) and isinstance(self._out[0], memoryview) and self._pace is not None
        return [*self._piece, self._out[0]] if is_split else self._piece

    # ------------------------------------------------------------ the end

    def _over(self, reason: CloseReason, code: int, text: bytes = b"", detail: str = "") -> None:
        if self.stream.phase is not Phase.CLOSED:
            self.stream.websocket_over(reason, code, text, detail)

    def _client_gone(self, reason: CloseReason = CloseReason.CLIENT_LEFT, detail: str = "") -> None:
        self._over(reason, CODES.get(reason, VANISHED), b"", detail)

    def _end(self) -> None:
        """TCP, too: FIN, then what the client still sends is discarded up to `linger`."""
        policy = self.stream.policy
        self.close_gracefully(policy.linger, policy.linger_time)

    def close_gracefully(self, linger: int, linger_time: float) -> None:
        super().close_gracefully(linger, linger_time)
        self._hurry()

    def _close_when_taken(self) -> None:
        super()._close_when_taken()
        self._hurry()

    def cut(self) -> None:
        """There is nothing to be left incomplete: messages went whole."""
        self._end()
