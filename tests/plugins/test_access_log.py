"""The access log as a plugin: where its lines go, and that it costs nothing where it is off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from blastbeat.config.model import Config, ServerConfig
from blastbeat.interfaces import ServerView
from blastbeat.lifecycle import Lifecycle
from blastbeat.plugin_manager import PluginManager
from blastbeat.plugins.access_log_format import format_combined, format_json
from blastbeat.testing import make_exchange_view


class Lines:
    """A log of the server's that keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.size = 0

    def add(
        self, format_line: Callable[[Any], str], value: Any, weigh: Callable[[Any], int] = lambda value: 0
    ) -> None:
        self.lines.append(format_line(value))
        self.size = weigh(value)


def lifecycle(access_log: str = "stderr") -> Lifecycle:
    manager = PluginManager.for_config(Config(ServerConfig(access_log=access_log, plugins_load=())))
    manager.load()
    return manager.lifecycle()


@pytest.mark.parametrize(("log_format", "write"), [("text", format_combined), ("json", format_json)])
def test_each_exchange_is_a_line_of_the_servers_log(log_format: str, write: Callable[[Any], str]) -> None:
    notices, lines = lifecycle(), Lines()
    assert notices.server_started and notices.exchange_closed
    notices.server_started(ServerView(0.0, log_format=log_format, access_log=lines))
    views = [make_exchange_view(status=status) for status in (200, 404)]
    for view in views:
        notices.exchange_closed(view)
    assert lines.lines == [write(view) for view in views]


def test_a_changed_configuration_holds_from_the_next_exchange_on() -> None:
    notices, before, after = lifecycle(), Lines(), Lines()
    assert notices.server_started and notices.exchange_closed and notices.config_reloaded
    view = make_exchange_view()
    notices.server_started(ServerView(0.0, access_log=before))
    notices.exchange_closed(view)
    notices.config_reloaded(ServerView(0.0, access_log=after, log_format="json"))
    notices.exchange_closed(view)
    assert (before.lines, after.lines) == ([format_combined(view)], [format_json(view)])


def test_a_server_without_the_log_is_told_of_nothing() -> None:
    notices = lifecycle()
    assert notices.server_started and notices.exchange_closed
    notices.exchange_closed(make_exchange_view())  # before the start: there is no log yet
    notices.server_started(ServerView(0.0))
    notices.exchange_closed(make_exchange_view())


def test_what_a_client_makes_long_is_weighed() -> None:
    notices, lines = lifecycle(), Lines()
    assert notices.server_started and notices.exchange_closed
    notices.server_started(ServerView(0.0, access_log=lines))
    sizes = []
    for name in ("target", "host", "referer", "user_agent"):
        notices.exchange_closed(make_exchange_view(**{name: b"x" * 10_000}))
        sizes.append(lines.size)
    assert all(10_000 <= size < 11_000 for size in sizes)


@pytest.mark.parametrize("options", [{"access_log": "off"}, {"plugins_disabled": ("access-log",)}])
def test_off_or_disabled_it_costs_nothing(options: dict[str, Any]) -> None:
    manager = PluginManager.for_config(Config(ServerConfig(plugins_load=(), **options)))
    manager.load()
    assert manager.lifecycle().exchange_closed is None
