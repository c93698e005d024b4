"""The lifecycle notices, resolved once at start: per notice None (nobody listens), one function, or a
fan-out.

Isolation is kept here: a listener that raises is logged with its plugin's name, and the next one runs. Knows
no pluggy and no emitter.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from blastbeat.interfaces import ConnectionView, ExchangeView, NodeView, ServerView, SessionView
from blastbeat.plugin_profile import PluginProfile

View = TypeVar("View")

MAX_FAILURE_KINDS = 1000
"""Bound on what is remembered of failures; a plugin may make exception types without end."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Lifecycle:
    """One attribute per notice. None: nobody listens, so the emitter need not even build the view.

    Calling one never raises (but for what ends the process: KeyboardInterrupt, SystemExit).
    """

    server_started: Callable[[ServerView], None] | None = None
    server_stopping: Callable[[ServerView], None] | None = None
    server_stopped: Callable[[ServerView], None] | None = None
    config_reloaded: Callable[[ServerView], None] | None = None
    logs_reopened: Callable[[ServerView], None] | None = None
    connection_opened: Callable[[ConnectionView], None] | None = None
    connection_closed: Callable[[ConnectionView], None] | None = None
    session_opened: Callable[[SessionView], None] | None = None
    session_upgraded: Callable[[SessionView], None] | None = None
    session_retried: Callable[[SessionView], None] | None = None
    session_closed: Callable[[SessionView], None] | None = None
    exchange_closed: Callable[[ExchangeView], None] | None = None
    node_up: Callable[[NodeView], None] | None = None
    node_down: Callable[[NodeView], None] | None = None


NOTICES: tuple[str, ...] = tuple(Lifecycle.__slots__)

Listener = tuple[str, Callable[[View], None]]
"""The plugin's name and its function."""


class FailureLog:
    """Logs the exceptions of listeners: the first of its kind with its traceback, then the 10th, the 100th
    and so on, so that a plugin that fails at each request does not drown the log."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str, type[BaseException]], int] = {}

    def report(self, plugin: str, notice: str, error: Exception, view: object = None) -> None:
        """`view` is what the plugin was told of."""
        key = (plugin, notice, type(error))
        if key not in self.counts and len(self.counts) >= MAX_FAILURE_KINDS:
            return
        count = self.counts[key] = self.counts.get(key, 0) + 1
        if count == 1:
            _log.error("plugin %r failed in %s", plugin, notice, exc_info=error, extra=_fields_of(view))
        elif _is_power_of_ten(count):
            _log.error(
                "plugin %r failed in %s for the %dth time: %s: %s",
                plugin, notice, count, type(error).__name__, error, extra=_fields_of(view),
            )  # fmt: skip


def build_lifecycle(
    listeners: Mapping[str, Sequence[Listener[View]]],
    failures: FailureLog,
    profile: PluginProfile | None = None,
) -> Lifecycle:
    """Resolve `listeners` (by notice, in the order they shall run). Raises KeyError for a name that is no
    notice. `profile` measures them."""
    lifecycle = Lifecycle()
    for notice, found in listeners.items():
        if notice not in NOTICES:
            raise KeyError(notice)
        if profile is not None:
            found = [(plugin, profile.timed(plugin, f"hook {notice}", each)) for plugin, each in found]
        guarded = [_guard(plugin, notice, function, failures) for plugin, function in found]
        if guarded:
            setattr(lifecycle, notice, guarded[0] if len(guarded) == 1 else _fan_out(tuple(guarded)))
    return lifecycle


def _guard(
    plugin: str, notice: str, function: Callable[[View], None], failures: FailureLog
) -> Callable[[View], None]:
    def call(view: View) -> None:
        try:
            function(view)
        except Exception as error:
            failures.report(plugin, notice, error, view)

    return call


def _fan_out(functions: tuple[Callable[[View], None], ...]) -> Callable[[View], None]:
    def call(view: View) -> None:
        for function in functions:
            function(view)

    return call


def _fields_of(view: object) -> dict[str, object]:
    """Which request, session or node it was about."""
    fields = {"virtualhost": "virtualhost", "route": "route", "node": "identity", "request_id": "request_id"}
    return {field: getattr(view, name, "") for field, name in fields.items()}


def _is_power_of_ten(count: int) -> bool:
    while count % 10 == 0:
        count //= 10
    return count == 1
