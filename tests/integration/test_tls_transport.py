"""TLS in front of HTTP: names, certificates, clients that do not speak it, and both directions."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.helpers.client import RawClient
from tests.helpers.node import ScriptedNode
from tests.helpers.server import RunningServer
from tests.helpers.tls import client_context, connect, write_authority, write_certificate

Context = zmq.Context[zmq.Socket[bytes]]


@pytest.fixture
def zmq_context() -> Iterator[Context]:
    context: Context = zmq.Context()
    yield context
    context.destroy(0)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


def configuration(folder: Path, *more: str) -> Path:
    a, b = (write_certificate(folder, name) for name in ("a.test", "b.test"))
    path = folder / "tls.toml"
    path.write_text(
        f"""
[blastbeat]
bind-ssl = "127.0.0.1:0"
zmq = "tcp://127.0.0.1:*"
[vhost."a.test"]
node = "app"
certificate = "{a}"
[vhost."b.test"]
node = "app"
certificate = "{b}"
{chr(10).join(more)}
"""
    )
    return path


def ask(client: ssl.SSLSocket, host: str, target: str = "/") -> None:
    client.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())


def read(client: ssl.SSLSocket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = client.recv(65536)
        assert piece, data[-100:]
        data += piece
    return data


def test_two_virtualhosts_on_one_port(tmp_path: Path, zmq_context: Context) -> None:
    server = RunningServer(configuration(tmp_path))
    node = ScriptedNode(zmq_context, server.endpoint, "app")
    for name in ("a.test", "b.test"):
        with connect(server.port, name) as client:
            assert client.selected_alpn_protocol() is None
            ask(client, name)
            request = node.expect_request()
            assert request["HTTPS"] == "on" and request["REQUEST_SCHEME"] == "https"
            node.send(request.sid, "headers", HEAD % 2)
            node.send(request.sid, "body", b"ok")
            data = b""
            while not data.endswith(b"\r\n\r\nok"):
                data += read(client, 1)
        node.expect_end(request.sid)
    node.close()
    server.stop()
    assert server.counters["tls.handshakes"] == 2


def test_a_megabyte_each_way(tmp_path: Path, zmq_context: Context) -> None:
    server = RunningServer(configuration(tmp_path))
    node = ScriptedNode(zmq_context, server.endpoint, "app")
    body = bytes(range(256)) * 4096
    with connect(server.port, "a.test") as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        request = node.expect_request()
        assert node.expect_body(request.sid, len(body)) == body
        node.send(request.sid, "headers", HEAD % len(body))
        node.send(request.sid, "body", body)
        assert read(client, len(HEAD % len(body)) - 2 + len(body)).endswith(body)
    node.close()
    server.stop()


def test_plain_http_is_told_where_to_go(tmp_path: Path, zmq_context: Context) -> None:
    server = RunningServer(configuration(tmp_path))
    client = RawClient(server.port)
    client.get("/", host="a.test")
    response = client.read_response()
    assert response.status == 400 and b"https://a.test" in response.body
    client.expect_eof()
    client.close()
    server.stop()
    assert server.counters["tls.failed.plain-http"] == 1


def test_old_versions_are_refused(tmp_path: Path, zmq_context: Context) -> None:
    server = RunningServer(configuration(tmp_path))
    context = client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        connect(server.port, "a.test", context)
    server.wait_counter("tls.failed.version")
    server.stop()


def test_client_certificates(tmp_path: Path, zmq_context: Context) -> None:
    ca = write_authority(tmp_path)
    more = f'client-ca = "{ca}"\nclient-verify = "required"'
    server = RunningServer(configuration(tmp_path, more))
    node = ScriptedNode(zmq_context, server.endpoint, "app")
    with connect(server.port, "b.test", client_context(certificate="alice@test")) as client:
        ask(client, "b.test")
        request = node.expect_request()
        node.send(request.sid, "headers", HEAD % 0)
        read(client, 10)
    node.expect_end(request.sid)
    with pytest.raises((ssl.SSLError, OSError)), connect(server.port, "b.test") as client:
        ask(client, "b.test")
        read(client, 1)
    server.wait_counter("tls.failed.client-certificate")
    with connect(server.port, "a.test") as client:
        ask(client, "a.test")
        request = node.expect_request()
        node.send(request.sid, "headers", HEAD % 0)
        read(client, 10)
    node.close()
    server.stop()
