"""Fixtures for tests that run the real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A place for one server, its nodes and its clients; all closed and checked at the end."""
    stage = Stage(tmp_path)
    try:
        yield stage
    finally:
        stage.close()
