"""Tests of `blastbeat.plugin_sources`."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import blastbeat
from blastbeat import hookimpl, hookspecs, plugins
from blastbeat.errors import PluginError
from blastbeat.plugin_sources import Named, built_ins, given, installed, local_file, read_hooks

HOOKS = {
    name: ("register",) if "register" in name else ("view",)
    for name in vars(hookspecs)
    if name.startswith(hookspecs.PREFIX)
}


def test_every_built_in_loads_and_is_named_after_its_module() -> None:
    sources = built_ins()
    assert len(sources) == len(plugins.BUILT_INS)
    for source in sources:
        assert source.is_built_in and not source.is_installed
        assert source.version == blastbeat.__version__
        assert read_hooks(source.load(), source.name, HOOKS)
    assert "round-robin" in {source.name for source in sources}


def test_every_file_of_the_plugins_folder_that_has_hooks_is_listed() -> None:
    folder = Path(plugins.__file__).parent
    with_hooks = {path.stem for path in folder.glob("*.py") if "@hookimpl" in path.read_text("utf-8")}
    listed = {value.partition(":")[0].rpartition(".")[2] for value in plugins.BUILT_INS}
    assert listed == with_hooks


def test_installed_plugins_come_in_the_order_of_their_names() -> None:
    points = [EntryPoint(name, f"nowhere.{name}", "blastbeat") for name in ("b", "c", "a")]
    sources = installed(lambda: points)
    assert [(source.name, source.origin, source.version) for source in sources] == [
        ("a", "nowhere.a", ""),
        ("b", "nowhere.b", ""),
        ("c", "nowhere.c", ""),
    ]
    assert all(source.is_installed and not source.is_built_in for source in sources)


def test_a_distribution_gives_its_name_and_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "some_dist-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-dist\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text("[blastbeat]\nsome-plugin = some_module\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    [source] = [source for source in installed() if source.name == "some-plugin"]
    assert (source.origin, source.version) == ("some-dist", "1.5")


def test_nothing_is_imported_before_load(monkeypatch: pytest.MonkeyPatch) -> None:
    [source] = installed(lambda: [EntryPoint("late", "late_module:thing", "blastbeat")])
    module = ModuleType("late_module")
    module.thing = object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "late_module", module)
    assert source.load() is module.thing


def test_a_class_is_made_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("class_module")
    module.Plugin = type("Plugin", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "class_module", module)
    [source] = installed(lambda: [EntryPoint("made", "class_module:Plugin", "blastbeat")])
    first, second = source.load(), source.load()
    assert isinstance(first, module.Plugin) and first is not second


def test_a_malformed_entry_point_is_told() -> None:
    [source] = installed(lambda: [EntryPoint("odd", "not-a-module", "blastbeat")])
    with pytest.raises(ValueError, match="neither `module` nor `module:attribute`"):
        source.load()


def test_a_file_is_a_plugin_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "our_rules.py"
    path.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class Rule:\n"
        "    depth: int = 3\n"
    )
    source = local_file(path)
    assert (source.name, source.origin) == ("our-rules", str(path))
    loaded: Any = source.load()
    assert loaded.Rule().depth == 3
    assert list(tmp_path.iterdir()) == [path], "nothing is written beside the operator's file"


def test_given_plugins_are_named_after_their_class_or_module() -> None:
    class Listener: ...

    sources = given([Listener(), Listener(), sys])
    assert [source.name for source in sources] == ["Listener", "Listener#2", "sys"]
    assert sources[2].load() is sys


def test_a_given_plugin_may_bring_its_name() -> None:
    (source,) = given([Named("tag", sys)])
    assert (source.name, source.load()) == ("tag", sys)


# ---------------------------------------------------------------- the hooks of a plugin


class Good:
    """Hooks by name and by `specname`, and things that are none."""

    blastbeat_number = 3

    @hookimpl
    def blastbeat_node_up(self, view: Any, colour: str = "red") -> None: ...

    @hookimpl(specname="blastbeat_node_down")
    def mourn(self, view: Any) -> None: ...

    def helper(self) -> None: ...


def test_hooks_are_found() -> None:
    assert read_hooks(Good(), "good", HOOKS) == ("blastbeat_node_down", "blastbeat_node_up")
    assert read_hooks(object(), "nothing", HOOKS) == ()


class Misspelt:
    @hookimpl
    def blastbeat_exchange_close(self, view: Any) -> None: ...


class FarOff:
    @hookimpl
    def zzz(self, view: Any) -> None: ...


class Unmarked:
    def blastbeat_node_up(self, view: Any) -> None: ...


class Asynchronous:
    @hookimpl
    async def blastbeat_node_up(self, view: Any) -> None: ...


class Generator:
    @hookimpl
    def blastbeat_node_up(self, view: Any) -> Any:
        yield


class AsyncGenerator:
    @hookimpl
    async def blastbeat_node_up(self, view: Any) -> Any:
        yield


class Wrapper:
    @hookimpl(wrapper=True)
    def blastbeat_node_up(self, view: Any) -> Any:
        return (yield)


class WrongArgument:
    @hookimpl
    def blastbeat_node_up(self, node: Any) -> None: ...


@pytest.mark.parametrize(
    ("plugin", "wrong"),
    [
        (Misspelt(), "no hook blastbeat_exchange_close; did you mean 'blastbeat_exchange_closed'"),
        (FarOff(), "no hook zzz; the hooks are: blastbeat_config_reloaded, "),
        (Unmarked(), "blastbeat_node_up is not marked with @hookimpl"),
        (Asynchronous(), "blastbeat_node_up is `async def`"),
        (AsyncGenerator(), "blastbeat_node_up is `async def`"),
        (Generator(), "blastbeat_node_up is a generator"),
        (WrongArgument(), "blastbeat_node_up takes (node), but is called with (view)"),
        (Wrapper(), "blastbeat_node_up is a wrapper"),
    ],
)
def test_a_hook_that_could_never_work_is_refused(plugin: object, wrong: str) -> None:
    with pytest.raises(PluginError) as caught:
        read_hooks(plugin, "sample", HOOKS)
    assert caught.value.plugin == "sample"
    assert wrong in str(caught.value)
