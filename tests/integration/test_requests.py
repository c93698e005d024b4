"""`protocol.md` §3, §5: how a request head reaches the node, in both encodings."""

from __future__ import annotations

import pytest

from tests.helpers.client import request_head
from tests.helpers.node import NodeRequest
from tests.helpers.stage import Stage

HOP_BY_HOP = [
    ("Connection", "keep-alive, X-Hop"),
    ("Keep-Alive", "timeout=5"),
    ("Proxy-Connection", "keep-alive"),
    ("TE", "gzip"),
    ("Trailer", "X-Later"),
    ("Upgrade", "h2c"),
    ("X-Hop", "mine"),
]


def forwarded(stage: Stage, raw: bytes) -> NodeRequest:
    """The head as the node got it; the exchange is finished."""
    node, client = stage.node(), stage.client()
    client.send(raw)
    request = node.expect_request()
    node.respond(request.sid)
    assert client.read_response().status == 200
    return request


def forwarded_headers(stage: Stage, raw: bytes) -> tuple[str, list[tuple[str, str]]]:
    """Request line and fields of a head that was forwarded as `headers`."""
    node, client = stage.node(), stage.client()
    client.send(raw)
    message = node.expect("headers")
    text = message.body.decode("latin-1")
    assert text.endswith("\r\n\r\n") and text.count("\r\n\r\n") == 1
    first, *lines = text[:-4].split("\r\n")
    fields = [(name.lower(), value) for name, value in (line.split(": ", 1) for line in lines)]
    node.respond(message.sid)
    assert client.read_response().status == 200
    return first, fields


def test_cgi_variables(stage: Stage) -> None:
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get("/a%20b/c?x=1&y=%20", headers=[("Content-Type", "text/x"), ("User-Agent", "raw/1")])
    request = node.expect_request()
    expected = {
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "/a%20b/c?x=1&y=%20",
        "PATH_INFO": "/a b/c",
        "QUERY_STRING": "x=1&y=%20",
        "SCRIPT_NAME": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "app.test",
        "SERVER_PORT": str(server.port),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": str(client.local_port),
        "REQUEST_SCHEME": "http",
        "CONTENT_TYPE": "text/x",
        "HTTP_HOST": "app.test",
        "HTTP_USER_AGENT": "raw/1",
    }
    assert {name: request.variables.get(name) for name in expected} == expected
    assert not {"HTTPS", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & set(request.variables)
    node.respond(request.sid)
    assert client.read_response().status == 200


def test_repeated_headers_are_joined(stage: Stage) -> None:
    stage.serve()
    headers = [("X-A", "1"), ("Cookie", "a=1"), ("X-B", "z"), ("X-A", "2"), ("Cookie", "b=2")]
    request = forwarded(stage, request_head(headers=headers))
    assert request["HTTP_X_A"] == "1, 2"
    assert request["HTTP_COOKIE"] == "a=1; b=2"
    assert request["HTTP_X_B"] == "z"


def test_underscore_and_proxy_headers_are_dropped(stage: Stage) -> None:
    stage.serve()
    headers = [("X_Forged", "1"), ("Proxy", "evil:1"), ("X-Fine", "1"), ("X-Fine_", "2")]
    request = forwarded(stage, request_head(headers=headers))
    assert "HTTP_X_FORGED" not in request and "HTTP_PROXY" not in request
    assert request["HTTP_X_FINE"] == "1" and "HTTP_X_FINE_" not in request


def test_hop_by_hop_fields_are_dropped(stage: Stage) -> None:
    stage.serve()
    request = forwarded(stage, request_head(headers=HOP_BY_HOP))
    dropped = {"HTTP_" + name.upper().replace("-", "_") for name, _ in HOP_BY_HOP}
    assert not dropped & set(request.variables)


def test_headers_encoding(stage: Stage) -> None:
    stage.serve(vhost={"request-encoder": "headers"})
    extra = [*HOP_BY_HOP, ("X_Forged", "1"), ("Proxy", "evil:1"), ("X-Fine", "a"), ("Content-Type", "text/x")]
    first, fields = forwarded_headers(stage, request_head("/a%20b?x=1", headers=extra))
    assert first == "GET /a%20b?x=1 HTTP/1.1"
    assert [value for name, value in fields if name == "host"] == ["app.test"]
    assert ("x-fine", "a") in fields and ("content-type", "text/x") in fields
    names = {name for name, _ in fields}
    assert not names & {name.lower() for name, _ in (*HOP_BY_HOP, ("X_Forged", ""), ("Proxy", ""))}


def test_headers_encoding_is_written_anew(stage: Stage) -> None:
    """Never the client's bytes: absolute form, odd spacing and HTTP/1.0 come out plain."""
    stage.serve(vhost={"request-encoder": "headers"})
    raw = b"GET http://app.test/x?y HTTP/1.1\r\nHost: other.test\r\nX-Odd:\t  v  \r\n\r\n"
    first, fields = forwarded_headers(stage, raw)
    assert first == "GET /x?y HTTP/1.1"
    assert [value for name, value in fields if name == "host"] == ["app.test"]
    assert ("x-odd", "v") in fields


def test_headers_encoding_of_an_old_request(stage: Stage) -> None:
    stage.serve(vhost={"request-encoder": "headers"})
    first, _ = forwarded_headers(stage, request_head(version="1.0"))
    assert first == "GET / HTTP/1.1"


@pytest.mark.parametrize("encoder", ["uwsgi", "headers"])
def test_forwarding_fields_of_a_stranger_are_replaced(stage: Stage, encoder: str) -> None:
    stage.serve(vhost={"request-encoder": encoder})
    forged = [
        ("X-Forwarded-For", "6.6.6.6"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.test"),
        ("X-Forwarded-Server", "evil.test"),
        ("X-Real-IP", "6.6.6.6"),
        ("Forwarded", "for=6.6.6.6"),
    ]
    raw = request_head(headers=forged)
    if encoder == "uwsgi":
        variables = forwarded(stage, raw).variables
        fields = [
            (name[5:].lower().replace("_", "-"), value)
            for name, value in variables.items()
            if name.startswith("HTTP_")
        ]
        assert variables["REMOTE_ADDR"] == "127.0.0.1"
        assert variables["REQUEST_SCHEME"] == "http"
    else:
        fields = forwarded_headers(stage, raw)[1]
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    assert values["x-forwarded-for"] == ["127.0.0.1"]
    assert values["x-forwarded-proto"] == ["http"]
    assert values["x-forwarded-host"] == ["app.test"]
    assert len(values["x-request-id"]) == 1 and values["x-request-id"][0]
    assert not {"forwarded", "x-real-ip", "x-forwarded-server"} & set(values)


def test_trusted_proxy_sets_the_remote_address(stage: Stage) -> None:
    stage.serve({"trusted-proxies": ["127.0.0.1", "10.0.0.0/8"]})
    headers = [("X-Forwarded-For", "6.6.6.6, 203.0.113.9, 10.1.2.3"), ("X-Forwarded-Proto", "https")]
    request = forwarded(stage, request_head(headers=headers))
    assert request["REMOTE_ADDR"] == "203.0.113.9"
    assert request["REQUEST_SCHEME"] == "https"
    assert "203.0.113.9" in request["HTTP_X_FORWARDED_FOR"]
    assert request["HTTP_X_FORWARDED_PROTO"] == "https"


def test_request_ids_differ(stage: Stage) -> None:
    stage.serve()
    node, client = stage.node(), stage.client()
    identifiers = set()
    for _ in range(3):
        client.get()
        request = node.expect_request()
        identifiers.add(request["HTTP_X_REQUEST_ID"])
        node.respond(request.sid)
        client.read_response()
    assert len(identifiers) == 3


def test_path_info_raw(stage: Stage) -> None:
    stage.serve(vhost={"path-info": "raw"})
    assert forwarded(stage, request_head("/a%20b?q"))["PATH_INFO"] == "/a%20b"


def test_path_info_is_decoded_bytes(stage: Stage) -> None:
    stage.serve()
    request = forwarded(stage, request_head("/%C3%A4%2F%00%ff"))
    assert request["PATH_INFO"] == "/\xc3\xa4/\x00\xff"


def test_absolute_form_replaces_host(stage: Stage) -> None:
    stage.serve()
    request = forwarded(stage, b"GET http://APP.test/x?y=1 HTTP/1.1\r\nHost: other.test\r\n\r\n")
    assert request["REQUEST_URI"] == "/x?y=1"
    assert request["HTTP_HOST"].lower() == "app.test"


def test_options_asterisk(stage: Stage) -> None:
    stage.serve()
    request = forwarded(stage, request_head("*", method="OPTIONS"))
    assert request["REQUEST_METHOD"] == "OPTIONS"
    assert request["PATH_INFO"] == "*"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "PROPFIND", "X-ODD!"])
def test_any_method_is_forwarded(stage: Stage, method: str) -> None:
    stage.serve()
    assert forwarded(stage, request_head(method=method))["REQUEST_METHOD"] == method


def test_http_1_0_request(stage: Stage) -> None:
    stage.serve(vhosts={"*": {"node": "app"}})
    node, client = stage.node(), stage.client()
    client.send(b"GET /old HTTP/1.0\r\n\r\n")
    request = node.expect_request()
    assert request["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert request["REQUEST_URI"] == "/old"
    node.respond(request.sid, b"x")
    assert client.read_response().body == b"x"
    client.expect_eof()
    node.expect_end(request.sid)


def test_head_that_does_not_fit_uwsgi(stage: Stage) -> None:
    """The format's lengths are 16 bits; the node of a request that was refused hears nothing of it."""
    stage.serve({"max-head": "200KiB"})
    node, client = stage.node(), stage.client()
    client.get(headers=[("X-Long", "x" * 70_000)])
    assert client.read_response().status == 431
    stage.expect_nothing(node)


def test_empty_lines_before_a_request(stage: Stage) -> None:
    """RFC 9112 §2.2: a server should ignore at least one empty line before the request line."""
    stage.serve()
    assert forwarded(stage, b"\r\n\r\n" + request_head("/late"))["REQUEST_URI"] == "/late"
