"""The message types `websocket` and `websocket-binary`."""

from __future__ import annotations

import pytest

from blastbeat.events import NodeMessage
from tests.helpers.encoders import encoder


@pytest.mark.parametrize("body", [b"", b"text", b"\xff"])
@pytest.mark.parametrize(("name", "is_binary"), [("websocket", False), ("websocket-binary", True)])
def test_the_message_is_handed_on(name: str, is_binary: bool, body: bytes) -> None:
    assert encoder(name).decode(body) == NodeMessage(body, is_binary)


def test_nothing_is_copied() -> None:
    view = memoryview(b"message")
    assert encoder("websocket").decode(view).data is view
