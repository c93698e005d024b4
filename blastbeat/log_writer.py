"""A bounded queue of lines, and the thread that writes them: nothing that logs ever waits for a disk or a
pipe.

Knows neither the format of a line nor what it is about. What does not fit the queue, or cannot be written, is
counted, and the log itself says so as soon as it can be written again.
"""

from __future__ import annotations

import atexit
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from blastbeat.log_file import LogFile
from blastbeat.ratelimit import RateLimit

BLOCK = 500
"""Lines formatted and written at once."""

PAUSE = 0.05
"""Seconds that lines are gathered before they are written."""

MANY = 1000
"""Lines from which on those that are added are weighed: what is written in time need not pay for it."""

QUEUE_BYTES = 64 * 1024 * 1024
"""What those may keep in memory, about, whatever their number: clients choose their length."""

PATIENCE = 2.0
"""Seconds a stopping server waits for a log that takes nothing."""

TROUBLE_INTERVAL = 60.0
"""Seconds between two complaints that a log cannot be written."""

Format = Callable[[Any], str]


def _weightless(value: Any) -> int:
    return 0


class LogWriter:
    """`name` is the log's, for who reads of it; `limit` counts lines, `pause` and `patience` are seconds.

    `format_notice(time, text)` makes a line of the log's own. `complain` is told, in words, what went wrong;
    `count_lost` how many lines will never be written. Both are called by the writing thread.
    """

    def __init__(
        self,
        name: str,
        file: LogFile,
        *,
        limit: int,
        format_notice: Callable[[float, str], str],
        complain: Callable[[str], None] = lambda text: None,
        pause: float = PAUSE,
        patience: float = PATIENCE,
    ) -> None:
        self.name = name
        self.file = file
        self.count_lost: Callable[[int], None] | None = None
        self._limit = limit
        self._many = min(MANY, limit)
        self._format_notice = format_notice
        self._complain = complain
        self._pause = pause
        self._patience = patience
        self._queue: deque[tuple[Format, Any, int]] = deque()
        # Each changed by one thread only: the caller's, and the one that writes.
        self._bytes_added = 0
        self._bytes_taken = 0
        self._refused = 0
        self._failed = 0
        self._reported = 0
        self._counted = 0
        self._troubles = RateLimit(TROUBLE_INTERVAL)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._reopen_asked = False
        self._give_up_at = math.inf
        self._thread: threading.Thread | None = None

    @property
    def lost(self) -> int:
        """Lines that will never be written: the queue was full, or the file refused them."""
        return self._refused + self._failed

    def add(self, format_line: Format, value: Any, weigh: Callable[[Any], int] = _weightless) -> None:
        """Put a line aside, or count it as lost. Never blocks; may be called at any time, by one thread at a
        time. `format_line` makes the text of `value` later, in the thread that writes; `weigh` says how many
        bytes `value` keeps in memory, about."""
        waiting, size = len(self._queue), 0
        if waiting >= self._many:
            if waiting >= self._limit or self._bytes_added - self._bytes_taken > QUEUE_BYTES:
                self._refused += 1
                return
            size = weigh(value)
            self._bytes_added += size
        self._queue.append((format_line, value, size))
        # Waking costs more than all the rest, so only the first line of a block pays. The thread clears
        # the flag before it empties the queue: whoever finds it set will still be read.
        if not self._wake.is_set():
            self._wake.set()

    def start(self) -> None:
        """Begin to write. Does nothing when the thread runs already."""
        if self._thread is None:
            self._stopping.clear()
            self._give_up_at = math.inf
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()
            atexit.register(self.stop)

    def reopen(self) -> None:
        """The file was moved away: what is written from now on, waiting lines too, goes to a new one."""
        self._reopen_asked = True
        if self._thread is None:
            self._look_at_file()
        else:
            self._wake.set()

    def stop(self) -> None:
        """End the thread and write what is waiting, for `patience` seconds at most. What cannot be written is
        lost."""
        self._give_up_at = time.monotonic() + self._patience
        thread, self._thread = self._thread, None
        if thread is not None:
            atexit.unregister(self.stop)
            self._stopping.set()
            self._wake.set()
            thread.join(self._patience + 1.0)
            if thread.is_alive():  # within a system call that does not return: a disk that hangs
                return
        self._write_waiting()

    def close(self) -> None:
        """`stop`, and close the file."""
        self.stop()
        self.file.close()

    # ------------------------------------------------------------ in the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait()
            self._stopping.wait(0 if self._reopen_asked else self._pause)
            self._wake.clear()
            self._write_waiting()

    def _write_waiting(self) -> None:
        self._look_at_file()
        while self._queue:
            for lines in join_lines(self._next_lines(), self.file.piece):
                self._failed += self._write(lines)
            self._report_losses()
            self._look_at_file()

    def _look_at_file(self) -> None:
        if self._reopen_asked or self.file.is_deleted:
            self._reopen_asked = False
            try:
                self.file.reopen()
            except OSError as error:
                self._in_trouble("cannot be opened anew", error)

    def _write(self, lines: bytes) -> int:
        """How many of `lines` could not be written."""
        if self.file.is_deleted:  # and could not be made anew
            return lines.count(b"\n")
        lost, error = self.file.write(lines, self._is_hopeless)
        if error is not None:
            self._in_trouble("cannot be written, its lines are lost", error)
        return lost

    def _is_hopeless(self) -> bool:
        self._count_losses()
        return time.monotonic() >= self._give_up_at

    def _in_trouble(self, what: str, error: OSError) -> None:
        if self._troubles.allow((what, error.errno), time.monotonic()) is not None:
            reason = os.strerror(error.errno) if error.errno else str(error)
            self._complain(f"{self.name} {self.file.name} {what}: {reason}")

    def _report_losses(self) -> None:
        self._count_losses()
        lost = self.lost
        if lost > self._reported:
            line = self._format_notice(time.time(), f"{self.name}: {lost - self._reported} lines lost")
            if not self._write(line.encode("utf-8", "backslashreplace") + b"\n"):
                self._reported = lost

    def _count_losses(self) -> None:
        lost = self.lost
        if lost > self._counted and self.count_lost is not None:
            self.count_lost(lost - self._counted)
            self._counted = lost

    def _next_lines(self) -> Iterator[bytes]:
        """Up to a block of those that wait, made into text."""
        queue = self._queue
        for _ in range(min(BLOCK, len(queue))):
            format_line, value, size = queue.popleft()
            if size:
                self._bytes_taken += size
            try:
                line = format_line(value)
            except Exception as error:  # a plugin's perhaps; the thread must outlive it
                what = type(error).__name__
                line = self._format_notice(time.time(), f"{self.name}: no line for it: {what}")
            yield f"{line}\n".encode("utf-8", "backslashreplace")


def join_lines(lines: Iterable[bytes], piece: int) -> Iterator[bytes]:
    """Whole lines together, up to `piece` bytes. A longer line stays alone."""
    together: list[bytes] = []
    size = 0
    for line in lines:
        if together and size + len(line) > piece:
            yield b"".join(together)
            together, size = [], 0
        together.append(line)
        size += len(line)
    if together:
        yield b"".join(together)
