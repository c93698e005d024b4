"""The server as its users start it: a process of its own, told what to do by signals.

Knows the command line only.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.helpers.server import PATIENCE


class ServerProcess:
    """``python -m blastbeat serve FILE``. Collects stderr; `wait_ready()` before use. `environ` is added
    to ours, `prefix` is a command that starts the server, `descriptors` are left open to it, `python` is
    another environment's interpreter.
    With `reads_until` the reading ends behind the line that begins so, and the pipe takes a page from then
    on."""

    def __init__(
        self,
        config: Path,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        descriptors: Sequence[int] = (),
        reads_until: str | None = None,
        python: Path | str = sys.executable,
    ) -> None:
        self._reads_until = reads_until
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            [*prefix, str(python), "-m", "blastbeat", "serve", str(config), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})},
            pass_fds=descriptors,
        )
        self._start_reading()

    def _start_reading(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def resume_reading(self) -> None:
        """Go on where `reads_until` stopped."""
        self._reader.join(PATIENCE)
        self._reads_until = None
        self._start_reading()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stderr(self) -> str:
        """Everything the process has said so far."""
        with self._changed:
            return "".join(self._lines)

    def wait_line(self, start: str, patience: float = 2 * PATIENCE) -> str:
        """The first line of stderr that begins with `start`."""
        return self.wait_match(re.escape(start), patience)

    def wait_match(self, pattern: str, patience: float = 2 * PATIENCE) -> str:
        """The first line of stderr that matches from its beginning."""

        def found() -> str | None:
            return next((line for line in self._lines if re.match(pattern, line)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None or self._ended, patience)
            line = found()
        assert line is not None, f"no line {pattern!r} on stderr:\n{self.stderr}"
        return line

    def wait_ready(self) -> int:
        """The port of the first listener, once the process says `ready`."""
        match = re.search(r"127\.0\.0\.1:(\d+)", self.wait_line("ready"))
        assert match is not None, self.stderr
        return int(match[1])

    def wait_endpoint(self) -> str:
        """The first endpoint, once the process says `ready`."""
        match = re.search(r"\btcp://127\.0\.0\.1:\d+", self.wait_line("ready"))
        assert match is not None, self.stderr
        return match[0]

    def send_signal(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    def wait(self, patience: float = 2 * PATIENCE) -> int:
        """The exit code."""
        code = self._process.wait(patience)
        self._reader.join(PATIENCE)
        return code

    def memory_peak(self) -> int:
        """The highest resident size so far, bytes."""
        return self._status("VmHWM") * 1024

    def memory(self) -> int:
        """The resident size, bytes."""
        return self._status("VmRSS") * 1024

    def descriptors(self) -> int:
        """Open file descriptors."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def close(self) -> None:
        """Ends the process however it is."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self._process.stderr is not None
        self._process.stderr.close()

    def _status(self, key: str) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text()
        match = re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE)
        assert match is not None
        return int(match[1])

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
            if self._reads_until is not None and line.startswith(self._reads_until):
                fcntl.fcntl(self._process.stderr, fcntl.F_SETPIPE_SZ, 4096)
                return
        with self._changed:
            self._ended = True
            self._changed.notify_all()
