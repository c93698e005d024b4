"""The access log: hands the figures of each request that is over to the server's log of that name.

The event loop's thread only puts them aside; what `log-format` makes of them is made in the log's thread.
"""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.interfaces import ExchangeView, ServerView
from blastbeat.plugins.access_log_format import format_combined, format_json

FORMATS = {"text": format_combined, "json": format_json}


class AccessLogPlugin:
    """Made once per server, which tells it by its notices where the lines go and how they look."""

    def __init__(self) -> None:
        self._log = ServerView(0.0).access_log
        self._format = format_combined

    @hookimpl
    def blastbeat_server_started(self, view: ServerView) -> None:
        self._log = view.access_log
        self._format = FORMATS[view.log_format]

    @hookimpl
    def blastbeat_config_reloaded(self, view: ServerView) -> None:
        self.blastbeat_server_started(view)

    @hookimpl
    def blastbeat_exchange_closed(self, view: ExchangeView) -> None:
        if self._log is not None:
            self._log.add(self._format, view, weigh)


def weigh(view: ExchangeView) -> int:
    """Bytes of what a client may make long: nobody shall fill the memory while the log cannot be written."""
    return len(view.target) + len(view.host) + len(view.referer) + len(view.user_agent)
