"""The way out to one client: gathers what is sent in a turn, writes it at once, and watches who does not
take it.

Knows the driver's output side and the transport. Never waits: a client over its bounds is given up
(`design.md` §6), because one slow client must never hold up the ROUTER.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from blastbeat.events import Buffer, CloseReason
from blastbeat.interfaces import ConnectionView, Pace
from blastbeat.progress import Phase
from blastbeat.stream import Stream
from blastbeat.transport.context import ConnectionContext
from blastbeat.transport.paced import SLACK, take_piece

log = logging.getLogger(__name__)

WRITE_HIGH = 64 * 1024
"""Bytes in the transport's buffer above which a client counts as congested."""

DIRECT_WRITE = 16 * 1024
"""Bytes from which on a buffer is written by itself: joining it with others would copy it."""

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with 0 s: close sends RST


class ClientOutput:
    """One half of `stream.Client`; the others derive from it."""

    __slots__ = (
        "_context",
        "_is_accounted",
        "_is_closing",
        "_is_writable",
        "_out",
        "_out_size",
        "_output_hold",
        "_pace",
        "_piece",
        "_postponed",
        "_seen",
        "_successor",
        "_taken",
        "_taken_at",
        "_transport",
        "_written",
        "stream",
        "view",
        "is_watched",
    )

    stream: Stream
    view: ConnectionView
    _transport: asyncio.Transport

    def __init__(self, context: ConnectionContext) -> None:
        self.is_watched = True
        self._context = context
        self._out: list[Buffer] = []
        self._out_size = 0
        self._output_hold: asyncio.TimerHandle | None = None
        self._pace: Pace | None = None
        self._piece: Sequence[Buffer] = ()  # what waits its turn at that pace
        self._successor: Any = None  # who took this one's place
        self._postponed: Callable[[], None] | None = None  # what is to happen once everything went
        self._is_accounted = False  # what waits for it is in the sums of `memory`
        self._is_closing = False  # nothing more is asked of the client's side
        self._is_writable = True
        self._written = 0  # bytes given to the transport in all
        self._taken = 0  # of these, what the operating system had taken at the last look
        self._taken_at = 0.0
        self._seen = 0  # likewise, at the last look of `_has_moved`

    def take_output_over(self, output: ClientOutput) -> None:
        """What `output` had to write is to be written here, and what it is held back by holds here."""
        output._successor, output.is_watched = self, False
        self.view, self.stream, self._transport = output.view, output.stream, output._transport
        self._out, output._out = output._out, []
        self._out_size, self._piece, self._pace = output._out_size, output._piece, output._pace
        self._output_hold, self._is_writable = output._output_hold, output._is_writable
        self._written, self._taken, self._seen = output._written, output._taken, output._seen
        self._taken_at = output._taken_at
        if self._out:
            self._context.outputs.add(self)
        if output._is_accounted:
            self._context.account.update(output, self.stream.policy.name, 0)
            self._account()

    def _is_over_bound(self) -> bool:
        queued = self.unsent_bytes()  # what was queued before this message: one may overshoot (§6)
        if queued <= self._context.config.writequeue_buffer:
            return False
        self._give_up(CloseReason.SLOW_CLIENT, f"{queued} bytes wait for the client")
        return True

    def is_congested(self) -> bool:
        return not self._is_writable or self._output_hold is not None

    # ------------------------------------------------------------ writing

    def unsent_bytes(self) -> int:
        """What the operating system has not taken yet."""
        return self._out_size + self._transport.get_write_buffer_size()

    def queued_bytes(self) -> int:
        """What counts for `memory`."""
        return self.unsent_bytes()

    def _gathering(self) -> None:
        if not self._out:
            self._context.outputs.add(self)

    def flush(self) -> None:
        """Hand what was gathered to the transport, unless it is held back."""
        out = self._out
        if not out:
            return
        if self._output_hold is not None:
            self._account()
            return
        if self._pace is not None:
            self._flush_at(self._pace)
            return
        self._out = []
        if self._out_size < DIRECT_WRITE:  # as nearly all responses: the same as `_write_all` in one step
            data = b"".join(out)
            self._written += len(data)
            self._transport.write(data)
        else:
            self._write_all(out)
        self._out_size = 0
        if self._transport.get_write_buffer_size() or self._is_accounted:
            self._account()

    def _flush_at(self, pace: Pace) -> None:
        """As much as the pace allows now. The rest waits, also while the client does not take what it has."""
        out = self._out
        while out and self._is_writable:
            piece = take_piece(out)
            size = sum(map(len, piece))
            wait = pace(size)
            if wait > SLACK:
                self._piece = piece
                self._output_hold = self._context.loop.call_later(wait, self._output_released)
                break
            self._write_piece(piece)
        if self.is_congested():
            self._account()

    def _write_piece(self, piece: Sequence[Buffer]) -> None:
        # Only payload was counted in.
        self._out_size = max(0, self._out_size - sum(map(len, piece))) if self._out else 0
        self._write_all(piece)

    def _write_all(self, out: Sequence[Buffer]) -> None:
        """Small pieces joined, large ones as they are."""
        if len(out) == 1:
            self._write(out[0])
            return
        small: list[Buffer] = []
        for piece in out:
            if len(piece) < DIRECT_WRITE:
                small.append(piece)
                continue
            if small:
                self._write(b"".join(small))
                small = []
            self._write(piece)
        if small:
            self._write(b"".join(small))

    def _write(self, data: Buffer) -> None:
        self._written += len(data)
        self._transport.write(data)

    def _account(self) -> None:
        account, policy = self._context.account, self.stream.policy
        queued = self.queued_bytes()
        self._is_accounted = queued > 0
        account.update(self, policy.name, queued)
        account.enforce(policy.name, policy.memory)

    def pause_output(self, seconds: float) -> None:
        """Hold back what is sent for a while, as a filter asks."""
        if self._output_hold is None:
            self._output_hold = self._context.loop.call_later(seconds, self._output_released)

    def pace_output(self, pace: Pace) -> None:
        """Everything from here on, up to the next request, goes as `pace` says."""
        self._pace = pace

    def _output_released(self) -> None:
        if self._successor is not None:
            self._successor._output_released()
            return
        self._output_hold = None
        # A byte either way counts for a timeout (§6), and these have waited long enough.
        self.stream.progress.moved = self._context.clock.monotonic()
        self._write_held()
        self._caught_up()

    def _write_held(self) -> None:
        piece, self._piece = self._piece, ()
        if piece:
            self._write_piece(piece)

    def _caught_up(self) -> None:
        """What was held back may go, as far as it may."""
        self.flush()
        if self.is_congested():
            return
        self._context.account.update(self, self.stream.policy.name, 0)
        postponed, self._postponed = self._postponed, None
        if postponed is not None:
            postponed()
        else:
            self._drained()

    def _must_wait(self) -> bool:
        """True while something has to go at its pace that has not gone yet."""
        if self._pace is not None:
            self.flush()
        return self._pace is not None and bool(self._out or self._piece)

    def _release_output(self) -> None:
        """Hold nothing back any more: the connection ends. What goes now was asked about or is charged, so
        that others wait for it."""
        pace, self._pace = self._pace, None
        if self._output_hold is not None:
            self._output_hold.cancel()
            self._output_hold = None
        if self._out and pace is not None:
            pace(sum(map(len, self._out)))
        if self._piece:
            self._out = [*self._piece, *self._out]
            self._piece = ()

    def _drop_output(self) -> None:
        """Nothing more reaches the client."""
        self._out, self._piece, self._postponed = [], (), None
        self._out_size = 0
        self._release_output()

    # ------------------------------------------------------------ clients that do not keep up

    def pause_writing(self) -> None:
        """The transport's buffer is over its bound (asyncio calls this)."""
        self._is_writable = False
        self._taken_at = self._context.clock.monotonic()
        self._taken = self._seen = self._written - self._transport.get_write_buffer_size()

    def resume_writing(self) -> None:
        """The client took it (asyncio calls this)."""
        self._is_writable = True
        self._caught_up()

    def _drained(self) -> None:
        """What had piled up is on its way."""
        self.stream.output_drained()

    def _write_due(self) -> float:
        timeout = self.stream.policy.write_timeout
        return inf if self._is_writable or not timeout else self._taken_at + timeout

    def _write_overdue(self, now: float) -> None:
        """Gives the client up unless it took something since the last look."""
        taken = self._written - self._transport.get_write_buffer_size()
        if taken > self._taken:
            self._taken, self._taken_at = taken, now
            return
        timeout = self.stream.policy.write_timeout
        self._give_up(CloseReason.WRITE_TIMEOUT, f"the client took nothing for {timeout:g} s")

    def _has_moved(self) -> bool:
        """Whether a client that does not keep up took something since this was last asked. What others take
        moves with what is written; a byte either way counts for a timeout (§6)."""
        if self._is_writable:
            return False
        taken = self._written - self._transport.get_write_buffer_size()
        has_moved = taken > self._seen
        self._seen = taken
        return has_moved

    def close_for_memory(self) -> None:
        """Its queue is the largest while all queues together are too large."""
        self._give_up(CloseReason.MEMORY, "what waits for clients, or is not whole, took too much memory")

    def _give_up(self, reason: CloseReason, detail: str) -> None:
        self._context.counters.add(f"connections.given-up.{reason.value}")
        self._abort()
        self._client_gone(reason, detail)

    def _client_gone(self, reason: CloseReason = CloseReason.CLIENT_LEFT, detail: str = "") -> None:
        """Nothing reaches the client any more."""
        self.stream.client_left(reason, detail)

    def _abort(self) -> None:
        """Drop what was not taken, and the connection."""
        self._is_closing = True
        self._drop_output()
        self._context.account.update(self, self.stream.policy.name, 0)
        self._transport.abort()

    def broke(self) -> None:
        """Logs the exception that is being handled, and ends this connection."""
        exchange = self.stream.exchange
        log.exception("a connection broke", extra=exchange.log_fields() if exchange is not None else None)
        self._abort()
        if self.stream.phase is not Phase.CLOSED:
            self._client_gone(CloseReason.PLUGIN_ERROR, "an error in the server, see its log")

    def _close_when_taken(self) -> None:
        """Close without lingering; `write-timeout` watches over what the client has yet to take."""
        self._is_closing = True
        self._release_output()
        self.flush()
        self._transport.set_write_buffer_limits(high=0)
        self._transport.close()

    def _reset_instead_of_fin(self) -> None:
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # it is gone already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
