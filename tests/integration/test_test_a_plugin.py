"""docs/how-to/test-a-plugin.md, run as a reader would: its files and its commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "test-a-plugin.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+) ([\w.-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = {name: text for kind, name, text in BLOCK.findall(PAGE) if kind == "python"}
COMMANDS = {name: text for kind, name, text in BLOCK.findall(PAGE) if kind == "console"}


def run(folder: Path, name: str) -> int:
    """The number of tests that a command of the page passes; all must."""
    for file, text in PYTHON.items():
        (folder / file).write_text(text)
    prompt, python, *arguments = COMMANDS[name].split()
    assert (prompt, python) == ("$", "python")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *arguments, "-p", "no:cacheprovider"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return int(re.findall(r"(\d+) passed", done.stdout)[-1])


@pytest.mark.timeout(90)
def test_ten_lines_are_as_many_tests_as_it_says(tmp_path: Path) -> None:
    said = re.search(r"Ten lines in `test_contracts.py` are (\d+) tests", PAGE)
    assert said is not None
    assert run(tmp_path, "contracts") == int(said[1])
    assert len(PYTHON["test_contracts.py"].strip().splitlines()) <= 13


@pytest.mark.parametrize(("name", "number"), [("clock", 1), ("server", 4)])
def test_its_tests_pass(name: str, number: int, tmp_path: Path) -> None:
    assert run(tmp_path, name) == number


def test_every_contract_is_named() -> None:
    import blastbeat.testing

    for name in blastbeat.testing.__all__:
        assert not name.endswith("Contract") or f"`{name}`" in PAGE, name
