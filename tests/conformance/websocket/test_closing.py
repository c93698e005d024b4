"""RFC 6455 §7: what the node hears of the close handshake. Codes and reasons are in `cases_close`."""

from __future__ import annotations

from tests.helpers.websocket_cases import EchoServer


def test_the_node_hears_code_and_reason(server: EchoServer) -> None:
    client = server.client()
    client.send_text("are you there?")
    client.expect_text("are you there?")
    client.finish(4321, "so long")
    sid = server.node.opened[-1]
    assert server.node.wait_ended(sid) == b"4321 so long"
