"""The message type `chunk`."""

from __future__ import annotations

import pytest

from blastbeat.events import NodeChunk
from tests.helpers.encoders import encoder


@pytest.mark.parametrize("body", [b"", b"payload", b"5\r\n"])
def test_the_payload_is_handed_on(body: bytes) -> None:
    assert encoder("chunk").decode(body) == NodeChunk(body)


def test_nothing_is_copied() -> None:
    view = memoryview(b"payload")
    assert encoder("chunk").decode(view).data is view
