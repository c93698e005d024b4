"""Where things are: each source file has a test file of its own, and each test file a source file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.source_tree import ROOT, source_modules

TESTS = ROOT / "tests"

# Sources without a test file of their own, and why.
EXCEPTIONS = {
    "blastbeat.verdicts": "declarations; the tests of filters return them",
    "blastbeat.__main__": "one call; tests/integration start the server by it",
    "blastbeat.client": "declarations; the tests of streams and connections hold both sides to it",
    "blastbeat.transport.context": "declarations; tests of connections make one",
    "blastbeat.config.model": "declarations; the tests of every option read them",
    "blastbeat.config.route_options": "declarations; the tests of building and checking routes read them",
    "blastbeat.config.server_options": "declarations; tests of the table as a whole read them",
    "blastbeat.upgradable": "hands on; the tests of `upgrading` and of connections go through it",
    "blastbeat.transport.client_link": "a base; the tests of both kinds of connections hold it",
    "blastbeat.transport.tls_output": "a base; the tests of the transport hold it",
    "blastbeat.node.worker": "a process; tests/integration/test_workers.py starts it",
    "blastbeat.node.errors": "declarations; the tests of sessions raise them",
    "blastbeat.drivers": "declarations; the tests of drivers hold them to it",
    "blastbeat.config.tls_options": "declarations; tests of the table as a whole read them",
    "blastbeat.config.websocket_options": "declarations; tests of the table as a whole read them",
    "blastbeat.config.virtualhost_options": "declarations; tests of the table as a whole read them",
}

PLACES = ("unit", "plugins", "integration", "property")


def candidates(module: str) -> list[Path]:
    """Where the test file of a module may be: mirrored under one of PLACES."""
    *packages, name = module.split(".")[1:]
    found = [TESTS.joinpath(place, *packages, f"test_{name}.py") for place in PLACES]
    if packages == ["plugins"]:
        found.append(TESTS / "plugins" / f"test_{name}.py")
    if packages and packages[0] in ("transport", "node"):
        found.append(TESTS / "integration" / f"test_{name}.py")
    return found


def modules_to_test() -> list[str]:
    return sorted(name for name, path in source_modules().items() if path.name != "__init__.py")


@pytest.mark.parametrize("module", [name for name in modules_to_test() if name not in EXCEPTIONS])
def test_each_source_file_has_a_test_file(module: str) -> None:
    paths = candidates(module)
    named = " or ".join(str(path.relative_to(ROOT)) for path in paths[:1] + paths[len(PLACES) :])
    assert any(path.is_file() for path in paths), f"{module}: write {named}"


@pytest.mark.parametrize("module", EXCEPTIONS)
def test_exceptions_are_still_needed(module: str) -> None:
    assert module in source_modules(), "the source is gone: drop its line in EXCEPTIONS"
    assert not any(path.is_file() for path in candidates(module)), "it has a test file: drop its line"


def test_each_unit_test_file_has_a_source_file() -> None:
    expected = {path for module in modules_to_test() for path in candidates(module)}
    expected |= {
        TESTS.joinpath("unit", *name.split(".")[1:], "test_init.py")
        for name, path in source_modules().items()
        if path.name == "__init__.py"
    }
    orphans = {path for path in (TESTS / "unit").rglob("test_*.py") if path not in expected}
    assert not {str(path.relative_to(ROOT)) for path in orphans}


def test_no_test_folder_is_a_package() -> None:
    assert not list(TESTS.rglob("__init__.py"))
