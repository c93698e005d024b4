"""What every client connection is, whatever it speaks: reading held back, a graceful end, hang-ups noticed.

Knows sockets and no protocol: requests are `connection`'s, messages `websocket`'s.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable
from functools import partial
from math import inf
from typing import Any

from blastbeat.transport.client_output import ClientOutput
from blastbeat.transport.context import ConnectionContext
from blastbeat.transport.hangup import RESET, HangupWatch


class ClientLink(ClientOutput):
    """It is open, then perhaps closing (FIN sent, input discarded), then lost: no more of `connections`."""

    __slots__ = (
        "_close_due",
        "_discard_left",
        "_fin_seen",
        "_hangup",
        "_holds",
        "_is_lost",
        "_connections",
        "_since",
        "listener",
    )

    def __init__(self, context: ConnectionContext, listener: Hashable, connections: set[Any]) -> None:
        super().__init__(context)
        self.listener = listener
        self._connections = connections
        self._hangup: HangupWatch | None = None  # made for the first look: most connections need none
        self._holds = 0  # how many want no more input for now
        self._fin_seen = False
        self._is_lost = False
        self._close_due = inf
        self._discard_left = 0
        self._since = 0.0  # when the wait for the client began

    def take_over(self, link: ClientLink) -> None:
        """Be what `link` was: its transport speaks another protocol from now on."""
        self.take_output_over(link)
        self._holds, self._fin_seen, self._since = link._holds, link._fin_seen, link._since
        link._end_hangup_watch()
        if self._holds:
            self._watch_for_hangup()

    # ------------------------------------------------------------ reading

    def hold_reading(self) -> None:
        """Take no more bytes from the client; counted, each hold wants its release."""
        self._holds += 1
        if self._holds == 1 and not self._is_closing:
            self._transport.pause_reading()
            self._watch_for_hangup()

    def release_reading(self) -> None:
        if self._successor is not None:
            self._successor.release_reading()
            return
        self._holds -= 1
        if self._holds == 0 and not self._is_closing:
            self._pause_hangup_watch()
            self._transport.resume_reading()
            # Until now it was us who did not take the body, so its timeout begins anew.
            self._since = self.stream.progress.read = self._context.clock.monotonic()

    def pause_input(self, seconds: float) -> None:
        """Take nothing from the client for a while, as a filter asks."""
        self.hold_reading()
        # Timeouts begin behind the pause: it is us who take nothing.
        progress = self.stream.progress
        progress.read = progress.moved = self._context.clock.monotonic() + seconds
        self._context.loop.call_later(seconds, self.release_reading)

    def _watch_for_hangup(self) -> None:
        if self._hangup is None:
            self._hangup = HangupWatch(self._context.loop, self._transport, self._client_hung_up)
        self._hangup.start()

    def _pause_hangup_watch(self) -> None:
        if self._hangup is not None:
            self._hangup.stop()

    def _end_hangup_watch(self) -> None:
        if self._hangup is not None:
            self._hangup.stop()
            self._hangup = None  # each has the other, and only a garbage collection would find that

    def _client_hung_up(self, state: int) -> None:
        """Its FIN or RST came while nothing is read from it."""
        if self._is_closing:
            return
        if state == RESET:
            self._abort()
            self._client_gone()
        elif not self._fin_seen and self._fin_ends():
            self.eof_received()

    def _fin_ends(self) -> bool:
        """Whether a FIN that is not read yet is an end."""
        return True

    def eof_received(self) -> bool:
        raise NotImplementedError

    # ------------------------------------------------------------ the end

    def close_gracefully(self, linger: int, linger_time: float) -> None:
        """Flush, send FIN, discard up to `linger` bytes for `linger_time` seconds, close (§6)."""
        if self._is_closing:
            return
        transport = self._transport
        if self._fin_seen or transport.is_closing():
            self._close_when_taken()
            return
        if self._must_wait():
            self.hold_reading()
            self._postponed = partial(self.close_gracefully, linger, linger_time)
            return
        self._is_closing = True
        self._release_output()
        self.flush()
        # Paused writing means "not everything was taken" from now on: then the linger time begins.
        transport.set_write_buffer_limits(high=0)
        with contextlib.suppress(OSError):  # the client was faster: connection_lost is on its way
            transport.write_eof()
        transport.resume_reading() if self._holds else None
        self._discard_left = linger
        self._close_due = self._context.clock.monotonic() + linger_time

    def _discard(self, size: int) -> None:
        self._discard_left -= size
        if self._discard_left < 0:
            self._transport.abort()

    def _lost(self) -> None:
        """The last word of `connection_lost`."""
        context = self._context
        context.counters.add("connections.closed")
        notice = context.dispatcher.lifecycle.connection_closed
        if notice is not None:
            notice(self.view)
        self._connections.discard(self)
        context.outputs.flush()
        # Nobody asks the stream any more. Each holding the other, they would stay until the garbage collector
        # looks at its last generation: thousands of them where clients come and go.
        del self.stream.client

    def _guarded(self, function: Callable[..., object], *arguments: object) -> object:
        """A fault of ours ends one connection, with a line in the log, and nobody else's."""
        try:
            return function(*arguments)
        except Exception:
            self.broke()
            return None
