"""The access log: one line per request on standard error, written by a thread of its own.

The event loop's thread only puts the figures aside; formatting, and writing to a pipe that perhaps nobody
reads, happen in the thread. What does not fit the queue is counted, and the log itself says so.
"""

from __future__ import annotations

import atexit
import math
import os
import re
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from blastbeat import hookimpl
from blastbeat.interfaces import ExchangeView

STANDARD_ERROR = 2

QUEUE_LIMIT = 20_000
"""Requests waiting to be written, at most; further ones are lost and counted."""

BLOCK = 500
"""Lines formatted and written at once."""

PAUSE = 0.05
"""Seconds that lines are gathered before they are written."""

POLL_MILLISECONDS = 100

PATIENCE = 2.0
"""Seconds a stopping server waits for a log that takes nothing."""

# Anything else could end the line or its quotes, or speak to the reader's terminal.
_UNSAFE = re.compile(rb"[^ !#-\[\]-~]")


def escape(value: bytes) -> str:
    """Printable ASCII that stays between its quotes: quote and backslash get a backslash, other bytes become
    ``\\xNN``."""
    return (_UNSAFE.sub(_escape_byte, value) if _UNSAFE.search(value) else value).decode("ascii")


def _escape_byte(match: re.Match[bytes]) -> bytes:
    byte = match[0]
    return b"\\" + byte if byte in b'"\\' else b"\\x%02x" % byte[0]


def format_exchange(view: ExchangeView) -> str:
    """One line, without the newline. ``-`` stands for what never became known, like the virtualhost of a 404;
    the host asked for is named wherever it is not spelled like the virtualhost."""
    host = escape(view.host)
    request = escape(b"%b %b HTTP/%b" % (view.method, view.target, view.version)) if view.method else "-"
    asked = f' host="{host}"' if host != view.virtualhost else ""
    detail = f' detail="{escape(_to_bytes(view.detail))}"' if view.detail else ""
    hops = f" hops={view.hops}" if view.hops else ""
    client = f"[{view.remote_addr}]" if ":" in view.remote_addr else view.remote_addr
    return (
        f"{format_time(view.started_at)} {client}:{view.remote_port} {_word(view.virtualhost)}"
        f' "{request}" {view.status or "-"} in={view.bytes_in} out={view.bytes_out}'
        f" took={view.duration:.6f} node-took={view.node_duration:.6f} node={_word(view.identity)}"
        f" end={view.reason.value}{detail}{asked}{hops} id={_word(view.request_id.decode('latin-1'))}"
    )


def format_time(seconds: float) -> str:
    """UTC with milliseconds, as RFC 3339 spells it."""
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{_format_second(whole)}.{milliseconds:03d}Z"


@lru_cache(maxsize=16)  # a third of a line's cost, and most lines of a block share it
def _format_second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))


def _word(text: str) -> str:
    """A value that stands without quotes, where a blank would make two of it."""
    return escape(_to_bytes(text)).replace(" ", "\\x20") if text else "-"


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape" if text.isprintable() else "backslashreplace")


class LogWriter:
    """A bounded queue of exchanges, and the thread that writes them to a file descriptor.

    `add` never blocks and may be called at any time; what is added while no thread runs waits for `start` or
    `stop`. `limit` counts exchanges, `patience` is in seconds.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        limit: int = QUEUE_LIMIT,
        patience: float = PATIENCE,
        format_line: Callable[[ExchangeView], str] = format_exchange,
    ) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._patience = patience
        self._format = format_line
        self._queue: deque[ExchangeView] = deque()
        # Each counted by one thread only: the caller's, and the one that writes.
        self._refused = 0
        self._failed = 0
        self._reported = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._give_up_at = math.inf
        self._thread: threading.Thread | None = None

    @property
    def lost(self) -> int:
        """Exchanges that will never be written: the queue was full, or the descriptor refused them."""
        return self._refused + self._failed

    def add(self, view: ExchangeView) -> None:
        """Put an exchange aside, or count it as lost."""
        if len(self._queue) >= self._limit:
            self._refused += 1
            return
        self._queue.append(view)
        # Waking costs more than all the rest, so only the first line of a block pays. The thread clears
        # the flag before it empties the queue: whoever finds it set will still be read.
        if not self._wake.is_set():
            self._wake.set()

    def start(self) -> None:
        """Begin to write. Does nothing when the thread runs already."""
        if self._thread is None:
            self._stopping.clear()
            self._give_up_at = math.inf
            self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
            self._thread.start()
            atexit.register(self.stop)

    def stop(self) -> None:
        """End the thread and write what is waiting, for `patience` seconds at most. What cannot be written is
        lost."""
        self._give_up_at = time.monotonic() + self._patience
        if self._thread is not None:
            atexit.unregister(self.stop)
            self._stopping.set()
            self._wake.set()
            self._thread.join()
            self._thread = None
        self._write_waiting()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait()
            self._stopping.wait(PAUSE)
            self._wake.clear()
            self._write_waiting()

    def _write_waiting(self) -> None:
        while self._queue:
            count = min(BLOCK, len(self._queue))
            for lines in join_lines(self._make_line(self._queue.popleft()) for _ in range(count)):
                if not self._write(lines):
                    self._failed += lines.count(b"\n")
            self._report_losses()

    def _report_losses(self) -> None:
        lost = self.lost
        if lost > self._reported:
            line = f"{format_time(time.time())} access log: {lost - self._reported} lines lost\n"
            if self._write(line.encode("ascii")):
                self._reported = lost

    def _make_line(self, view: ExchangeView) -> bytes:
        try:
            line = self._format(view)
        except Exception as error:  # the thread must outlive it
            line = f"{format_time(time.time())} access log: no line for a request: {type(error).__name__}"
        return line.encode("ascii", "backslashreplace") + b"\n"

    def _write(self, data: bytes) -> bool:
        """True when all of it was written; waits for a full pipe."""
        ready = select.poll()
        ready.register(self._descriptor, select.POLLOUT)
        rest = memoryview(data)
        try:
            while rest:
                # Up to PIPE_BUF bytes never block after this, so that giving up stays possible.
                has_given_up = time.monotonic() >= self._give_up_at
                if ready.poll(0 if has_given_up else POLL_MILLISECONDS):
                    rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
                elif has_given_up:
                    return False
        except OSError:  # closed, nobody reads any more, the disk is full: there is no better place to tell
            return False
        return True


def join_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines together, up to what a pipe takes at once, so that other writers of the same pipe come
    between lines and not into them. A longer line stays alone."""
    together: list[bytes] = []
    size = 0
    for line in lines:
        if together and size + len(line) > select.PIPE_BUF:
            yield b"".join(together)
            together, size = [], 0
        together.append(line)
        size += len(line)
    if together:
        yield b"".join(together)


class AccessLogPlugin:
    """Made once per server: each has its own queue and thread."""

    def __init__(self) -> None:
        self._writer = LogWriter(STANDARD_ERROR)

    @hookimpl
    def blastbeat_server_started(self) -> None:
        self._writer.start()

    @hookimpl
    def blastbeat_exchange_closed(self, view: ExchangeView) -> None:
        self._writer.add(view)

    @hookimpl
    def blastbeat_server_stopped(self) -> None:
        self._writer.stop()
