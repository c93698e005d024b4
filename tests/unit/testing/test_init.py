"""Tests of `blastbeat.testing` as a package: its names resolve, and the reference page has them all."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import blastbeat.testing

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


def test_every_name_resolves() -> None:
    for name in blastbeat.testing.__all__:
        assert getattr(blastbeat.testing, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Contrakt'"):
        _ = blastbeat.testing.Contrakt


def test_what_is_missing_is_named_with_the_extra_that_brings_it() -> None:
    code = "import sys; sys.modules['hypothesis'] = None; from blastbeat.testing import FilterContract"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert "FilterContract needs hypothesis: pip install 'blastbeat[testing]'" in done.stderr


def test_the_reference_is_what_the_docstrings_say() -> None:
    spec = importlib.util.spec_from_file_location("make_testing", REFERENCE / "make_testing.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (REFERENCE / "testing.md").read_text(encoding="utf-8")
    assert module.page() == written, "run python docs/reference/make_testing.py"
