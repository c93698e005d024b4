"""Notices a client's end while nothing is read from it: then neither FIN nor RST is announced.

Asks the kernel now and then for the state of the connection (TCP_INFO, Linux; elsewhere it notices nothing).
Knows the socket alone; what an end means is for the connection to say.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

INTERVAL = 0.5
"""Seconds between two looks. A look costs about a microsecond."""

TCP_INFO = getattr(socket, "TCP_INFO", None)
RESET, FIN_RECEIVED = 7, 8  # TCP_CLOSE and TCP_CLOSE_WAIT of include/net/tcp_states.h


class HangupWatch:
    """Looks from `start` until `stop`. `found` is called with RESET or FIN_RECEIVED, at every look while the
    connection is in that state."""

    __slots__ = ("_found", "_loop", "_socket", "_timer")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, found: Callable[[int], None]
    ) -> None:
        self._loop = loop
        self._socket = transport.get_extra_info("socket")
        self._found = found
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """The first look comes after INTERVAL. Does nothing when it looks already."""
        if self._timer is None and self._socket is not None and TCP_INFO is not None:
            self._timer = self._loop.call_later(INTERVAL, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        self.start()
        assert TCP_INFO is not None
        state = self._socket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 1)[0]
        if state in (RESET, FIN_RECEIVED):
            self._found(state)
