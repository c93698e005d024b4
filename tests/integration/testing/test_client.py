"""Tests of `blastbeat.testing.client`: a client without a library."""

from __future__ import annotations

import pytest

from blastbeat.testing import HOLD, NodeRequest
from blastbeat.testing.pytest_plugin import OpenClient, StartNode, StartServer


def test_requests_share_a_connection_until_the_server_closes_it(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    server = blastbeat_server()
    blastbeat_node()
    client = blastbeat_client()
    for _ in range(3):
        assert client.get().status == 200
    assert server.counters["connections.accepted"] == 1
    assert client.get(headers={"Connection": "close"}).status == 200
    server.wait_idle()
    assert client.get().status == 200
    assert server.counters["connections.accepted"] == 2


def test_where_it_comes_from(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    blastbeat_server()
    blastbeat_node(lambda request: request.variables["REMOTE_ADDR"])
    assert blastbeat_client(source="127.0.0.7").get().text == "127.0.0.7"


def test_fields_of_a_response(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    blastbeat_server()
    blastbeat_node((200, "x", [("X-A", "1"), ("X-B", "2"), ("X-B", "3")]))
    response = blastbeat_client().get()
    assert response["x-a"] == "1" and response.all("x-b") == ["2", "3"]
    assert "X-C" not in response
    with pytest.raises(KeyError):
        response["X-C"]
    with pytest.raises(AssertionError, match="2 times"):
        response["X-B"]


def test_bodies_however_they_are_framed(
    blastbeat_server: StartServer, blastbeat_node: StartNode, blastbeat_client: OpenClient
) -> None:
    def answer(request: NodeRequest) -> object:
        if request.path == "/length":
            return "length"
        request.send_head()
        request.send_chunk("chu")
        request.send_chunk("nks")
        request.send_chunk("")
        return HOLD

    blastbeat_server()
    blastbeat_node(answer)
    client = blastbeat_client()
    assert client.get("/length").text == "length"
    assert client.get("/chunks").text == "chunks"
    assert client.request("HEAD", "/length").body == b""
    client.send(b"GET /chunks HTTP/1.0\r\nHost: app.test\r\n\r\n")
    assert client.read_response().text == "chunks"


def test_what_never_comes_fails(blastbeat_server: StartServer, blastbeat_client: OpenClient) -> None:
    blastbeat_server()
    client = blastbeat_client(patience=0.05)
    client.send(b"GET / HT")
    with pytest.raises(AssertionError, match="nothing more came"):
        client.read_response()
