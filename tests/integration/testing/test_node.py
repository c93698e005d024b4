"""Tests of `blastbeat.testing.node`: what a scripted node answers, holds, streams, and how it dies."""

from __future__ import annotations

import pytest

from blastbeat.testing import HOLD, NodeRequest
from blastbeat.testing.pytest_plugin import OpenClient, StartNode, StartServer


def test_one_that_was_told_nothing_says_what_came(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    blastbeat_server()
    node = blastbeat_node()
    assert blastbeat_client().post("/a?b", "body").text == "POST /a?b body"
    chunked = [("Transfer-Encoding", "chunked")]
    assert blastbeat_client().post("/", b"2\r\nhi\r\n0\r\n\r\n", chunked).text == "POST / hi"
    assert [bytes(request.body) for request in node.requests] == [b"body", b"hi"]


def test_answers_of_a_table_and_of_a_function(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    blastbeat_server()
    node = blastbeat_node({"/a": (201, "a", [("X-A", "1")]), "/f": lambda request: request.headers["x-b"]})
    response = blastbeat_client().get("/a")
    assert (response.status, response["x-a"], response.text) == (201, "1", "a")
    assert blastbeat_client().get("/f", {"X-B": "2"}).text == "2"
    node.answers = 204
    assert blastbeat_client().get("/a").status == 204


def test_one_that_holds_and_streams(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    blastbeat_server()
    node, client = blastbeat_node(HOLD), blastbeat_client()
    client.send_request("GET")
    request = node.wait_request()
    request.send_head(200, [("X-A", "1")])
    assert client.read_head()["X-A"] == "1"
    request.send_chunk("a")
    assert client.read_chunk() == b"a"
    request.send_chunk(b"")
    assert client.read_chunk() == b""
    client.close()
    request.wait_end()


def test_websocket_messages(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    blastbeat_server()
    node = blastbeat_node(words="", on_message=lambda request, message: message.upper() or None)
    websocket = blastbeat_client().websocket("/chat")
    websocket.send("hi")
    assert websocket.receive() == b"HI"
    request = node.wait_request()
    assert request.is_websocket and request.wait_message() == b"hi"
    request.send_message("by itself")
    assert websocket.receive() == "by itself"
    request.send_end("1001 bye")
    assert websocket.wait_close() == 1001 and websocket.close_reason == "bye"


def test_one_that_dies_and_comes_back(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    server = blastbeat_server()
    node, client = blastbeat_node(HOLD), blastbeat_client()
    client.send_request("GET")
    node.wait_request()
    node.die()
    assert client.read_response().status == 502
    server.wait_node_down("app")
    node.answers = "back"
    node.restart()
    assert client.get().text == "back"


def test_one_that_drains(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    server = blastbeat_server(toml={"vhost": {"*": {"node": ["app", "other"]}}})
    blastbeat_node("old").drain()
    server.wait_node_down("app")
    blastbeat_node("new", name="other")
    assert blastbeat_client().get().text == "new"


def test_what_a_function_of_the_test_raises_fails_the_test(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    def answer(request: NodeRequest) -> str:
        raise LookupError("the test's own mistake")

    blastbeat_server()
    node = blastbeat_node(answer)
    assert blastbeat_client().get().status == 502
    with pytest.raises(LookupError, match="own mistake"):
        node.close()


def test_one_that_is_not_expected(blastbeat_server: StartServer, blastbeat_node: StartNode) -> None:
    server = blastbeat_server()
    blastbeat_node(name="stranger", wait=False)
    server.wait_counter("messages.dropped.unknown-node")
