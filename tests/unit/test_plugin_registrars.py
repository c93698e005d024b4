"""Tests of `blastbeat.plugin_registrars`: nonsense is refused when it is registered."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.errors import PluginError
from blastbeat.plugin_registrars import Command, command_adder, registrar
from blastbeat.plugin_sources import Source
from blastbeat.registry import Registration

SOURCE = Source("sample", "a file", "1.0", lambda: None)


def make(options: object) -> object:
    return options


def test_factories_are_noted_with_their_owner() -> None:
    found: list[Registration] = []
    registrar("filter", SOURCE, found)("x", make, options={"a": str})
    assert found == [Registration("filter", "x", make, "sample", "a file", False, {"a": str})]


@pytest.mark.parametrize(("name", "factory"), [("", make), (None, make), ("x", 5)])
def test_nonsense_is_refused(name: Any, factory: Any) -> None:
    with pytest.raises(TypeError, match="must be"):
        registrar("filter", SOURCE, [])(name, factory)


def test_a_command_has_one_owner() -> None:
    found: dict[str, Command] = {}
    command_adder("one", found)("go", lambda arguments: 0, summary="goes")
    with pytest.raises(PluginError, match="as plugin 'one' does"):
        command_adder("two", found)("go", lambda arguments: 1)
    assert found["go"].summary == "goes"
