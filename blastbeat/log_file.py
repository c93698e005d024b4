"""Where the bytes of a log go: a descriptor that stays as it is, or a file that can be opened anew.

Knows no line's meaning and starts no thread; `write` may wait, and is for a thread that may. A file is opened
for appending with mode 0640, so that another program may rename, truncate or read it at any time.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
from collections.abc import Callable

STANDARD_ERROR = 2

MODE = 0o640
# A fifo nobody reads must not hold up the start, nor one that is full the thread that writes.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

POLL_MILLISECONDS = 100
FILE_PIECE = 64 * 1024


class GaveUp(OSError):
    """What reads a pipe took nothing for as long as anybody wanted to wait."""


class LogFile:
    """`path` is empty for standard error. Raises OSError where it cannot be opened."""

    def __init__(
        self,
        path: str = "",
        *,
        descriptor: int = STANDARD_ERROR,
        write: Callable[[int, memoryview], int] = os.write,
    ) -> None:
        self.path = path
        self.descriptor = _open(path) if path else descriptor
        self._write = write
        self._is_torn = False  # the last thing written is half a line
        self._is_regular = _is_regular(self.descriptor)

    @property
    def name(self) -> str:
        return self.path or "standard error"

    def reopen(self) -> None:
        """Open the file by its name once more. Raises OSError; then the one there was stays open."""
        if not self.path:
            return
        descriptor = _open(self.path)
        self.close()
        self.descriptor = descriptor
        self._is_regular = _is_regular(descriptor)
        self._is_torn = False

    @property
    def piece(self) -> int:
        """Bytes of whole lines to write at once: what a pipe takes in one piece, so that other writers of the
        same pipe come between lines and not into them; a file takes any number so."""
        return FILE_PIECE if self._is_regular else select.PIPE_BUF

    @property
    def is_deleted(self) -> bool:
        """Nobody will ever read what is written now: the file has no name any more."""
        try:
            return bool(self.path) and os.fstat(self.descriptor).st_nlink == 0
        except OSError:
            return True

    def write(self, lines: bytes, has_given_up: Callable[[], bool]) -> tuple[int, OSError | None]:
        """Write whole lines in one piece; waits for a full pipe until `has_given_up` says so, which is asked
        again and again.

        Returns how many of the lines were not written (one that was begun is none), and why.
        """
        rest = memoryview(b"\n" + lines if self._is_torn else lines)
        whole = len(rest)
        try:
            while rest:
                rest = rest[self._write_some(rest, has_given_up) :]
        except OSError as error:
            left = lines[-len(rest) :]
            if len(rest) < whole:
                self._is_torn = len(left) < len(lines) and not lines.endswith(b"\n", 0, -len(left))
            return left.count(b"\n"), error
        self._is_torn = False
        return 0, None

    def _write_some(self, data: memoryview, has_given_up: Callable[[], bool]) -> int:
        if self._is_regular:
            return self._write(self.descriptor, data)
        ready = select.poll()
        ready.register(self.descriptor, select.POLLOUT)
        # Up to PIPE_BUF bytes never block once it is ready, so that giving up stays possible.
        while True:
            hopeless = has_given_up()
            if ready.poll(0 if hopeless else POLL_MILLISECONDS):
                with contextlib.suppress(BlockingIOError):  # another writer of the pipe was faster
                    return self._write(self.descriptor, data[: select.PIPE_BUF])
            if hopeless:
                raise GaveUp("nobody reads it")

    def close(self) -> None:
        """Close what was opened here; standard error stays."""
        if self.path:
            with contextlib.suppress(OSError):
                os.close(self.descriptor)


def _open(path: str) -> int:
    return os.open(path, _FLAGS, MODE)


def _is_regular(descriptor: int) -> bool:
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:  # closed by whoever started us: writing will say so
        return False
