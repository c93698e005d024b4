"""Tests of `blastbeat.hookspecs`: each hook has a contract and a place, and its page is up to date."""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pluggy
import pytest

import blastbeat
from blastbeat import hookspecs
from blastbeat.lifecycle import NOTICES
from blastbeat.registry import KINDS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
HOOKS: dict[str, Callable[..., object]] = {
    name: value for name, value in vars(hookspecs).items() if name.startswith(hookspecs.PREFIX)
}


def test_the_hooks_are_those_of_registration_and_the_notices() -> None:
    registration = {f"register_{kind.replace('-', '_')}s" for kind in KINDS}
    others = {"register_options", "register_counters", "register_commands", "examine_config"}
    expected = {*registration, *others, *NOTICES}
    assert {name.removeprefix(hookspecs.PREFIX) for name in HOOKS} == expected


@pytest.mark.parametrize("name", HOOKS)
def test_each_is_a_plain_function_with_one_argument_and_a_contract(name: str) -> None:
    hook = HOOKS[name]
    assert inspect.isfunction(hook) and not inspect.iscoroutinefunction(hook)
    argument = "register" if "register" in name else "config" if "examine" in name else "view"
    assert list(inspect.signature(hook).parameters) == [argument]
    contract = inspect.getdoc(hook) or ""
    fields = re.findall(r"^([A-Z]\w+): \S", contract, re.MULTILINE)
    assert fields == ["Called", "Blocking", "Failure"], "each begins a line, in this order"


def test_pluggy_takes_the_module_as_it_is() -> None:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    assert all(getattr(manager.hook, name).has_spec() for name in HOOKS)


def test_the_package_hands_out_the_marker() -> None:
    assert blastbeat.hookimpl is hookspecs.hookimpl


def test_the_reference_page_is_not_stale() -> None:
    expected = load_generator().page()
    page = (REFERENCE / "hooks.md").read_text(encoding="utf-8")
    assert page == expected, "run: python docs/reference/make_hooks.py"
    assert all(f"`{name}(" in page for name in HOOKS)


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_hooks", REFERENCE / "make_hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
