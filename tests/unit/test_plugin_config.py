"""Tests of `blastbeat.plugin_config`: plugins are asked and handed their tables, whatever they do then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from blastbeat.config.model import Config, PluginTable
from blastbeat.errors import ConfigError, PluginError, Problem
from blastbeat.interfaces import ConfigView, Tables
from blastbeat.plugin_config import PluginConfig, Receiver, refuse

OLD = Config(tables=(PluginTable("plan", "gold", values={"rate": 1}),))
NEW = Config(tables=(PluginTable("plan", "gold", values={"rate": 2}), PluginTable("other", "x")))


def examining(examine: Callable[[ConfigView], Any]) -> PluginConfig:
    return PluginConfig(examiners=[("policy", examine)])


def test_what_plugins_find_is_told_whatever_they_return() -> None:
    def generate(view: ConfigView) -> Iterator[Problem]:
        yield Problem("one")
        yield Problem("two")

    several = PluginConfig(
        examiners=[("a", generate), ("b", lambda view: None), ("c", lambda view: [Problem("three")])]
    )
    assert [each.message for each in several.examine(Config())] == ["one", "two", "three"]


def broken(view: ConfigView) -> Iterable[Problem]:
    yield Problem("found before")
    raise KeyError("plan")


@pytest.mark.parametrize(
    ("examine", "message"),
    [
        (broken, "KeyError: 'plan'"),
        (lambda view: ["text"], "it found a str"),
        (lambda view: 5, "TypeError"),
    ],
)
def test_a_plugin_that_fails_to_examine_is_a_problem(examine: Any, message: str) -> None:
    (problem,) = examining(examine).examine(Config(file="a.toml"))

    assert (problem.severity, problem.file) == ("error", "a.toml")
    assert "plugin 'policy': failed to examine the configuration" in problem.message
    assert message in problem.message
    assert examining(examine).examine(Config(), is_complete=False) == []


def test_each_receives_the_tables_of_its_kind() -> None:
    received: list[tuple[str, Tables]] = []
    plugins = PluginConfig(
        receivers=[
            Receiver("policy", kind, lambda tables, kind=kind: received.append((kind, dict(tables))))  # type: ignore[misc]
            for kind in ("plan", "customer")
        ]
    )
    plugins.hand_tables(NEW)
    assert received == [("plan", {"gold": {"rate": 2}}), ("customer", {})]


def test_one_that_fails_to_receive_leaves_all_with_what_they_had() -> None:
    held: dict[str, Tables] = {}

    def take(tables: Tables) -> None:
        held["good"] = dict(tables)

    def fail(tables: Tables) -> None:
        held["bad"] = dict(tables)
        if tables["gold"]["rate"] == 2:
            raise RuntimeError("no room")

    def untouched(tables: Tables) -> None:
        held["untouched"] = dict(tables)

    plugins = PluginConfig(receivers=[Receiver("p", "plan", each) for each in (take, fail, untouched)])
    with pytest.raises(PluginError, match=r"'p': failed to take the tables \[plan.NAME\]: RuntimeError"):
        plugins.hand_tables(NEW, OLD)
    assert held == {"good": {"gold": {"rate": 1}}, "bad": {"gold": {"rate": 1}}}


def test_at_a_start_there_is_nothing_to_go_back_to() -> None:
    def fail(tables: Tables) -> None:
        raise SystemExit(1)

    with pytest.raises(PluginError):
        PluginConfig(receivers=[Receiver("p", "plan", fail)]).hand_tables(NEW)


def test_errors_refuse_and_the_rest_goes_on() -> None:
    warning = Problem("odd", "warning")
    assert refuse([warning]) == [warning]
    with pytest.raises(ConfigError) as caught:
        refuse([warning, Problem("bad")])
    assert [each.message for each in caught.value.problems] == ["bad"]
