"""The logs of a server: opened as configured, written off the event loop, opened anew together.

Knows which there are and where they go; what stands in a line of the access log is the business of the plugin
that writes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from blastbeat.config.model import ServerConfig
from blastbeat.errors import StartError
from blastbeat.log_file import LogFile
from blastbeat.log_writer import LogWriter
from blastbeat.logs import JsonFormatter, TextFormatter, new_formatter, notice_format, set_up_logging

log = logging.getLogger(__name__)

ACCESS_LOG, ERROR_LOG = "access-log", "error-log"
ERROR_LOG_PAUSE = 0.0
"""Records are few, and the last ones before a crash are those that matter: no gathering."""


class ServerLogs:
    """`access` is None while there is none. The error log is opened by who sets up logging, and added."""

    def __init__(self) -> None:
        self.access: LogWriter | None = None
        self.error: LogWriter | None = None

    @property
    def writers(self) -> list[LogWriter]:
        return [writer for writer in (self.access, self.error) if writer is not None]

    def open_access_log(self, config: ServerConfig) -> None:
        """Raises StartError where its file can't be opened."""
        self.access = new_access_log(config)

    def count_lost(self, count: Callable[[str, int], None]) -> None:
        """From now on tell `count` of lines that are lost: the counter's name, and how many. It is called in
        the threads that write."""
        for writer in self.writers:
            writer.count_lost = _counter(writer, count)

    def reopen(self) -> None:
        """Log files were moved away: open them anew."""
        for writer in self.writers:
            writer.reopen()

    def close_access_log(self) -> None:
        """Write what is waiting, for a moment, and close it. The error log stays with who opened it."""
        if self.access is not None:
            self.access.close()
            self.access = None


def new_access_log(config: ServerConfig) -> LogWriter | None:
    """One that is open; None where the configuration wants none. Raises StartError."""
    if config.access_log == "off":
        return None
    writer = LogWriter(
        ACCESS_LOG,
        open_log(ACCESS_LOG, config.access_log),
        limit=config.log_queue,
        format_notice=notice_format(config.log_format, f"blastbeat.{ACCESS_LOG}"),
        complain=log.error,
    )
    writer.start()
    return writer


def _counter(writer: LogWriter, count: Callable[[str, int], None]) -> Callable[[int], None]:
    name = f"log.lines-lost.{writer.name.removesuffix('-log')}"
    return lambda lost: count(name, lost)


def open_log(key: str, target: str) -> LogFile:
    """What `key` = `target` names. Raises StartError."""
    try:
        return LogFile("" if target == "stderr" else target)
    except OSError as error:
        raise StartError(f"{key} = {target!r}: cannot be opened for writing: {error.strerror}") from error


class ErrorLogHandler(logging.Handler):
    """Hands each record, as a line, to the writer: whoever logs never waits."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self.writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        # Formatted here: what a record refers to may change, and a traceback keeps its frames alive.
        try:
            line = self.format(record)
        except Exception as error:  # a plugin's objects may have no words; logging's own complaint may block
            where = record.pathname, record.lineno
            text = "a record that makes no line: %s at %s:%d"
            told = (type(error).__name__, *where)
            line = self.format(logging.LogRecord(record.name, record.levelno, *where, text, told, None))
        self.writer.add(str, line, len)


def open_error_log(config: ServerConfig) -> LogWriter:
    """Send every record from now on to the error log, in a thread of its own. Raises StartError."""
    file = open_log(ERROR_LOG, config.error_log)
    writer = LogWriter(
        ERROR_LOG,
        file,
        limit=config.log_queue,
        format_notice=notice_format(config.log_format, f"blastbeat.{ERROR_LOG}"),
        complain=_complain_on_stderr if file.path else _say_nothing,
        pause=ERROR_LOG_PAUSE,
    )
    handler = ErrorLogHandler(writer)
    handler.setFormatter(new_formatter(config.log_format, tracebacks=config.log_level == "debug"))
    logging.basicConfig(level=config.log_level.upper(), handlers=[handler], force=True)
    writer.start()
    return writer


def change_log_level(level: str) -> None:
    """Hold every handler of the process to `level` from now on (one of `logs.LEVELS`)."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    for handler in root.handlers:
        if isinstance(handler.formatter, TextFormatter | JsonFormatter):
            handler.formatter.tracebacks = level == "debug"


def close_error_log(writer: LogWriter, level: str) -> None:
    """Write what is waiting; what is logged after it goes straight to standard error."""
    set_up_logging(level)
    writer.close()


def _complain_on_stderr(text: str) -> None:
    """The one place left; nothing waits for it either."""
    LogFile().write(f"blastbeat: {text}\n".encode("utf-8", "backslashreplace"), lambda: True)


def _say_nothing(text: str) -> None:
    """Standard error cannot be written, and there is no other place."""
