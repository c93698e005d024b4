"""Tells the service manager how the server is: sd_notify's protocol, datagrams of `NAME=value` lines.

Knows what systemd put into the environment, and nothing of the server. Without it every call does nothing.
That nobody hears is never a reason to stop: what cannot be sent is logged.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Iterable, MutableMapping

log = logging.getLogger(__name__)

PATIENCE = 0.5
"""Seconds a message may wait for a manager that is behind with reading."""

MAX_STATUS = 200
"""Characters. A message above 4096 bytes is ignored as a whole, its READY=1 too."""

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """`address`: the manager's socket, a path or an abstract name after `@`; empty for none. `watchdog`:
    seconds without a sign of life after which it gives the server up; 0 for never.

    The socket is opened here and kept: a server without a descriptor to spare is still alive.
    """

    def __init__(self, address: str = "", watchdog: float = 0.0) -> None:
        self.watchdog = watchdog
        self._address = address
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        if address.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        elif address:
            log.warning("NOTIFY_SOCKET=%s is not a unix socket: the service manager is told nothing", address)

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> Notifier:
        """What systemd asks for (sd_notify(3), sd_watchdog_enabled(3)). The variables are taken out, so
        that no process started later speaks in the server's name."""
        address, usec, pid = (environ.pop(name, "") for name in VARIABLES)
        is_ours = not pid or pid == str(os.getpid())
        watchdog = int(usec) / 1_000_000 if is_ours and usec.isascii() and usec.isdigit() else 0.0
        return cls(address, watchdog)

    def ready(self, status: str = "") -> None:
        """The start, or a reload, is over. `status` is the line that ``systemctl status`` shows."""
        self._send(["READY=1", f"MAINPID={os.getpid()}", *_status(status)])

    def reloading(self) -> None:
        """A reload begins; `ready` tells of its end (``Type=notify-reload``)."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(["RELOADING=1", f"MONOTONIC_USEC={now}", *_status("reads its configuration again")])

    def stopping(self, seconds: float) -> None:
        """The stop begins and may take so long, which the manager is asked to allow."""
        self._send(["STOPPING=1", f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}", *_status("stops")])

    def status(self, text: str) -> None:
        """The line that ``systemctl status`` shows."""
        self._send(_status(text))

    def start_watchdog(self, loop: asyncio.AbstractEventLoop) -> None:
        """A sign of life twice per `watchdog`, from the event loop itself: one that hangs gives none."""
        if self._socket is not None and self.watchdog > 0 and self._timer is None:
            self._beat(loop)

    def close(self) -> None:
        """Nothing is told from here on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self.watchdog / 2, self._beat, loop)
        self._send(["WATCHDOG=1"], patience=0.0)

    def _send(self, lines: Iterable[str], patience: float = PATIENCE) -> None:
        if self._socket is None:
            return
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        self._socket.settimeout(patience)
        try:
            self._socket.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            reason = error.strerror or error
            log.warning("the service manager cannot be told (%s): %s", self._address, reason)


def _status(text: str) -> list[str]:
    line = " ".join(text.split())
    if len(line) > MAX_STATUS:
        line = line[: MAX_STATUS - 1] + "…"
    return [f"STATUS={line}"] if line else []
