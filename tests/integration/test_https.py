"""Virtualhosts on one TLS port: 421, what nodes hear of client certificates, and redirects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import zmq

from tests.helpers.client import RawClient
from tests.helpers.node import ScriptedNode
from tests.helpers.server import RunningServer
from tests.helpers.settings import configuration
from tests.helpers.tls import client_context, connect, write_authority, write_certificate
from tests.helpers.websocket import WebSocketClient

Context = zmq.Context[zmq.Socket[bytes]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def zmq_context() -> Iterator[Context]:
    context: Context = zmq.Context()
    yield context
    context.destroy(0)


def start(folder: Path, server: Mapping[str, object], b: Mapping[str, object]) -> RunningServer:
    hosts: dict[str, Mapping[str, object]] = {
        "a.test": {"node": "app", "alias": "www.a.test"},
        "b.test": {"node": "app", **b},
    }
    path = folder / "https.toml"
    settings = {"certificate": str(write_certificate(folder, "a.test", "www.a.test", "b.test")), **server}
    text = configuration(settings, vhosts=hosts)
    if "bind-ssl" in settings:
        text = text.replace('"bind" = "127.0.0.1:0"\n', "")
    path.write_text(text)
    return RunningServer(path)


def test_a_connection_is_for_one_virtualhost(tmp_path: Path, zmq_context: Context) -> None:
    server = start(tmp_path, {"bind-ssl": "127.0.0.1:0"}, {})
    node = ScriptedNode(zmq_context, server.endpoint, "app")
    with connect(server.port, "a.test") as client, client.makefile("rb") as lines:
        for target in (b"/ HTTP/1.1\r\nHost: b.test", b"http://b.test/ HTTP/1.1\r\nHost: a.test"):
            client.sendall(b"GET " + target + b"\r\n\r\n")
            assert lines.readline() == b"HTTP/1.1 421 Misdirected Request\r\n"
            while lines.readline() != b"\r\n":
                pass
            assert lines.readline() == b"421 Misdirected Request\n"
            assert lines.readline() == b"\n" and b"a.test" in lines.readline()
        client.sendall(b"GET https://www.a.test/x HTTP/1.1\r\nHost: b.test\r\n\r\n")
        request = node.expect_request()
        assert request["HTTP_HOST"] == "www.a.test" and request["REQUEST_URI"] == "/x"
        assert request["HTTPS"] == "on"
        node.send(request.sid, "headers", OK)
        assert lines.readline() == b"HTTP/1.1 200 OK\r\n"
    node.close()
    server.stop()
    assert server.counters["answers.421"] == 2


def test_what_a_node_hears_of_a_client(tmp_path: Path, zmq_context: Context) -> None:
    asks = {"client-ca": str(write_authority(tmp_path)), "client-verify": "optional"}
    server = start(tmp_path, {"bind-ssl": "127.0.0.1:0"}, asks)
    node = ScriptedNode(zmq_context, server.endpoint, "app")
    ask = b"GET / HTTP/1.1\r\nHost: b.test\r\nSSL-Client-S-DN: forged\r\nSSL_CLIENT_VERIFY: SUCCESS\r\n\r\n"
    for context, verified in (
        (client_context(certificate="alice@test"), "SUCCESS"),
        (client_context(), "NONE"),
    ):
        with connect(server.port, "b.test", context) as client:
            client.sendall(ask)
            request = node.expect_request()
            assert request["SSL_CLIENT_VERIFY"] == verified
            assert ("CN=alice" in request["SSL_CLIENT_S_DN"]) is (verified == "SUCCESS")
            assert "forged" not in request["SSL_CLIENT_S_DN"]
            node.send(request.sid, "headers", OK)
            assert client.recv(4096)
        node.expect_end(request.sid)
    node.close()
    server.stop()


def test_a_plain_client_is_sent_to_https(tmp_path: Path) -> None:
    server = start(tmp_path, {"https-redirect": True}, {})
    client = RawClient(server.port)
    client.get("/x?y=z", host="a.test:8080")
    response = client.read_response()
    assert response.status == 301
    assert ("Location", "https://a.test/x?y=z") in response.headers
    client.close()
    websocket = WebSocketClient(RawClient(server.port))
    websocket.ask("/chat", host="a.test")
    refused = websocket.raw.read_response()
    assert refused.status == 301 and ("Location", "https://a.test/chat") in refused.headers
    websocket.close()
    server.stop()
