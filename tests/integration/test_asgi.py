"""ASGI without a framework behind a real server and a real node, beside uvicorn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.apps.plain import application, respond
from tests.helpers.asgi_servers import HOST, ApplicationThread, Pair, open_websocket, serving_twice
from tests.helpers.stage import Stage
from tests.helpers.tls import client_context, connect, write_authority, write_certificate


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with serving_twice(application, tmp_path_factory.mktemp("asgi")) as pair:
        pair.server.allow_tracebacks = True  # applications here fail on purpose
        yield pair


def test_the_scope(pair: Pair) -> None:
    target = "/scope/a%20b/%C3%A4%ff?q=%20&a=b"
    headers = {"Cookie": "a=1; b=2", "X-A": "\xe4 b", "X-Empty": "", "Accept": "*/*"}
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    told = json.loads(pair.same("GET", target, headers=raw).content)
    assert told["path"] == "/scope/a b/\u00e4\ufffd" and told["raw_path"] == "/scope/a%20b/%C3%A4%ff"
    assert told["state"] == {"greeting": "hello"} and told["client"] == "127.0.0.1"


def test_what_a_client_repeats_is_joined(pair: Pair) -> None:
    headers = [("Host", "app.test"), ("X-A", "1"), ("X-A", "2"), ("Cookie", "a=1"), ("Cookie", "b=2")]
    told = httpx.get(f"http://{pair.ours}/scope", headers=headers, trust_env=False).json()
    assert ["x-a", "1, 2"] in told["headers"] and ["cookie", "a=1; b=2"] in told["headers"]


def chunks() -> Iterator[bytes]:
    for number in range(20):
        yield b"%d" % number * 1000


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("POST", "/echo", {"content": b""}),
        ("POST", "/echo", {"content": b"hello"}),
        ("POST", "/echo", {"content": bytes(3_000_000)}),
        ("PUT", "/echo", {"content": b"x" * 70_000}),
        ("GET", "/echo", {}),
        ("HEAD", "/echo", {}),
        ("GET", "/pieces", {}),
        ("HEAD", "/pieces", {}),
        ("GET", "/sized-pieces", {}),
        ("HEAD", "/sized-pieces", {}),
        ("GET", "/cookies", {}),
        ("OPTIONS", "/cookies", {}),
        ("DELETE", "/cookies", {}),
        ("POST", "/unread", {"content": b"x" * 100_000}),
        *(("GET", f"/status/{status}", {}) for status in (200, 201, 204, 302, 304, 404, 418, 500, 503)),
    ],
)
def test_the_same_as_uvicorn(pair: Pair, method: str, path: str, options: Any) -> None:
    pair.same(method, path, **options)


def test_an_upload_of_unknown_length(pair: Pair) -> None:
    ours, theirs = pair.request("POST", "/echo", content=b"".join(chunks()))
    assert ours.content == theirs.content
    with httpx.Client(trust_env=False) as client:
        answer = client.post(f"http://{pair.ours}/echo", headers=HOST, content=chunks())
    assert answer.content == ours.content and answer.headers["x-size"] == ours.headers["x-size"]


@pytest.mark.parametrize("path", ["/fails", "/returns", "/wrong-header"])
def test_failures_before_the_response(pair: Pair, path: str) -> None:
    if path == "/wrong-header":  # uvicorn's head is half gone then
        answer = httpx.get(f"http://{pair.ours}{path}", headers=HOST, trust_env=False)
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    else:
        assert pair.same("GET", path).status_code == 500


def test_a_failure_within_the_response_is_noticed(pair: Pair) -> None:
    for address in (pair.ours, pair.theirs):
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"http://{address}/fails-late", headers=HOST, trust_env=False)


# ---------------------------------------------------------------- WebSockets


@pytest.fixture(params=["ours", "theirs"])
def address(pair: Pair, request: pytest.FixtureRequest) -> str:
    return str(getattr(pair, request.param))


def test_messages_both_ways(address: str) -> None:
    with open_websocket(address, subprotocols=["a", "b"]) as websocket:
        assert websocket.subprotocol == "b"
        assert websocket.response is not None and websocket.response.headers["x-a"] == "1"
        for message in ("h\u00e9", "", b"\xff\x00", b"utf-8", "x" * 100_000, bytes(200_000)):
            websocket.send(message)
            assert websocket.recv() == message


@pytest.mark.parametrize(("text", "code", "reason"), [("close", 4001, "as you like"), ("fail", None, None)])
def test_closed_by_the_application(address: str, text: str, code: Any, reason: Any) -> None:
    with open_websocket(address) as websocket:
        websocket.send(text)
        with pytest.raises(ConnectionClosed) as caught:
            websocket.recv()
    if code is not None:
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (code, reason)


def test_an_application_that_fails_closes_with_1011(pair: Pair) -> None:
    with open_websocket(pair.ours) as websocket:
        websocket.send("fail")
        with pytest.raises(ConnectionClosed) as caught:
            websocket.recv()
    assert caught.value.rcvd is not None and caught.value.rcvd.code == 1011


@pytest.mark.parametrize(("path", "status", "body"), [("/refuse", 403, b""), ("/refuse-with", 410, b"gone")])
def test_refused(address: str, path: str, status: int, body: bytes) -> None:
    with pytest.raises(InvalidStatus) as caught:
        open_websocket(address, path)
    assert (caught.value.response.status_code, caught.value.response.body or b"") == (status, body)


# ---------------------------------------------------------------- what the server's configuration changes


@pytest.mark.parametrize("encoder", ["uwsgi", "headers"])
def test_a_route_that_cuts_off_a_prefix(stage: Stage, encoder: str) -> None:
    route = {"node": "app", "strip-prefix": True, "request-encoder": encoder}
    server = stage.serve(vhost={"route": {"/shop": route}})
    with ApplicationThread(server.endpoint, application) as node:
        node.wait_up(server)
        address = f"http://127.0.0.1:{server.port}"
        told = httpx.get(f"{address}/shop/scope/%20?q", headers=HOST, trust_env=False).json()
    assert told["root_path"] == "/shop" and told["path"] == "/shop/scope/ "
    assert told["raw_path"] == "/shop/scope/%20" and told["query"] == "q" and told["client"] == "127.0.0.1"


def test_where_the_server_accepts_handshakes_a_refusal_is_a_close(stage: Stage) -> None:
    server = stage.serve(vhost={"websocket-accept": "server"})
    with ApplicationThread(server.endpoint, application) as node:
        node.wait_up(server)
        address = f"127.0.0.1:{server.port}"
        for path, code in (("/refuse", 1008), ("/refuse-with", 1008)):
            with open_websocket(address, path) as websocket, pytest.raises(ConnectionClosed) as caught:
                websocket.recv()
            assert caught.value.rcvd is not None and caught.value.rcvd.code == code
        with open_websocket(address) as websocket:
            websocket.send("h\u00e9")
            assert websocket.recv() == "h\u00e9"


def test_tls_and_the_clients_certificate(stage: Stage, tmp_path: Path) -> None:
    asks = {"client-ca": str(write_authority(tmp_path)), "client-verify": "optional"}
    certificate = str(write_certificate(tmp_path, "app.test"))
    server = stage.serve({"bind": None, "bind-ssl": "127.0.0.1:0", "certificate": certificate}, asks)
    scopes: list[Any] = []

    async def keep(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await respond(send, b"ok")

    with ApplicationThread(server.endpoint, keep) as node:
        node.wait_up(server)
        for shown in ("alice@app.test", ""):
            connection = connect(server.port, "app.test", client_context(certificate=shown))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            assert answer.endswith(b"ok")
            connection.close()
    alice, nobody = (scope for scope in scopes if scope["type"] == "http")
    assert alice["scheme"] == "https" and "CN=alice" in alice["extensions"]["tls"]["client_cert_name"]
    assert nobody["extensions"]["tls"]["client_cert_name"] is None
