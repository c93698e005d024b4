"""docs/how-to/write-*.md, a page for each kind of plugin, run as a reader would: its configuration is good,
and the page's own tests pass, one of which runs a server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.source_tree import ROOT

HOW_TO = ROOT / "docs" / "how-to"
PAGES = [
    "extend-the-configuration",
    "write-a-filter",
    "write-a-selector",
    "write-an-authenticator",
    "write-an-encoder",
]
BLOCK = re.compile(r"^```(\w+) ([\w.-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return (HOW_TO / f"{request.param}.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(page: str, tmp_path: Path) -> Path:
    for kind, name, text in BLOCK.findall(page):
        if kind != "console":
            (tmp_path / name).write_text(text)
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_page_is_as_it_says(page: str, folder: Path) -> None:
    run(folder, "-m", "blastbeat", "check", "blastbeat.toml")
    (test,) = re.findall(r"^\$ python (-m pytest \S+)$", page, re.MULTILINE)
    printed = run(folder, *test.split(), "-q", "-W", "error", "-p", "no:cacheprovider")
    assert "test_on_a_server" in page and re.search(r"\b[1-9]\d* passed", printed), printed


def test_an_overview_leads_to_each_page() -> None:
    for place in (HOW_TO / "write-a-plugin.md", ROOT / "docs" / "index.md"):
        text = place.read_text(encoding="utf-8")
        assert not [name for name in PAGES if f"{name}.md" not in text], place
