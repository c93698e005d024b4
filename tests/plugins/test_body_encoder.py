"""The message type `body`."""

from __future__ import annotations

import pytest

from blastbeat.events import NodeData
from tests.helpers.encoders import encoder


@pytest.mark.parametrize("body", [b"", b"payload", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_the_payload_is_handed_on(body: bytes) -> None:
    assert encoder("body").decode(body) == NodeData(body)


def test_nothing_is_copied() -> None:
    view = memoryview(b"payload")
    assert encoder("body").decode(view).data is view
