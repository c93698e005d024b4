"""What is said on standard error and in the error log: log records as lines, and lines for who started us.

Knows no record's meaning. A traceback is shown at level debug only; elsewhere its last line says enough, and
nothing a client or a node sent can begin a line of its own.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TextIO

from blastbeat.log_text import format_time, json_string

MAX_TEXT = 16 * 1024
"""Characters of a message, and of an exception: who sends something long does not fill the log with it."""

LEVELS = ("debug", "info", "warning", "error", "critical")

FIELDS = ("virtualhost", "route", "node", "request_id")
"""What a record may say of its request, given as `extra`; in text in brackets behind the message."""

# Control characters of ASCII and Latin-1 begin lines, hide text and steer terminals. A tab may stay.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_CONTROLS |= {0x09: "\t", 0x0A: "\\n", 0x0D: "\\r"}


class TextFormatter(logging.Formatter):
    """One line per record. `tracebacks` adds them in full, on lines of their own."""

    def __init__(self, *, tracebacks: bool = False) -> None:
        super().__init__()
        self.tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        told = [f"{name}={value}" for name, value in fields_of(record).items()]
        fields = f" [{' '.join(told)}]" if told else ""
        place = f"{format_time(record.created)} {record.levelname} {record.name}"
        line = f"{place}: {_shortened(record.getMessage())}{fields}".translate(_CONTROLS)
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return line
        if not self.tracebacks:
            return f"{line}: {describe_exception(error)}"
        return f"{line}\n{self._trace(record)}"

    def _trace(self, record: logging.LogRecord) -> str:
        assert record.exc_info
        text = self.formatException(record.exc_info)
        return "\n".join(part.translate(_CONTROLS) for part in text.split("\n"))


class JsonFormatter(logging.Formatter):
    """One JSON object per record, on one line. With `tracebacks` it has a field `traceback`."""

    def __init__(self, *, tracebacks: bool = False) -> None:
        super().__init__()
        self.tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": format_time(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": _shortened(record.getMessage()),
        }
        fields |= fields_of(record)
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields["exception"] = describe_exception(error)
            if self.tracebacks and record.exc_info:
                fields["traceback"] = self.formatException(record.exc_info)
        figures: dict[str, int | float] | None = getattr(record, "figures", None)
        return format_object(fields, figures)


def fields_of(record: logging.LogRecord) -> dict[str, str]:
    """Those of FIELDS that the record has; request ids are bytes where a plugin took them from a view."""
    found: dict[str, str] = {}
    for name in FIELDS:
        value = getattr(record, name, "")
        if value:
            found[name] = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return found


def format_object(fields: dict[str, str], figures: dict[str, int | float] | None = None) -> str:
    """A JSON object on one line; `figures` become an object of numbers in it."""
    parts = [f'"{name}":{json_string(text)}' for name, text in fields.items()]
    if figures is not None:
        numbers = ",".join(f'"{name}":{value}' for name, value in figures.items())
        parts.append(f'"figures":{{{numbers}}}')
    return f"{{{','.join(parts)}}}"


def new_formatter(log_format: str, *, tracebacks: bool = False) -> logging.Formatter:
    """The one that `log-format` names."""
    return (JsonFormatter if log_format == "json" else TextFormatter)(tracebacks=tracebacks)


def notice_format(log_format: str, logger: str) -> Callable[[float, str], str]:
    """Makes lines that a log says of itself, at a wall-clock time."""

    def as_text(at: float, text: str) -> str:
        return f"{format_time(at)} {text}"

    def as_json(at: float, text: str) -> str:
        return format_object({"time": format_time(at), "level": "WARNING", "logger": logger, "message": text})

    return as_json if log_format == "json" else as_text


def describe_exception(error: BaseException | None) -> str:
    """`KeyError: 'x'` on one line, without a traceback; empty for None."""
    if error is None:
        return ""
    text = _shortened(str(error)).translate(_CONTROLS)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _shortened(text: str) -> str:
    left = len(text) - MAX_TEXT
    return f"{text[:MAX_TEXT]}... ({left} more characters)" if left > 0 else text


def set_up_logging(level: str, stream: TextIO | None = None) -> None:
    """Send every record of `level` (one of LEVELS) and above to `stream` (standard error), at once. Replaces
    what a call before had set up."""
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(TextFormatter(tracebacks=level == "debug"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def tell(line: str) -> None:
    """Write one line to standard error at once: whoever waits for it may be reading a pipe."""
    if sys.stderr is not None:  # None: closed by whoever started us
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
