"""WSGI applications behind a real server, held to PEP 3333 by wsgiref's validator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse
from wsgiref.validate import validator

from blastbeat.node import Node
from blastbeat.node.wsgi import wsgi_handler
from tests.helpers.stage import Stage
from tests.integration.test_node import running


def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/size":
        size = sum(map(len, iter(lambda: environ["wsgi.input"].read(10_000), b"")))
        start_response("200 Fine", [("Content-Type", "text/plain")])
        return [str(size).encode()]
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"x" * 100_000 for _ in range(100))
    start_response("404 Nothing Here", [("Content-Type", "text/plain"), ("X-Path", path)])
    return [b"hello ", b"world"]


def test_requests(stage: Stage) -> None:
    server = stage.serve()
    handler = wsgi_handler(validator(application), threads=2)
    with running(Node(server.endpoint, "app", handler)):
        server.wait_until(lambda: server.server.figures().instances_up >= 1, "the instance is up")
        client = stage.client()
        for _ in range(3):
            client.get("/%e4")
            response = client.read_response()
            assert response.status == 404 and response.body == b"hello world"
            assert response["X-Path"] == "/\xe4"
        client.get("/stream")
        assert len(client.read_response().body) == 10_000_000
        client.send(
            b"POST /size HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3000000\r\n\r\n" + b"y" * 3_000_000
        )
        assert client.read_response().body == b"3000000"
    assert handler.close(5.0) == 0
