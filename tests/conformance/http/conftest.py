"""One server for all the cases of a table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.probe import Probe
from tests.helpers.stage import Stage


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    stage = Stage(tmp_path_factory.mktemp("probe"))
    try:
        yield Probe(stage)
    finally:
        stage.close()
