"""Configuration texts to problems and models, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blastbeat.config import examine
from blastbeat.config.model import Config
from blastbeat.errors import Problem
from tests.helpers.examine import Examine


@pytest.fixture
def examine_text(tmp_path: Path) -> Examine:
    """Writes a text to a file and examines it, in an empty environment."""

    def run(text: str, name: str = "test.toml", **options: Any) -> tuple[Config | None, list[Problem]]:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return examine(path, environ={}, **options)

    return run
