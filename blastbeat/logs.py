"""What is said on standard error: log records in one format, one line each, and lines for whoever started us.

Knows no record's meaning. A traceback is shown at level debug only; elsewhere its last line says enough, and
nothing a client or a node sent can begin a line of its own.
"""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import TextIO

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
LEVELS = ("debug", "info", "warning", "error", "critical")

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
# Control characters of ASCII and Latin-1 begin lines, hide text and steer terminals. A tab may stay.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_CONTROLS |= {0x09: "\t", 0x0A: "\\n", 0x0D: "\\r"}


class LineFormatter(logging.Formatter):
    """One line per record. `tracebacks` adds them in full, on lines of their own."""

    def __init__(self, *, tracebacks: bool = False) -> None:
        super().__init__(FORMAT)
        self._tracebacks = tracebacks

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).translate(_CONTROLS)

    def format(self, record: logging.LogRecord) -> str:
        if self._tracebacks:
            return super().format(record)
        record.message = record.getMessage()
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        line = self.formatMessage(record)
        return f"{line}: {self.formatException(record.exc_info)}" if record.exc_info else line

    def formatException(self, ei: _ExcInfo) -> str:
        if not self._tracebacks:
            return describe_exception(ei[1])
        return "\n".join(line.translate(_CONTROLS) for line in super().formatException(ei).split("\n"))


def describe_exception(error: BaseException | None) -> str:
    """`KeyError: 'x'` on one line, without a traceback; empty for None."""
    if error is None:
        return ""
    text = str(error).translate(_CONTROLS)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def set_up_logging(level: str, stream: TextIO | None = None) -> None:
    """Send every record of `level` (one of LEVELS) and above to `stream` (standard error). Replaces what a
    call before had set up."""
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(LineFormatter(tracebacks=level == "debug"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def tell(line: str) -> None:
    """Write one line to standard error at once: whoever waits for it may be reading a pipe."""
    if sys.stderr is not None:  # None: closed by whoever started us
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
