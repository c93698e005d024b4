"""What plugins build on changes only on purpose: the list of all public names is up to date, and where it
differs from that of the last release, the version says so."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

import pytest

from blastbeat import API_VERSION
from tests.helpers.source_tree import ROOT

REFERENCE = ROOT / "docs" / "reference"
AGAIN = "run: python docs/reference/make_api.py"


def script(name: str) -> ModuleType:
    sys.path.insert(0, str(REFERENCE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(REFERENCE))


make_api: Any = script("make_api")
public_api: Any = script("public_api")


def test_the_list_is_up_to_date() -> None:
    assert (REFERENCE / "api.txt").read_text(encoding="utf-8") == make_api.listing(), AGAIN


def test_the_page_is_up_to_date() -> None:
    page = (REFERENCE / "plugin-api.md").read_text(encoding="utf-8")
    assert page == script("make_plugin_api").page(), AGAIN


def test_the_version_says_what_has_changed_since_the_last_release() -> None:
    released = REFERENCE / "api-released.txt"
    if released.exists():
        before, now = released.read_text(encoding="utf-8"), make_api.listing()
        needed = make_api.needed_version(before, now)
        broken = "\n".join(make_api.breaches(before, now)) or "there is more than before"
        assert needed <= API_VERSION, f"blastbeat.API_VERSION must be {needed}:\n{broken}"
    else:
        assert API_VERSION == (1, 0), "the first release has the first version"


@pytest.mark.parametrize("each", public_api.all_names(), ids=lambda each: f"{each.module}.{each.name}")
def test_each_public_class_and_function_says_what_it_is_for(each: Any) -> None:
    if each.kind in ("class", "function"):
        assert each.doc, f"{each.module}.{each.name} has no docstring"


# ---------------------------------------------------------------- what a change demands

BEFORE = """\
plugin API 1.4
blastbeat.hookspecs.blastbeat_hook(view: View) -> None
blastbeat.views.View @dataclass(slots=True)
blastbeat.views.View.one: int
blastbeat.views.View.two: str = ''
blastbeat.views.View.path -> bytes
blastbeat.interfaces.Selector(Protocol)
blastbeat.interfaces.Selector.select(self, candidates: Any) -> Any
blastbeat.interfaces.LineLog(Protocol)
blastbeat.paths.clean(path: bytes) -> bytes
"""


def changed(*changes: tuple[str, str]) -> str:
    text = BEFORE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def test_nothing_demands_nothing() -> None:
    assert make_api.needed_version(BEFORE, BEFORE) == (1, 4)


CLEAN, TWO = "clean(path: bytes) -> bytes", "blastbeat.views.View.two: str = ''\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("_hook(view: View)", "_hook(view: View, other: int)"),
        ("_hook(view: View)", "_hook(other: int, view: View)"),
        (TWO, f"{TWO}blastbeat.views.View.three: int = 0\n"),
        (CLEAN, "clean(path: bytes, more: int=0) -> bytes"),
        (CLEAN, "clean(path: bytes, *, more: int=0) -> bytes"),
        (CLEAN, f"{CLEAN}\nblastbeat.paths.other() -> None"),
        ("LineLog(Protocol)", "LineLog(Protocol)\nblastbeat.interfaces.LineLog.flush(self) -> None"),
        ("View.path -> bytes", "View.path -> bytes\nblastbeat.views.View.more -> bytes"),
    ],
)
def test_additions_demand_a_minor_version(old: str, new: str) -> None:
    now = changed((old, new))
    assert make_api.breaches(BEFORE, now) == []
    assert make_api.needed_version(BEFORE, now) == (1, 5)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("blastbeat.paths.clean(path: bytes) -> bytes\n", "", "blastbeat.paths.clean is gone"),
        (TWO, "", "blastbeat.views.View.two is gone"),
        ("_hook(view: View)", "_hook(request: View)", "_hook: was"),
        (CLEAN, "clean(path: bytes, more: int) -> bytes", "clean: was"),
        (CLEAN, "clean(path: bytes, *, more: int) -> bytes", "clean: was"),
        (CLEAN, "clean(path: str) -> bytes", "clean: was"),
        (CLEAN, "clean(path: bytes) -> str", "clean: was"),
        (CLEAN, "clean(path: bytes) -> bytes async", "clean: was"),
        (TWO, "blastbeat.views.View.two: int = 0\n", "View.two: was"),
        (TWO, f"blastbeat.views.View.three: int = 0\n{TWO}", "View: its fields have another order"),
        (TWO, f"{TWO}blastbeat.views.View.three: int\n", "View.three has no default"),
        (
            "-> Any\n",
            "-> Any\nblastbeat.interfaces.Selector.more(self) -> None\n",
            "Selector.more is demanded of plugins",
        ),
    ],
)
def test_what_breaks_plugins_demands_a_major_version_and_is_named(old: str, new: str, told: str) -> None:
    now = changed((old, new))
    assert any(told in breach for breach in make_api.breaches(BEFORE, now)), make_api.breaches(BEFORE, now)
    assert make_api.needed_version(BEFORE, now) == (2, 0)


def test_a_list_tells_its_version() -> None:
    assert make_api.version_of(BEFORE) == (1, 4)
    assert make_api.version_of(make_api.listing((3, 12))) == (3, 12)
