"""The documentation says everything there is, and nothing that is not."""

from __future__ import annotations

import argparse
import ast
import re
import runpy
from pathlib import Path

import pytest

from blastbeat import __version__, cli
from blastbeat.arguments import COMMANDS, build_parser
from blastbeat.config.options import PLUGINS_KEYS, ROUTE_KEYS, SERVER_KEYS, VIRTUALHOST_KEYS
from blastbeat.counters import COUNTERS
from blastbeat.plugin_manager import PluginManager
from tests.helpers.contrib import distributions
from tests.helpers.source_tree import ROOT, parse, source_modules

REFERENCE = ROOT / "docs" / "reference"
KINDS_OF_PAGES = {"tutorial", "how-to", "reference", "explanation"}
PAGES = sorted(
    path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


def reference(name: str) -> str:
    path = REFERENCE / name
    assert path.is_file(), f"write {path.relative_to(ROOT)}"
    return path.read_text(encoding="utf-8")


def id_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


# ---------------------------------------------------------------- reference pages are complete


def hook_specifications() -> dict[str, str]:
    """Each hook by name with its arguments as written."""
    found = {}
    for node in parse(source_modules()["blastbeat.hookspecs"]).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("blastbeat_"):
            found[node.name] = ast.unparse(node.args)
    return found


@pytest.mark.parametrize(("hook", "arguments"), hook_specifications().items())
def test_each_hook_is_documented_with_its_signature(hook: str, arguments: str) -> None:
    assert f"`{hook}({arguments})`" in reference("hooks.md")


def test_no_other_hook_is_documented() -> None:
    assert set(re.findall(r"\bblastbeat_[a-z_]+(?=\()", reference("hooks.md"))) <= set(hook_specifications())


@pytest.mark.parametrize("key", sorted({*SERVER_KEYS, *VIRTUALHOST_KEYS, *ROUTE_KEYS, *PLUGINS_KEYS}))
def test_each_key_of_the_configuration_is_documented(key: str) -> None:
    assert f"`{key}`" in reference("configuration.md")


def message_types() -> list[str]:
    manager = PluginManager(discover=list)
    manager.load()
    return sorted({*manager.build_registry().names("encoder"), "ping", "spawn"})


@pytest.mark.parametrize("name", message_types())
def test_each_message_type_is_documented(name: str) -> None:
    assert f"| `{name}`" in reference("protocol.md")


@pytest.mark.parametrize(("name", "meaning"), COUNTERS.items())
def test_each_counter_is_documented(name: str, meaning: str) -> None:
    assert f"| `{name}` | {meaning} |" in reference("counters.md")


def test_no_other_counter_is_documented() -> None:
    assert set(re.findall(r"^\| `([^`]+)` \|", reference("counters.md"), re.MULTILINE)) == set(COUNTERS)


def test_the_page_of_metrics_is_the_one_that_is_made() -> None:
    folder = str(REFERENCE)
    page = runpy.run_path(f"{folder}/make_metrics.py")["page"]()
    assert reference("metrics.md") == page


def test_the_page_of_node_options_is_the_one_that_is_made() -> None:
    page = runpy.run_path(f"{REFERENCE}/make_node_options.py")["page"]()
    assert reference("node-options.md") == page


def command_parsers(parser: argparse.ArgumentParser | None = None) -> dict[str, argparse.ArgumentParser]:
    """By its words; a command that has commands of its own is told by those."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in (parser or build_parser())._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                inner = command_parsers(command)
                found |= {f"{name} {word}": each for word, each in inner.items()} or {name: command}
    return found


def section(page: str, heading: str) -> str:
    """The text under a heading, up to the next one of its level."""
    match = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert match is not None, f"no heading {heading!r}"
    return match[1]


@pytest.mark.parametrize("name", command_parsers())
def test_each_command_is_documented_with_its_options(name: str) -> None:
    page = reference("cli.md")
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    heading = next(heading for heading in headings if heading.startswith(f"`blastbeat {name}"))
    general = section(page, "Options of every command")
    options = {option for action in command_parsers()[name]._actions for option in action.option_strings}
    for option in sorted(options):
        assert f"`{option}" in section(page, heading) + general, f"{name} {option}"


def test_each_exit_code_is_documented() -> None:
    codes = {cli.OK, cli.FAILED, cli.USAGE, cli.NOT_STARTED, cli.BAD_CONFIG}
    rows = re.findall(r"^\| (\d+) \|", section(reference("cli.md"), "Exit codes"), re.MULTILINE)
    assert set(map(int, rows)) == codes


# ---------------------------------------------------------------- requirements and their tests

REQUIREMENTS = re.findall(r"^\| (?!section|case|---)(.*) \|$", reference("http-conformance.md"), re.MULTILINE)


def functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", [row for row in REQUIREMENTS if row.count(" | ") == 3])
def test_each_requirement_names_tests_that_exist(row: str) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", row.rpartition(" | ")[2])
    assert named, "name the test that shows it"
    for file, function in named:
        path = ROOT / "tests" / file
        assert path.is_file() and function in functions(path), f"{file}::{function}"


def test_each_row_of_requirements_is_one() -> None:
    assert {row.count(" | ") for row in REQUIREMENTS} == {2, 3}  # where we differ; requirements


# ---------------------------------------------------------------- what pages say holds


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_makefile_stays_small() -> None:
    assert len(targets()) <= 11


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_commands_that_pages_show_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```(?:sh|console|bash)\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    code += "\n" + "\n".join(re.findall(r"`((?:make|blastbeat) [^`]+)`", text))
    for target in re.findall(r"^(?:\$ )?make ([a-z]+)\b", code, re.MULTILINE):
        assert target in targets(), f"make {target}"
    for argument in re.findall(r"^(?:\$ )?blastbeat ([^\s`]+)", code, re.MULTILINE):
        of_plugins = {name for each in distributions() for name in each.entry_points}
        known = argument in COMMANDS or argument in of_plugins or argument.startswith(("-", "<"))
        assert known or argument.endswith((".ini", ".toml")) or argument.isupper(), f"blastbeat {argument}"


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, fragment = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if fragment:
            assert fragment in anchors(target), link


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_each_page_has_its_kind_and_is_listed() -> None:
    docs = ROOT / "docs"
    index = docs / "index.md"
    linked = {(docs / link.partition("#")[0]).resolve() for link in LINK.findall(index.read_text())}
    for page in docs.rglob("*.md"):
        if page != index:
            assert page.relative_to(docs).parts[0] in KINDS_OF_PAGES, id_of(page)
            assert page.resolve() in linked, f"docs/index.md does not link {id_of(page)}"


def test_the_version_is_told_once() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert f'\nversion = "{__version__}"\n' in project
    assert re.search(
        rf"^## (\[?{re.escape(__version__)}|\[?Unreleased)", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
