"""Where the log lines of a node's processes go, each with the name of who says it. Knows no record."""

from __future__ import annotations

import logging
import sys

from blastbeat.logs import new_formatter

OURS = "blastbeat"


class _Named(logging.Filter):
    """Fills the field `node` of each record that has none."""

    def __init__(self, who: str) -> None:
        super().__init__()
        self._who = who

    def filter(self, record: logging.LogRecord) -> bool:
        if not getattr(record, "node", ""):
            record.node = self._who
        return True


def set_up_log(level: str, log_format: str, who: str) -> logging.Handler:
    """Our own lines go to standard error, whatever an application does with its loggers."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(new_formatter(log_format, tracebacks=True))
    handler.addFilter(_Named(who))
    ours = logging.getLogger(OURS)
    for before in ours.handlers[:]:
        ours.removeHandler(before)
    ours.addHandler(handler)
    ours.setLevel(level.upper())
    ours.propagate = False
    return handler


def lend_log(handler: logging.Handler, level: str) -> None:
    """To an application that has not set up logging itself; one that has may have switched ours off, too."""
    for name, logger in logging.Logger.manager.loggerDict.items():
        if isinstance(logger, logging.Logger) and (name == OURS or name.startswith(f"{OURS}.")):
            logger.disabled = False
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(handler)
        root.setLevel(level.upper())
