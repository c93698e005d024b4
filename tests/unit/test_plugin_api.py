"""Tests of `blastbeat.plugin_api`: which versions go together, and that who runs a plugin hears of what it
does that will not work for ever."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blastbeat import API_VERSION, __version__, hookimpl, hookspecs
from blastbeat.errors import PluginError
from blastbeat.hookspecs import hookspec
from blastbeat.interfaces import ExchangeView
from blastbeat.plugin_api import ApiDeprecation, explain_import, read_api
from blastbeat.plugin_manager import PluginManager
from blastbeat.testing import make_exchange_view

OURS = (2, 3)


@pytest.mark.parametrize("said", [(2, 0), (2, 3)])
def test_a_plugin_for_this_major_version_and_no_later_minor_one_loads(said: tuple[int, int]) -> None:
    assert read_api(SimpleNamespace(blastbeat_api=said), "mine", OURS) == f"{said[0]}.{said[1]}"


def test_a_plugin_need_not_say_anything() -> None:
    assert read_api(SimpleNamespace(), "mine", OURS) == ""


@pytest.mark.parametrize(
    ("said", "told", "advice"),
    [
        ((1, 9), "1.9", "a release of the plugin for API 2, or a BlastBeat with API 1"),
        ((3, 0), "3.0", "a release of the plugin for API 2, or a BlastBeat with API 3"),
        ((2, 4), "2.4", "a BlastBeat with API 2.4 or later, or an older release of the plugin"),
    ],
)
def test_others_are_refused_with_both_versions_and_what_to_do(
    said: tuple[int, int], told: str, advice: str
) -> None:
    with pytest.raises(PluginError) as raised:
        read_api(SimpleNamespace(blastbeat_api=said), "mine", OURS)
    assert str(raised.value) == (
        f"plugin 'mine': is written for plugin API {told}, BlastBeat {__version__} has 2.3; install {advice}"
    )


@pytest.mark.parametrize("said", ["1.0", (1,), (1, 0, 0), (1, "0"), [1, 0], (True, 0), 1])
def test_what_is_no_version_is_refused(said: object) -> None:
    with pytest.raises(PluginError, match="expected two whole numbers, such as"):
        read_api(SimpleNamespace(blastbeat_api=said), "mine", OURS)


def test_a_name_that_this_version_does_not_have_hints_at_the_version() -> None:
    try:
        from blastbeat.interfaces import NoSuchThing  # type: ignore[attr-defined]  # noqa: F401
    except ImportError as error:
        assert f"has plugin API {API_VERSION[0]}.{API_VERSION[1]}" in explain_import(error)
    assert explain_import(ImportError("no", name="blastbeatish")) == ""
    assert explain_import(ValueError("no")) == ""


# ---------------------------------------------------------------- as the manager tells it


class Later:
    """Has a hook that is not there yet, which would be the lesser of the two things to say."""

    blastbeat_api = (API_VERSION[0], API_VERSION[1] + 1)

    @hookimpl
    def blastbeat_from_the_future(self) -> None:
        pass


def test_a_plugin_for_another_version_keeps_the_server_from_starting() -> None:
    with pytest.raises(PluginError, match="plugin 'Later': is written for plugin API"):
        PluginManager(discover=list, plugins=[Later()]).load()


def test_it_is_listed_as_failed_and_checked() -> None:
    manager = PluginManager(discover=list, plugins=[Later()])
    [problem] = manager.load(strict=False)
    assert problem.severity == "error" and "is written for plugin API" in problem.message
    [found] = [each for each in manager.describe() if each.name == "Later"]
    assert found.state == "failed" and found.api == "" and "is written for plugin API" in found.reason


# ---------------------------------------------------------------- deprecation, with hooks of another time


def specifications() -> SimpleNamespace:
    """All hooks there are, some with further, deprecated arguments, one deprecated itself."""

    def blastbeat_exchange_closed(status: int, exchange: object, view: ExchangeView) -> None:
        pass

    def blastbeat_register_filters(add: object, register: object) -> None:
        pass

    def blastbeat_config_reloaded(view: object) -> None:
        pass

    closed = "blastbeat_exchange_closed"
    exchange = ApiDeprecation(f"{closed}(exchange)", since=(1, 2), instead="take `view`")
    status = ApiDeprecation(
        f"{closed}(status)", since=(1, 1), instead="read `view.status`", value=lambda view: view.status
    )
    add = ApiDeprecation("blastbeat_register_filters(add)", since=(1, 1), instead="take `register`")
    gone = ApiDeprecation("blastbeat_config_reloaded", since=(1, 4), instead="listen to something else")
    marked = {
        closed: hookspec(warn_on_impl_args={"exchange": exchange, "status": status})(
            blastbeat_exchange_closed
        ),
        "blastbeat_register_filters": hookspec(warn_on_impl_args={"add": add})(blastbeat_register_filters),
        "blastbeat_config_reloaded": hookspec(warn_on_impl=gone)(blastbeat_config_reloaded),
    }
    hooks = {name: hook for name, hook in vars(hookspecs).items() if name.startswith(hookspecs.PREFIX)}
    return SimpleNamespace(**(hooks | marked))


class Old:
    def __init__(self) -> None:
        self.heard: list[object] = []
        self.reloads = 0

    @hookimpl
    def blastbeat_exchange_closed(self, exchange: object, status: int) -> None:
        self.heard += [exchange, status]

    @hookimpl
    def blastbeat_register_filters(self, add: Any) -> None:
        add("old", lambda options: None)

    @hookimpl
    def blastbeat_config_reloaded(self) -> None:
        self.reloads += 1


def test_deprecated_hooks_and_arguments_work_and_are_told_with_the_plugin_and_the_place() -> None:
    plugin = Old()
    manager = PluginManager(discover=list, plugins=[plugin], specs=specifications())
    problems = [problem for problem in manager.load() if "'Old'" in problem.message]
    assert [problem.severity for problem in problems] == ["warning"] * 4
    text = "\n".join(problem.message for problem in problems)
    line = Old.blastbeat_exchange_closed.__code__.co_firstlineno
    assert f"plugin 'Old': {Path(__file__)}:{line}: " in text
    assert (
        "blastbeat_exchange_closed(exchange) is deprecated since API 1.2 and goes with API 2.0: take `view`"
        in text
    )
    assert "blastbeat_exchange_closed(status) is deprecated since API 1.1" in text
    assert "blastbeat_register_filters(add) is deprecated" in text
    assert "blastbeat_config_reloaded is deprecated since API 1.4" in text

    view = make_exchange_view(status=204)
    lifecycle = manager.lifecycle()
    assert lifecycle.exchange_closed is not None and lifecycle.config_reloaded is not None
    lifecycle.exchange_closed(view)
    lifecycle.config_reloaded(None)  # type: ignore[arg-type]
    assert plugin.heard == [view, 204] and plugin.reloads == 1
    assert "old" in manager.build_registry().names("filter")


def test_who_takes_the_argument_that_stays_hears_nothing_of_it() -> None:
    class New:
        heard: list[object] = []

        @hookimpl
        def blastbeat_exchange_closed(self, view: ExchangeView) -> None:
            self.heard.append(view)

    manager = PluginManager(discover=list, plugins=[New()], specs=specifications())
    assert [problem for problem in manager.load() if "'New'" in problem.message] == []
    lifecycle = manager.lifecycle()
    assert lifecycle.exchange_closed is not None
    lifecycle.exchange_closed(make_exchange_view())
    assert len(New.heard) == 1
