"""A worker process as its supervisor holds it: started, spoken to, ended.

Knows processes and the channel to them; when one is started or ended is the supervisor's business.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from blastbeat.node.channel import MAX_LINE, format_line
from blastbeat.node.options import Settings


class WorkerHandle(Protocol):
    """What a supervisor needs of a worker process."""

    @property
    def pid(self) -> int: ...
    async def receive(self) -> dict[str, Any] | None:
        """What it says next; None when it says no more."""

    def send(self, type: str) -> None:
        """Tell it; nothing happens where it has ended."""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens where it has ended."""

    async def wait(self) -> int:
        """Its exit code; negative for the signal that ended it."""

    def close(self) -> None:
        """It has ended: forget it."""


Start: TypeAlias = Callable[[Settings], Awaitable[WorkerHandle]]


class WorkerProcess:
    """A real one."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.pid = process.pid

    async def receive(self) -> dict[str, Any] | None:
        try:
            line = await self._reader.readline()
        except (OSError, ValueError):  # reset, or a line beyond all bounds
            return None
        if not line.endswith(b"\n"):
            return None
        message: dict[str, Any] = json.loads(line)
        return message

    def send(self, type: str) -> None:
        if not self._writer.is_closing():
            self._writer.write(format_line(type))

    def signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def wait(self) -> int:
        return await self._process.wait()

    def close(self) -> None:
        self._writer.close()


async def start_worker(settings: Settings) -> WorkerProcess:
    """A fresh interpreter, which is told its settings. Raises OSError where no process can be had."""
    ours, theirs = socket.socketpair()
    try:
        # -P: what lies in the current folder never stands in for a module of the standard library.
        command = [sys.executable, "-P", "-m", "blastbeat.node.worker", str(theirs.fileno())]
        process = await asyncio.create_subprocess_exec(
            *command,
            # A debugger in the only worker has somebody to talk to.
            stdin=None if settings.workers == 1 and _is_at_terminal() else subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            env={**os.environ, "PYTHONPATH": _search_path()},
        )
        reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_LINE)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    writer.write(format_line("settings", settings=settings.to_json()))
    return WorkerProcess(process, reader, writer)


def _is_at_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _search_path() -> str:
    """This BlastBeat is theirs, too, also where it is used without having been installed."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    before = os.environ.get("PYTHONPATH", "")
    is_found = any(os.path.abspath(each) == root for each in sys.path if "site-packages" in each)
    return before if is_found else os.pathsep.join(filter(None, (before, root)))
