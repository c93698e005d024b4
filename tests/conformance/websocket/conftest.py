"""One server for all the cases of a table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.stage import Stage
from tests.helpers.websocket_cases import EchoServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EchoServer]:
    stage = Stage(tmp_path_factory.mktemp("echo"))
    try:
        yield EchoServer(stage, **{"websocket-compression": "deflate"})
    finally:
        stage.close()
