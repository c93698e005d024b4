"""docs/how-to/write-*.md, a page for each kind of plugin, run as a reader would: its configuration is good,
and the page's own tests pass, one of which runs a server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from blastbeat.cli import main
from tests.helpers.source_tree import ROOT

HOW_TO = ROOT / "docs" / "how-to"
PAGES = [
    "extend-the-configuration",
    "write-a-driver",
    "write-a-filter",
    "write-a-selector",
    "write-an-authenticator",
    "write-an-encoder",
]

# More than one takes: a machine with other work needs long to start a server for each.
pytestmark = pytest.mark.timeout(120)

BLOCK = re.compile(r"^```(\w+) ([\w.-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(page: str) -> str:
    return (HOW_TO / f"{page}.md").read_text(encoding="utf-8")


def write(page: str, folder: Path) -> None:
    """The files that a page shows."""
    for kind, name, text in BLOCK.findall(read(page)):
        if kind != "console":
            (folder / name).write_text(text)


@pytest.mark.parametrize("page", PAGES)
def test_the_configuration_is_good(page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(page, tmp_path)
    assert main(["check", str(tmp_path / "blastbeat.toml")]) == 0, capsys.readouterr()


def test_the_tests_of_the_pages_pass(tmp_path: Path) -> None:
    """In one run of pytest, which starts slowly."""
    tests = []
    for page in PAGES:
        write(page, tmp_path)
        tests += re.findall(r"^\$ python -m pytest (\S+)$", read(page), re.MULTILINE)
        assert "test_on_a_server" in (tmp_path / tests[-1]).read_text()
    assert len(tests) == len(PAGES)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *tests, "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_overview_leads_to_each_page() -> None:
    for place in (HOW_TO / "write-a-plugin.md", ROOT / "docs" / "index.md"):
        text = place.read_text(encoding="utf-8")
        assert not [name for name in PAGES if f"{name}.md" not in text], place
