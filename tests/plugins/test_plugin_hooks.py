"""Tests of `blastbeat.plugin_manager`: options, notices and commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from blastbeat import hookimpl
from blastbeat.errors import ConfigError, PluginError
from blastbeat.interfaces import Options, RegisterCommand, RegisterOptions, ServerView
from blastbeat.plugin_manager import PluginManager


def loaded(manager: PluginManager) -> PluginManager:
    assert manager.load() == []
    return manager


def size(value: Any) -> int:
    if not str(value).isdigit():
        raise ValueError("a whole number, such as 3")
    return int(value)


class WithOptions:
    """Takes `size`."""

    def __init__(self) -> None:
        self.received: list[Options] = []

    @hookimpl
    def blastbeat_register_options(self, register: RegisterOptions) -> None:
        register({"size": size}, self.received.append)


def test_a_plugin_gets_its_own_table_validated() -> None:
    plugin = WithOptions()
    loaded(PluginManager(load=(), plugins=[plugin], options={"WithOptions": {"size": "3"}}))
    assert plugin.received == [{"size": 3}]


def test_without_a_table_the_plugin_hears_that_there_is_none() -> None:
    plugin = WithOptions()
    loaded(PluginManager(load=(), plugins=[plugin]))
    assert plugin.received == [{}]


def test_unknown_keys_and_bad_values_name_plugin_and_key() -> None:
    plugin = WithOptions()
    options = {"WithOptions": {"sise": 1, "size": "x"}}
    with pytest.raises(ConfigError) as caught:
        PluginManager(load=(), plugins=[plugin], options=options).load()
    unknown, bad = caught.value.problems
    assert (unknown.section, unknown.key, unknown.hint) == (
        "plugin.WithOptions",
        "sise",
        "did you mean 'size'?",
    )
    assert (bad.section, bad.key, bad.value) == ("plugin.WithOptions", "size", "x")
    assert bad.message == "a whole number, such as 3"
    assert plugin.received == []


def test_a_table_for_a_plugin_without_options() -> None:
    with pytest.raises(ConfigError, match="it takes no options"):
        PluginManager(load=(), options={"round-robin": {"size": 1}}).load()


def test_a_table_for_nobody() -> None:
    with pytest.raises(ConfigError, match="there is no plugin 'round-robbin'.*did you mean 'round-robin'"):
        PluginManager(load=(), options={"round-robbin": {"size": 1}}).load()


def test_a_table_for_a_disabled_plugin_waits() -> None:
    loaded(PluginManager(load=(), options={"round-robin": {"size": 1}}, disabled=("round-robin",)))


class TwiceOptions:
    @hookimpl
    def blastbeat_register_options(self, register: RegisterOptions) -> None:
        register({}, print)
        register({}, print)


def test_options_are_declared_once() -> None:
    with pytest.raises(PluginError, match="declares its options twice"):
        PluginManager(load=(), plugins=[TwiceOptions()]).load()


# ---------------------------------------------------------------- notices and commands


class Listener:
    """Hears the server start."""

    def __init__(self, name: str, heard: list[str]) -> None:
        self.name, self.heard = name, heard

    @hookimpl
    def blastbeat_server_started(self, view: ServerView) -> None:
        self.heard.append(self.name)


def test_listeners_that_came_last_hear_first() -> None:
    heard: list[str] = []
    plugins = [Listener("a", heard), Listener("b", heard)]
    manager = loaded(PluginManager(load=(), disabled=("access-log",), plugins=plugins))
    notice = manager.lifecycle().server_started
    assert notice is not None
    notice(ServerView(0.0))
    assert heard == ["b", "a"]


def test_a_listener_may_leave_its_argument_out() -> None:
    heard: list[str] = []

    class Short:
        @hookimpl
        def blastbeat_node_up(self) -> None:
            heard.append("up")

    notice = loaded(PluginManager(load=(), plugins=[Short()])).lifecycle().node_up
    assert notice is not None
    notice(None)  # type: ignore[arg-type]
    assert heard == ["up"]


def test_failures_of_listeners_are_counted_by_plugin() -> None:
    class Failing:
        @hookimpl
        def blastbeat_node_up(self) -> None:
            raise ValueError("no")

    manager = loaded(PluginManager(load=(), plugins=[Failing()]))
    notice = manager.lifecycle().node_up
    assert notice is not None
    notice(None)  # type: ignore[arg-type]
    assert manager.failures.counts == {("Failing", "node_up", ValueError): 1}


class Commands:
    def __init__(self, name: str) -> None:
        self.name = name

    @hookimpl
    def blastbeat_register_commands(self, register: RegisterCommand) -> None:
        def run(arguments: Sequence[str]) -> int:
            return len(arguments)

        register(self.name, run, summary="counts")


class BrokenCommands:
    @hookimpl
    def blastbeat_register_commands(self, register: RegisterCommand) -> None:
        raise RuntimeError("no")


def test_commands_are_collected_and_what_is_wrong_is_told() -> None:
    plugins = [Commands("count"), Commands("other"), BrokenCommands(), Commands("count")]
    found, problems = loaded(PluginManager(load=(), plugins=plugins)).commands()
    assert set(found) == {"count", "other"}
    assert found["count"].run(["a", "b"]) == 2
    assert (found["count"].summary, found["count"].plugin) == ("counts", "Commands")
    broken, taken = problems
    assert "'BrokenCommands'" in broken.message and "RuntimeError: no" in broken.message
    assert "'Commands#3'" in taken.message and "as plugin 'Commands' does" in taken.message
