"""Fixtures for tests that run the real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.helpers.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A place for one server, its nodes and its clients; all closed and checked at the end."""
    from tests.helpers.stage import (
        Stage,
    )  # only here: a server that can't be imported fails its own tests only

    stage = Stage(tmp_path)
    try:
        yield stage
    finally:
        stage.close()
