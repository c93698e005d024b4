"""Each built-in plugin as a whole, on the contract of registrations; and that none of what they register is
without a contract."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from blastbeat.plugin_manager import PluginManager
from blastbeat.plugin_sources import built_ins
from blastbeat.plugins import BUILT_INS
from blastbeat.testing import RegistrationContract
from blastbeat.testing.contract import Contract

NEEDED: dict[tuple[str, str], dict[str, Any]] = {
    ("filter", "redirect"): {"to": "https://example.org{path}"},
    ("filter", "rewrite"): {"path": "/a", "to": "/b"},
    ("filter", "headers"): {"set": "X-A: 1"},
    ("filter", "answer"): {"body": "hello"},
    ("filter", "limits"): {"requests": "5/s"},
    ("node-authenticator", "address"): {"allow": "10.0.0.0/8"},
    ("request-authenticator", "address"): {"allow": "10.0.0.0/8"},
}
"""The least options of what needs some."""


def contract_of(source: str, name: str) -> type[RegistrationContract]:
    values = {"plugin": source, "plugin_name": name, "options": NEEDED, "__module__": __name__}
    return type(f"Test{name.title().replace('-', '')}", (RegistrationContract,), values)


NAMES = [source.name for source in built_ins()]
CONTRACTS = {name: contract_of(value, name) for name, value in zip(NAMES, BUILT_INS, strict=True)}
globals().update({contract.__name__: contract for contract in CONTRACTS.values()})


def contracts() -> Iterator[type[Contract]]:
    """The classes of this folder that pytest collects."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        name = f"tests.plugins.{path.stem}"
        module = import_module(name) if importlib.util.find_spec(name) else None
        assert module is not None, name
        for _, found in inspect.getmembers(module, inspect.isclass):
            if issubclass(found, Contract) and found.__module__ == name:
                yield found


def registered() -> list[tuple[str, str]]:
    manager = PluginManager(load=())
    manager.load()
    return [(each.kind, each.name) for each in manager.build_registry().registrations()]


@pytest.mark.parametrize(("kind", "name"), registered())
def test_each_is_held_to_the_contract_of_its_kind(kind: str, name: str) -> None:
    covered = {(found.kind, found.name) for found in contracts() if found.plugin is not None}
    assert (kind, name) in covered, f"write a class Test…({kind}'s contract) with plugin, and name = {name!r}"


def test_each_plugin_is_held_to_the_contract_of_registrations() -> None:
    here = {found.plugin_name for found in vars(sys.modules[__name__]).values() if _is_contract(found)}
    assert here - {""} == set(NAMES)


def _is_contract(found: object) -> bool:
    return inspect.isclass(found) and issubclass(found, RegistrationContract)
