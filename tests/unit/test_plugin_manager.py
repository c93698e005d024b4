"""Tests of `blastbeat.plugin_manager`: what loads, what replaces what, what is refused."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from blastbeat import hookimpl
from blastbeat.config.model import Config, PluginRef, ServerConfig
from blastbeat.errors import ConfigError, PluginError
from blastbeat.interfaces import Options, Register, RegisterCounter, RegisterOptions, ServerView
from blastbeat.plugin_listing import PluginInfo
from blastbeat.plugin_manager import PluginManager
from blastbeat.plugin_sources import Named
from blastbeat.plugins.round_robin import RoundRobin
from blastbeat.validators import FileContent


class Shop:
    """Installed plugins of a test: entry points to objects that are not on any disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.points: list[EntryPoint] = []

    def install(self, name: str, plugin: object, *, distribution: str = "") -> None:
        module_name = f"shop_{distribution or name}".replace("-", "_")
        module = ModuleType(module_name)
        module.plugin = plugin  # type: ignore[attr-defined]
        self._monkeypatch.setitem(sys.modules, module_name, module)
        self.points.append(EntryPoint(name, f"{module_name}:plugin", "blastbeat"))

    def manager(self, **settings: Any) -> PluginManager:
        return PluginManager(discover=lambda: self.points, **settings)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(monkeypatch)


class SelectorPlugin:
    """Registers selectors under the names it was made with."""

    def __init__(self, *names: str) -> None:
        self.names = names

    @hookimpl
    def blastbeat_register_selectors(self, register: Register) -> None:
        for name in self.names:
            register(name, lambda options: RoundRobin())


class Broken:
    """Raises after it has registered something."""

    @hookimpl
    def blastbeat_register_selectors(self, register: Register) -> None:
        register("half", lambda options: RoundRobin())
        raise RuntimeError("out of luck")


def info(manager: PluginManager, name: str) -> PluginInfo:
    return next(one for one in manager.describe() if one.name == name)


def loaded(manager: PluginManager) -> PluginManager:
    assert manager.load() == []
    return manager


# ---------------------------------------------------------------- what loads


def test_built_ins_load_without_anything_installed(shop: Shop) -> None:
    manager = loaded(shop.manager())
    registry = manager.build_registry()
    assert {"least-connections", "round-robin"} <= set(registry.names("selector"))
    assert "identity" in registry.names("node-authenticator")
    assert {one.state for one in manager.describe()} == {"active"}
    assert {one.origin for one in manager.describe()} == {"built in"}


def test_an_installed_plugin_registers_like_a_built_in(shop: Shop) -> None:
    shop.install("sample", SelectorPlugin("mine"))
    manager = loaded(shop.manager())
    assert isinstance(manager.build_registry().make("selector", PluginRef("mine")), RoundRobin)
    sample = info(manager, "sample")
    assert (sample.state, sample.registered) == ("active", (("selector", "mine"),))
    assert sample.hooks == ("register_selectors",)


def test_managers_share_nothing(shop: Shop) -> None:
    shop.install("sample", SelectorPlugin("mine"))
    loaded(shop.manager())
    assert "mine" not in loaded(PluginManager(load=())).build_registry().names("selector")
    assert "mine" in loaded(shop.manager()).build_registry().names("selector")


def test_one_that_is_not_to_be_loaded_has_no_claim_to_its_name(shop: Shop) -> None:
    shop.install("sample", SelectorPlugin("installed"))
    given = [Named("sample", SelectorPlugin("given"))]
    with pytest.raises(PluginError, match="has the name of another plugin"):
        shop.manager(plugins=given).load()
    names = loaded(shop.manager(load=(), plugins=given)).build_registry().names("selector")
    assert "given" in names and "installed" not in names


def test_a_third_party_replaces_a_built_in_and_the_listing_says_so(shop: Shop) -> None:
    shop.install("sample", SelectorPlugin("least-connections"))
    manager = loaded(shop.manager())
    assert isinstance(manager.build_registry().make("selector", PluginRef("least-connections")), RoundRobin)
    replaced = info(manager, "least-connections").replaced
    assert replaced == (("selector", "least-connections", "sample"),)
    assert info(manager, "sample").replaced == ()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"one", "two"}),
        ({"load": ("*",)}, {"one", "two"}),
        ({"load": ("one",)}, {"one"}),
        ({"load": ()}, set()),
        ({"disabled": ("one",)}, {"two"}),
        ({"load": ("one", "two"), "disabled": ("two",)}, {"one"}),
    ],
)
def test_the_operator_chooses_what_loads(shop: Shop, settings: dict[str, Any], expected: set[str]) -> None:
    for name in ("one", "two"):
        shop.install(name, SelectorPlugin(name))
    manager = loaded(shop.manager(**settings))
    names = set(manager.build_registry().names("selector")) & {"one", "two"}
    assert names == expected
    assert {one.name for one in manager.describe() if one.state == "disabled"} == {"one", "two"} - expected


def test_a_plugin_not_chosen_is_not_even_imported(shop: Shop) -> None:
    def explode() -> object:
        raise AssertionError("imported")

    shop.install("sample", type("Plugin", (), {"__init__": explode}))
    manager = loaded(shop.manager(disabled=("sample",)))
    assert info(manager, "sample").reason == "disabled by the configuration"


def test_any_built_in_can_be_disabled(shop: Shop) -> None:
    manager = loaded(shop.manager(disabled=("round-robin",)))
    assert "round-robin" not in manager.build_registry().names("selector")


def test_files_in_the_table_of_a_plugin_start_at_the_folder_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"")
    received: list[Options] = []

    class Plugin:
        @hookimpl
        def blastbeat_register_options(self, register: RegisterOptions) -> None:
            register({"page": FileContent(10)}, received.append)

    config = Config(file=str(tmp_path / "blastbeat.toml"), plugin_options={"Plugin": {"page": "page.html"}})
    loaded(PluginManager.for_config(config, plugins=[Plugin()]))
    assert received == [{"page": str(tmp_path / "page.html")}]


def test_the_configuration_decides(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text(
        "from blastbeat import hookimpl\n"
        "from blastbeat.plugins.round_robin import RoundRobin\n"
        "@hookimpl\n"
        "def blastbeat_register_selectors(register):\n"
        "    register('ours', lambda options: RoundRobin())\n"
    )
    server = ServerConfig(plugins_load=(), plugins_disabled=("identity",), plugins_files=("rules.py",))
    config = Config(server=server, file=str(tmp_path / "blastbeat.toml"))
    manager = loaded(PluginManager.for_config(config, plugins=[SelectorPlugin("given")]))
    registry = manager.build_registry()
    assert {"ours", "given"} <= set(registry.names("selector"))
    assert "identity" not in registry.names("node-authenticator")
    assert info(manager, "rules").origin == str(tmp_path / "rules.py")


class Counting:
    """Declares what it was made with."""

    def __init__(self, **counters: str) -> None:
        self.counters = counters

    @hookimpl
    def blastbeat_register_counters(self, register: RegisterCounter) -> None:
        for name, meaning in self.counters.items():
            register(f"counting.{name}", meaning)


def test_counters_are_declared(shop: Shop) -> None:
    shop.install("counting", Counting(a="one", b="two"))
    assert loaded(shop.manager()).counters == {"counting.a": "one", "counting.b": "two"}


class CountingBroken(Counting):
    @hookimpl
    def blastbeat_register_selectors(self, register: Register) -> None:
        raise RuntimeError("no selector")


def test_a_broken_plugin_counts_nothing(shop: Shop) -> None:
    shop.install("counting", CountingBroken(a="one"))
    manager = shop.manager()
    assert manager.load(strict=False) and manager.counters == {}


def test_a_counter_under_another_plugins_name_names_the_plugin(shop: Shop) -> None:
    shop.install("other", Counting(a="one"))
    with pytest.raises(PluginError, match=r"plugin 'other': declares the counter 'counting\.a'"):
        shop.manager().load()
    manager = shop.manager()
    assert manager.load(strict=False) and manager.counters == {}


# ---------------------------------------------------------------- what is wrong


class Misspelt:
    @hookimpl
    def blastbeat_register_selector(self, register: Register) -> None: ...


class WrongArgument:
    @hookimpl
    def blastbeat_register_selectors(self, registry: Register) -> None: ...


class Asynchronous:
    @hookimpl
    async def blastbeat_server_started(self, view: ServerView) -> None: ...


class NoFactory:
    @hookimpl
    def blastbeat_register_filters(self, register: Any) -> None:
        register("limits", None)


class NoName:
    @hookimpl
    def blastbeat_register_filters(self, register: Any) -> None:
        register("", RoundRobin)


def exit_on_import() -> None:
    sys.exit(3)


BROKEN: Mapping[str, tuple[object, str]] = {
    "raises": (Broken(), "RuntimeError: out of luck"),
    "misspelt": (Misspelt(), "did you mean 'blastbeat_register_selectors'"),
    "wrong-argument": (WrongArgument(), "takes (registry), but is called with (register)"),
    "async": (Asynchronous(), "`async def`"),
    "no-factory": (NoFactory(), "factory of the filter 'limits' must be callable"),
    "no-name": (NoName(), "name of a filter must be a text"),
    "exits": (type("Exits", (), {"__init__": lambda self: exit_on_import()}), "SystemExit: 3"),
    "conflict": (SelectorPlugin("first-comer"), "plugin 'a-first'"),
    "twice": (SelectorPlugin("same", "same"), "selector 'same' twice"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_keeps_the_server_from_starting_and_is_named(shop: Shop, name: str) -> None:
    shop.install("a-first", SelectorPlugin("first-comer"))
    plugin, wrong = BROKEN[name]
    shop.install(name, plugin)
    with pytest.raises(PluginError) as caught:
        shop.manager().load()
    assert caught.value.plugin == name
    assert f"plugin {name!r}" in str(caught.value) and wrong in str(caught.value)


def test_check_works_with_every_plugin_broken_and_tells_all(shop: Shop) -> None:
    shop.install("a-first", SelectorPlugin("first-comer"))
    for name, (plugin, _) in BROKEN.items():
        shop.install(name, plugin)
    shop.points.append(EntryPoint("missing", "no_such_module_anywhere", "blastbeat"))
    manager = shop.manager()
    problems = manager.load(strict=False)
    for name, (_, wrong) in BROKEN.items():
        [problem] = [one for one in problems if f"plugin {name!r}:" in one.message]
        assert wrong in problem.message and problem.severity == "error"
        broken = info(manager, name)
        assert (broken.state, broken.registered) == ("failed", ()) and wrong in broken.reason
    assert "no_such_module_anywhere" in info(manager, "missing").reason
    registry = manager.build_registry()
    assert "half" not in registry.names("selector"), "a broken plugin is left out whole"
    assert {"first-comer", "round-robin"} <= set(registry.names("selector"))
    assert manager.lifecycle().server_started is not None, "the access log still listens"


def test_a_broken_plugin_that_is_disabled_harms_nobody(shop: Shop) -> None:
    shop.install("raises", Broken())
    loaded(shop.manager(disabled=("raises",)))


def test_two_plugins_of_one_name_are_both_told_of(shop: Shop) -> None:
    shop.install("sample", SelectorPlugin("one"), distribution="first")
    shop.install("sample", SelectorPlugin("two"), distribution="second")
    with pytest.raises(PluginError, match=r"shop_second.*has the name of another.*shop_first"):
        shop.manager().load()
    assert len(shop.manager().load(strict=False)) == 1


def test_a_third_party_may_not_pose_as_a_built_in(shop: Shop) -> None:
    shop.install("round-robin", SelectorPlugin("one"))
    with pytest.raises(PluginError, match="built in"):
        shop.manager().load()


def test_one_object_under_two_names_is_refused(shop: Shop) -> None:
    plugin = SelectorPlugin("one")
    shop.install("a", plugin)
    shop.install("b", plugin)
    with pytest.raises(PluginError, match="is plugin 'a' under another name") as caught:
        shop.manager().load()
    assert caught.value.plugin == "b"


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"none\.py"):
        PluginManager(load=(), files=[tmp_path / "none.py"]).load()


def test_a_file_with_a_mistake_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rules.py"
    path.write_text("def\n")
    with pytest.raises(PluginError, match=r"plugin 'rules': .*rules\.py.*SyntaxError"):
        PluginManager(load=(), files=[path]).load()


@pytest.mark.parametrize("key", ["load", "disabled"])
def test_a_name_nobody_has_is_an_error_of_the_configuration(shop: Shop, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        shop.manager(**{key: ("round-robbin",)}).load()
    [problem] = caught.value.problems
    assert (problem.section, problem.key, problem.value) == ("plugins", key, "round-robbin")
    assert problem.hint == "did you mean 'round-robin'?" and "least-connections" in problem.message


def test_what_a_plugin_had_declared_that_does_not_take_its_options_is_withheld(shop: Shop) -> None:
    class Policy:
        @hookimpl
        def blastbeat_register_options(self, register: RegisterOptions) -> None:
            register({}, lambda options: None)
            register.tables("plan", {}, lambda tables: None)

    shop.install("policy", Policy())
    manager = shop.manager(options={"policy": {"fiel": "usage"}})
    assert len(manager.load(strict=False)) == 1
    declared = manager.config().declared
    assert (declared.tables, declared.withheld) == ({}, {"plan"})
