"""A server that has it, with nodes that speak JSON: bodies, WebSockets, retry, and what is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import blastbeat_json_encoder
from blastbeat.testing.node_request import HOLD, Answer, Head, NodeRequest

README = Path(__file__).parents[1] / "README.md"


def read_head(text: bytes) -> Head:
    """For the scripted node: how many bytes follow, and what is asked for."""
    told = json.loads(text)
    return Head(
        told["method"],
        told["path"],
        told["target"].partition("?")[0].encode("latin-1"),
        told["query"].encode("latin-1"),
        [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told["headers"]],
        told["version"],
        told["scheme"],
        (told["server_name"], told["server_port"]),
        (told["remote_addr"], told["remote_port"] or 0),
        told["script_name"],
        None if told["chunked"] else told["content_length"] or 0,
        told["websocket"],
    )


def send_head(request: NodeRequest, status: int, headers: object = (), **more: object) -> None:
    request.send("json", json.dumps({"status": status, "headers": headers or {}, **more}).encode())


def with_length(request: NodeRequest) -> Answer:
    """All of the request's body back, in JSON's terms."""
    body = bytes(request.body)
    send_head(request, 200, {"Content-Length": len(body), "X-Method": request.method}, reason="Fine")
    request.send_body(body)
    return HOLD


@pytest.fixture
def serve(blastbeat_server: Any) -> Any:
    def start(**vhost: object) -> Any:
        return blastbeat_server(
            plugins={"json-encoder": blastbeat_json_encoder},
            toml={"vhost": {"*": {"request-encoder": "json", **vhost}}},
        )

    return start


@pytest.fixture
def node(blastbeat_node: Any) -> Any:
    def start(answers: Any = with_length, **options: Any) -> Any:
        return blastbeat_node(answers, read_head={"json": read_head}, **options)

    return start


def told(request: NodeRequest) -> Mapping[str, Any]:
    assert request.type == "json"
    head: Mapping[str, Any] = json.loads(request.raw_head)
    return head


def test_requests_of_a_persistent_connection(serve: Any, node: Any, blastbeat_client: Any) -> None:
    serve()
    app, client = node(), blastbeat_client()
    for body in (b"", b"abc", b"\0\xff" * 40_000):
        response = client.post("/caf%C3%A9?a=b", body)
        assert (response.status, response.reason, response.body) == (200, "Fine", body)
        assert response["x-method"] == "POST"
        head = told(app.wait_request())
        assert (head["path"], head["query"], head["content_length"]) == ("/caf\xc3\xa9", "a=b", len(body))
    assert len({request.sid for request in app.requests}) == 1
    assert client.request("HEAD", "/").body == b""
    assert client.get("/").status == 200


def test_bytes_that_are_no_utf_8(serve: Any, node: Any, blastbeat_client: Any) -> None:
    def odd(request: NodeRequest) -> Answer:
        value = dict(told(request)["headers"])["x-odd"]
        send_head(request, 200, [["X-Odd", value], ["X-Odd", "Z\xfc"], ["Content-Length", 0]])
        return HOLD

    serve()
    node(odd)
    response = blastbeat_client().get("/", {"X-Odd": '\xff\xe9"\\'})
    assert response.all("x-odd") == ['\xff\xe9"\\', "Z\xfc"]


def test_bodies_of_unknown_length_both_ways(serve: Any, node: Any, blastbeat_client: Any) -> None:
    def in_pieces(request: NodeRequest) -> Answer:
        send_head(request, 200)
        for piece in (b"one", bytes(request.body), b""):
            request.send_chunk(piece)
        return HOLD

    serve()
    app, client = node(in_pieces), blastbeat_client()
    client.send_request("POST", "/", {"Transfer-Encoding": "chunked"})
    client.send(b"3\r\ntwo\r\n6\r\n, and \r\n0\r\n\r\n")
    assert client.read_response().body == b"onetwo, and "
    assert told(app.wait_request())["chunked"] is True


def test_an_early_hint_is_not_the_response(serve: Any, node: Any, blastbeat_client: Any) -> None:
    def hint(request: NodeRequest) -> Answer:
        send_head(request, 103, {"Link": "</a.css>"})
        return with_length(request)

    serve()
    node(hint)
    assert blastbeat_client().post("/", b"x").status == 200


def test_other_notations_of_heads_go_together(serve: Any, node: Any, blastbeat_client: Any) -> None:
    serve()
    node(b"in the type headers")
    assert blastbeat_client().get("/").body == b"in the type headers"


# ---------------------------------------------------------------- WebSockets


@pytest.mark.parametrize("words", ["", "accept binary"], ids=["server accepts", "node accepts"])
def test_websockets(serve: Any, node: Any, blastbeat_client: Any, words: str) -> None:
    serve()
    name = "app/1" if words else "app"
    app = node(name=name, words=words)
    client = blastbeat_client()
    if words:
        client.send_request("GET", "/chat", HANDSHAKE)
        request = app.wait_request()
        assert told(request)["websocket"] is True
        send_head(request, 101, {"Upgrade": "websocket"})
        assert b"101" in client.read(12)
        request.send_end()
        request.wait_end()
    else:
        websocket = client.websocket("/chat")
        websocket.send("caf\xe9")
        assert websocket.receive() == "caf\xe9"
        assert told(app.wait_request())["websocket"] is True
        websocket.close()


HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_a_node_refuses_a_handshake(serve: Any, node: Any, blastbeat_client: Any) -> None:
    serve()
    app = node(name="app/1", words="accept")
    client = blastbeat_client()
    client.send_request("GET", "/chat", HANDSHAKE)
    request = app.wait_request()
    send_head(request, 403, {"Content-Length": 2})
    request.send_body(b"no")
    response = client.read_response()
    assert (response.status, response.body) == (403, b"no")


# ---------------------------------------------------------------- retry, faults


def test_a_retry_is_told_again_to_the_next(serve: Any, node: Any, blastbeat_client: Any) -> None:
    def retry(request: NodeRequest) -> Answer:
        request.retry()
        return HOLD

    serve(node=["one", "two"], selector="first")
    one, two = node(retry, name="one"), node(name="two")
    response = blastbeat_client().post("/", b"kept")
    assert (response.status, response.body) == (200, b"kept")
    assert one.wait_request().raw_head == two.wait_request().raw_head


@pytest.mark.parametrize(
    "head", [b"{", b'{"status":200,"body":"x"}', b'{"status":200,"headers":{"A":"b\\r\\nC: d"}}'], ids=str
)
def test_a_malformed_head_is_a_502(serve: Any, node: Any, blastbeat_client: Any, head: bytes) -> None:
    def malformed(request: NodeRequest) -> Answer:
        request.send("json", head)
        return HOLD

    server = serve()
    app = node(malformed)
    assert blastbeat_client().get("/").status == 502
    app.wait_request().wait_end()
    assert "json: " in server.wait_exchanges(1)[0].detail


def test_a_second_head_cuts_the_response(serve: Any, node: Any, blastbeat_client: Any) -> None:
    def twice(request: NodeRequest) -> Answer:
        send_head(request, 200)
        request.send_chunk("begun")
        send_head(request, 200)
        return HOLD

    serve()
    node(twice)
    client = blastbeat_client()
    client.send_request("GET", "/")
    assert b"begun" in (received := client.read_to_end()) and not received.endswith(b"0\r\n\r\n")


# ---------------------------------------------------------------- beside the type uwsgi

TARGETS = ["/", "/a%20b/%C3%A9?q=/%20", "/%zz/%2f;x=1", "/a/../b//c", "/%00%ff"]


@pytest.mark.parametrize("path_info", ["decoded", "raw"])
def test_it_says_what_the_type_uwsgi_says(
    blastbeat_server: Any, node: Any, blastbeat_client: Any, path_info: str
) -> None:
    common = {"node": ["app"], "path-info": path_info}
    blastbeat_server(
        plugins=[blastbeat_json_encoder],
        toml={
            "vhost": {
                "json.test": {"request-encoder": "json", **common},
                "uwsgi.test": {"request-encoder": "uwsgi", **common},
            }
        },
    )
    app = node()
    for target in TARGETS:
        both = []
        for virtualhost in ("json.test", "uwsgi.test"):
            client = blastbeat_client(virtualhost=virtualhost)
            assert client.get(target, {"X-Forwarded-For": "203.0.113.9", "A_B": "dropped"}).status == 200
            client.close()
            both.append(app.wait_request())
        json_, uwsgi = told(both[0]), both[1].variables
        keys = ("path", "target", "query", "method", "remote_addr", "script_name")
        names = ("PATH_INFO", "REQUEST_URI", "QUERY_STRING", "REQUEST_METHOD", "REMOTE_ADDR", "SCRIPT_NAME")
        assert [json_[key] for key in keys] == [uwsgi[name] for name in names]
        fields = {f"HTTP_{name.upper().replace('-', '_')}" for name, _ in json_["headers"]}
        assert fields == {name for name in uwsgi if name.startswith("HTTP_")}


# ---------------------------------------------------------------- the README


def test_the_node_of_the_readme_serves(serve: Any, blastbeat_client: Any, tmp_path: Path) -> None:
    found = re.search(r"^```python node\.py\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None and len(found[1].splitlines()) <= 20
    (tmp_path / "node.py").write_text(found[1])
    server = serve()
    with subprocess.Popen([sys.executable, str(tmp_path / "node.py"), server.endpoint, "app"]) as process:
        try:
            server.wait_node("app")
            response = blastbeat_client().get("/caf%C3%A9")
            assert (response.status, response.text) == (200, "GET /caf\xe9\n")
        finally:
            process.kill()


def test_the_readme_names_every_key(serve: Any, node: Any, blastbeat_client: Any) -> None:
    serve()
    app = node()
    blastbeat_client().get("/")
    section = README.read_text().partition("## Request\n")[2].partition("## Response\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(told(app.wait_request()))
