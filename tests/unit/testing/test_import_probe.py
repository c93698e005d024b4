"""Tests of `blastbeat.testing.import_probe`: what a module does while it is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastbeat.testing.import_probe import probe


def test_a_module_that_only_defines_is_silent() -> None:
    assert probe("blastbeat.plugins.limits") == ""


def test_all_it_does_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "busy.py"
    path.write_text(
        "import sqlite3\nsqlite3.connect(':memory:').close()\nopen(__file__ + 'x', 'w').close()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = probe("busy").splitlines()
    assert found[0] == "importing busy opens a database"
    assert found[1].startswith("importing busy writes to ") and "busy.pyx" in found[1]
