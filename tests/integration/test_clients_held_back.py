"""Clients that leave while nothing is read from them, because their node takes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blastbeat.events import CloseReason
from tests.helpers.client import RawClient
from tests.helpers.stage import Stage


@pytest.mark.parametrize("way", [RawClient.close, RawClient.reset, RawClient.half_close])
def test_leaves_while_its_upload_is_held_back(stage: Stage, way: Callable[[RawClient], None]) -> None:
    """The node hears of it although the client's FIN stands behind data that nobody takes."""
    server = stage.serve()
    node, client = stage.node("app/1", "credit=1000"), stage.client()
    node.expect("ping"), node.expect("credit")
    body = b"x" * 200_000
    client.send(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000000\r\n\r\n" + body)
    sid = node.expect_request().sid
    node.expect("body", sid)
    way(client)
    assert node.expect_end(sid).body == b"client-left"
    assert server.wait_exchanges(1)[0].reason is CloseReason.CLIENT_LEFT
