"""A process whose printed lines are awaited: nodes and servers as their users start them.

Knows nothing of what the lines mean.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

PATIENCE = 10.0
"""Seconds any single wait may last; reached only when something is broken."""


class PrintingProcess:
    """Runs `command`; standard output and error are read as one. A context manager that ends it."""

    def __init__(self, command: Sequence[str], cwd: Path | None = None) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_line(self, contains: str) -> str:
        """The first line that contains the text."""
        self.wait_until(lambda lines: any(contains in line for line in lines), f"a line with {contains!r}")
        return next(line for line in self.lines if contains in line)

    def wait_until(self, fulfilled: Callable[[list[str]], bool], what: str) -> None:
        """Until the lines printed so far fulfil it; AssertionError when that takes too long."""
        with self._changed:
            self._changed.wait_for(lambda: fulfilled(self.lines) or self._ended, PATIENCE)
            printed = "\n".join(self.lines)
            assert fulfilled(self.lines), f"waited for {what}, but the process printed:\n{printed}"

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        """The exit code."""
        return self._process.wait(PATIENCE)

    def wait_silent(self) -> None:
        """Until nobody can print any more: the process and all that inherited its output have ended."""
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive(), "a process that the command started is left over"

    def __enter__(self) -> PrintingProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self.wait()
        self.wait_silent()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
