"""Configuration texts to problems and models, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from blastbeat.config import examine
from blastbeat.config.model import Config
from blastbeat.errors import Problem

Examine = Callable[..., tuple[Config | None, list[Problem]]]


@pytest.fixture
def examine_text(tmp_path: Path) -> Examine:
    """Writes a text to a file and examines it."""

    def run(
        text: str, name: str = "test.toml", environ: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[Config | None, list[Problem]]:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return examine(path, environ=environ or {}, **options)

    return run
