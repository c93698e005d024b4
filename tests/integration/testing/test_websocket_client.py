"""Tests of `blastbeat.testing.websocket_client`: messages, pings and closes."""

from __future__ import annotations

import pytest

from blastbeat.testing.pytest_plugin import OpenClient, StartNode, StartServer

SIZES = (0, 125, 126, 65535, 65536)


def test_messages_of_every_size_come_back(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    blastbeat_server()
    blastbeat_node()
    websocket = blastbeat_client().websocket("/")
    for size in SIZES:
        websocket.send("x" * size)
        assert websocket.receive() == "x" * size
    websocket.send(b"\xff")
    assert websocket.receive() == b"\xff"
    websocket.ping(b"here?")
    assert websocket.close(1000, "bye") == 1000


def test_protocols_are_offered(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    blastbeat_server(toml={"vhost": {"*": {"websocket-protocols": ["chat"]}}})
    blastbeat_node()
    websocket = blastbeat_client().websocket("/", {"X-A": "1"}, ["other", "chat"])
    assert websocket.response["Sec-WebSocket-Protocol"] == "chat"
    websocket.close()


def test_a_refusal_is_told(blastbeat_server: StartServer, blastbeat_client: OpenClient) -> None:
    blastbeat_server()
    with pytest.raises(AssertionError, match="refused: .*503"):
        blastbeat_client().websocket("/")


def test_a_close_where_a_message_was_expected_is_told(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    blastbeat_server()
    blastbeat_node()
    websocket = blastbeat_client().websocket("/")
    websocket.send_frame(1, b"\xff")
    with pytest.raises(AssertionError, match="1007"):
        websocket.receive()
    assert websocket.wait_close() == 1007
