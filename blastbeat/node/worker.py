"""A worker process: `python -m blastbeat.node.worker DESCRIPTOR`, started by the supervisor alone.

A fresh interpreter, so that workers share nothing. Loads the application and runs it; knows how a process
starts and ends, nothing of requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import importlib.util
import logging
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import anyio

from blastbeat.node.channel import MAX_TRACE, Channel
from blastbeat.node.errors import LifespanFailed
from blastbeat.node.loading import LoadError, find_interface, load
from blastbeat.node.log_lines import lend_log, set_up_log
from blastbeat.node.options import Settings
from blastbeat.node.runner import Runner

log = logging.getLogger(__name__)

NOT_STARTED = 3
"""The exit code of a worker whose application could not be had; why, its supervisor was told."""

LAST_WORD = 5.0
"""Seconds, beside those for requests and for the application's shutdown, after which a worker without
supervisor ends however it is."""


def main(descriptor: int) -> int:
    """Serve until the supervisor says `stop`, or is gone. Returns the exit code."""
    faulthandler.enable()  # SIGABRT, the end of a worker that hangs, shows where
    channel = Channel(descriptor)
    first = channel.read()
    if first is None:
        return NOT_STARTED
    return _Worker(channel, Settings.from_json(first["settings"])).run()


class _Worker:
    def __init__(self, channel: Channel, settings: Settings) -> None:
        self._channel = channel
        self._settings = settings
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: Runner | None = None

    def run(self) -> int:
        settings = self._settings
        handler = set_up_log(settings.log_level, settings.log_format, instance_prefix(settings.name))
        signal.signal(signal.SIGTERM, lambda *_: self._stop())
        for number in (signal.SIGINT, signal.SIGHUP):  # of the terminal: for the supervisor to act on
            signal.signal(number, lambda *_: None)
        threading.Thread(target=self._listen, name="supervisor", daemon=True).start()
        try:
            application = load(settings.app, settings.app_dir, factory=settings.factory)
            interface = settings.interface
            if interface == "auto":
                interface = find_interface(application, settings.app)
            lend_log(handler, settings.log_level)
            self._runner = Runner(settings, application, interface, self._channel.send)
            anyio.run(self._serve, backend_options={"use_uvloop": can_use_uvloop()})
        except (LoadError, LifespanFailed) as error:
            trace = error.trace if isinstance(error, LoadError) else ""
            self._channel.send("failed", reason=str(error), trace=trace[-MAX_TRACE:])
            return NOT_STARTED
        return 0

    async def _serve(self) -> None:
        assert self._runner is not None
        with self._lock:
            self._loop = asyncio.get_running_loop()
        await self._runner.run()

    # ------------------------------------------------------------ the supervisor's thread

    def _listen(self) -> None:
        """In a thread, so that its end is noticed whatever the application does."""
        while (message := self._channel.read()) is not None:
            if message["type"] == "ping":
                self._in_loop(self._channel.send, "pong")
            elif message["type"] == "stop":
                self._stop()
        self._stop()
        time.sleep(2 * self._settings.graceful_timeout + LAST_WORD)
        os._exit(1)

    def _stop(self) -> None:
        if not self._in_loop(self._call_stop):
            os._exit(0)  # the application is being loaded, and nothing runs

    def _call_stop(self) -> None:
        assert self._runner is not None
        self._runner.stop()

    def _in_loop(self, function: Callable[..., Any], *arguments: Any) -> bool:
        """False where there is no loop yet."""
        loop = self._loop
        if loop is None:
            return False
        with contextlib.suppress(RuntimeError):  # it has ended
            loop.call_soon_threadsafe(function, *arguments)
        return True


def instance_prefix(name: str) -> str:
    """What the names of all instances of this process begin with."""
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:32]
    return f"{name}/{host}-{os.getpid()}"


def can_use_uvloop() -> bool:
    """Whether the faster loop is installed."""
    return importlib.util.find_spec("uvloop") is not None


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
