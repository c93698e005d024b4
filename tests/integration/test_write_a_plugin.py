"""docs/how-to/write-a-plugin.md, run as a reader would: its files, its commands, what it says they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from blastbeat.new_plugin import KINDS, derive_names
from blastbeat.new_plugin.writing import render
from tests.helpers.stage import Stage

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "write-a-plugin.md"
BLOCK = re.compile(r"^```(\w+) ([\w.-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(*kinds: str) -> dict[str, str]:
    return {name: text for kind, name, text in BLOCK.findall(PAGE.read_text("utf-8")) if kind in kinds}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in blocks("python", "toml").items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(folder: Path, name: str) -> str:
    """What a command of the page prints; it must succeed."""
    prompt, program, *arguments = blocks("console")[name].split()
    assert prompt == "$"
    command = {"blastbeat": [sys.executable, "-m", "blastbeat"], "python": [sys.executable]}[program]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_one_that_works_is_made(folder: Path) -> None:
    assert "blastbeat-overflow is made" in run(folder, "new-plugin")
    assert (folder / "blastbeat-overflow" / "blastbeat.toml").is_file()


def test_the_page_tells_what_each_kind_does() -> None:
    page = PAGE.read_text("utf-8")
    for kind in KINDS:
        names = derive_names("overflow", kind)
        summary = tomllib.loads(render(names, 2026)["pyproject.toml"])["project"]["description"]
        row = re.search(rf"^\| `{kind}` \| (.*) \|$", page, re.MULTILINE)
        assert row is not None and summary.lower().startswith(row[1].split(",")[0].lower()), kind


def test_the_configuration_is_good(folder: Path) -> None:
    run(folder, "check")


def test_the_listing_shows_it(folder: Path) -> None:
    assert blocks("text")["plugins"] in run(folder, "plugins")


def test_its_tests_pass(folder: Path) -> None:
    assert re.search(r"\b[1-9]\d passed", run(folder, "test"))


def test_it_serves(folder: Path, stage: Stage) -> None:
    tables = {"plugins": {"files": [str(folder / "quiet.py")]}}
    stage.serve(vhost={"selector": "quiet most=1000"}, tables=tables)
    stage.exchange(stage.node(), stage.client())


def test_a_wrong_option_is_explained(folder: Path) -> None:
    path = folder / "blastbeat.toml"
    path.write_text(path.read_text().replace("most = 100000", 'most = "lots"'))
    with pytest.raises(AssertionError, match="a number of bytes, such as 65536"):
        run(folder, "check")


def test_the_entry_point_names_the_module(folder: Path) -> None:
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["blastbeat"] == {"quiet": "quiet"}
