"""Where things are: each source file has a test file of its own, and each test file a source file."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.helpers.contrib import CONTRIB, Distribution, distributions
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


# ---------------------------------------------------------------- plugins-contrib


@pytest.mark.parametrize("distribution", distributions(), ids=lambda found: found.name)
def test_each_distribution_of_a_plugin_is_complete(distribution: Distribution) -> None:
    assert (distribution.folder / "README.md").is_file()
    for name in ("__init__.py", "py.typed"):
        assert (distribution.source / name).is_file(), f"{distribution.name} has no {name}"
    assert list((distribution.folder / "tests").glob("test_*.py")), f"{distribution.name} has no tests"
    project = distribution.project
    assert project["name"] == distribution.name
    assert "blastbeat" in distribution.required
    assert "blastbeat[testing]" in {
        line.partition(">")[0] for line in project["optional-dependencies"]["test"]
    }
    short = distribution.name.removeprefix("blastbeat-")
    assert list(distribution.entry_points) == [short], f"its plugin is called {short}, as its folder says"
    index = (CONTRIB / "README.md").read_text(encoding="utf-8")
    assert f"]({distribution.name}" in index, f"plugins-contrib/README.md has no link to {distribution.name}"


@pytest.mark.parametrize("distribution", distributions(), ids=lambda found: found.name)
def test_each_distribution_of_a_plugin_can_be_tested_in_its_own_folder(distribution: Distribution) -> None:
    options = distribution.pyproject["tool"]["pytest"]["ini_options"]
    assert "--import-mode=importlib" in options["addopts"]
    assert options["pythonpath"] == ["src", "tests"] and options["testpaths"] == ["tests"]
    assert options["filterwarnings"] == ["error"]


def test_files_of_tests_of_plugins_have_names_of_their_own() -> None:
    """mypy reads all of them in one run, where they are modules without a package; and so no conftest.py."""
    names = Counter(path.name for path in CONTRIB.glob("*/tests/**/*.py"))
    assert {name for name, count in names.items() if count > 1 or name == "conftest.py"} == set()


def test_mypy_finds_the_sources_of_each_distribution_of_a_plugin() -> None:
    mypy = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    missing = {f"plugins-contrib/{found.name}/src" for found in distributions()} - set(mypy["mypy_path"])
    assert not missing, f"add to mypy_path in pyproject.toml: {', '.join(sorted(missing))}"
