"""`protocol.md` §3 `body`, §6 `Expect`: how request bodies reach the node."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.helpers.client import RawClient, request_head
from tests.helpers.node import NodeRequest, ScriptedNode
from tests.helpers.stage import Stage


class Ends(NamedTuple):
    node: ScriptedNode
    client: RawClient


@pytest.fixture
def ends(stage: Stage) -> Ends:
    stage.serve()
    return Ends(stage.node(), stage.client())


def finish(ends: Ends, request: NodeRequest, body: bytes = b"done") -> None:
    """Answers, and shows by a second exchange that nothing was left on the way to the node."""
    ends.node.respond(request.sid, body)
    assert ends.client.read_response().body == body
    ends.client.get("/after")
    after = ends.node.expect_request(request.sid)
    assert after["REQUEST_URI"] == "/after"
    ends.node.respond(after.sid)
    assert ends.client.read_response().status == 200


def test_body_with_length(ends: Ends) -> None:
    """Exactly the bytes, and no empty closing body: the node counts."""
    ends.client.post(b"hello world")
    request = ends.node.expect_request()
    assert request["CONTENT_LENGTH"] == "11"
    assert "HTTP_TRANSFER_ENCODING" not in request
    assert ends.node.expect_body(request.sid, 11) == b"hello world"
    finish(ends, request)


def test_length_zero(ends: Ends) -> None:
    ends.client.post(b"")
    request = ends.node.expect_request()
    assert request["CONTENT_LENGTH"] == "0"
    finish(ends, request)


def test_chunked_body(ends: Ends) -> None:
    """`Transfer-Encoding: chunked` stays in the head, the coding goes, one empty body closes."""
    ends.client.send_head(method="POST", headers=[("Transfer-Encoding", "chunked")])
    ends.client.send(b"5\r\nhello\r\n1\r\n \r\nA;ext=1\r\nworld12345\r\n0\r\n\r\n")
    request = ends.node.expect_request()
    assert request["HTTP_TRANSFER_ENCODING"] == "chunked"
    assert not request.variables.get("CONTENT_LENGTH")
    assert ends.node.expect_chunked_body(request.sid) == b"hello world12345"
    finish(ends, request)


def test_empty_chunked_body(ends: Ends) -> None:
    ends.client.send_head(method="POST", headers=[("Transfer-Encoding", "chunked")])
    ends.client.send(b"0\r\n\r\n")
    request = ends.node.expect_request()
    assert ends.node.expect_chunked_body(request.sid) == b""
    finish(ends, request)


def test_trailers_and_extensions_are_dropped(ends: Ends) -> None:
    ends.client.send_head(method="POST", headers=[("Transfer-Encoding", "chunked")])
    ends.client.send(b'2;a=b;c="d"\r\nhi\r\n0;last\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n')
    request = ends.node.expect_request()
    assert ends.node.expect_chunked_body(request.sid) == b"hi"
    finish(ends, request)


def test_chunked_body_byte_by_byte(ends: Ends) -> None:
    raw = request_head(method="POST", headers=[("Transfer-Encoding", "chunked")])
    raw += b"5;x\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n"
    for offset in range(len(raw)):
        ends.client.send(raw[offset : offset + 1])
    request = ends.node.expect_request()
    assert ends.node.expect_chunked_body(request.sid) == b"helloyou"
    finish(ends, request)


@pytest.mark.parametrize("chunked", [False, True])
def test_headers_encoding_announces_the_body(stage: Stage, chunked: bool) -> None:
    stage.serve(vhost={"request-encoder": "headers"})
    node, client = stage.node(), stage.client()
    if chunked:
        client.send_head(method="POST", headers=[("Transfer-Encoding", "chunked")])
        client.send(b"2\r\nhi\r\n0\r\n\r\n")
    else:
        client.post(b"hi")
    message = node.expect("headers")
    lines = message.body.lower().split(b"\r\n")
    assert (b"transfer-encoding: chunked" in lines) is chunked
    assert (b"content-length: 2" in lines) is not chunked
    received = node.expect_chunked_body(message.sid) if chunked else node.expect_body(message.sid, 2)
    assert received == b"hi"
    node.respond(message.sid)
    assert client.read_response().status == 200


def test_body_streams(ends: Ends) -> None:
    """Each piece is forwarded as it arrives, not when the body is whole."""
    ends.client.send_head(method="POST", headers=[("Content-Length", "9")])
    request = ends.node.expect_request()
    for piece in (b"one", b"two", b"end"):
        ends.client.send(piece)
        assert ends.node.expect_body(request.sid, 3) == piece
    finish(ends, request)


def test_response_may_begin_before_the_body_is_whole(ends: Ends) -> None:
    """Both directions stream at once."""
    ends.client.send_head(method="POST", headers=[("Transfer-Encoding", "chunked")])
    request = ends.node.expect_request()
    ends.node.send(request.sid, "headers", b"HTTP/1.1 200 OK\r\n\r\n")
    assert ends.client.read_head().status == 200
    for piece in (b"a", b"bc"):
        ends.client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        assert ends.node.expect("body", request.sid).body == piece
        ends.node.send(request.sid, "chunk", piece.upper())
        assert ends.client.read_chunk() == piece.upper()
    ends.client.send(b"0\r\n\r\n")
    assert ends.node.expect("body", request.sid).body == b""
    ends.node.send(request.sid, "chunk")
    assert ends.client.read_chunk() == b""


def test_response_complete_before_the_upload(ends: Ends) -> None:
    """The rest of the upload is still forwarded; the next request waits for its end."""
    ends.client.send_head("/up", method="POST", headers=[("Content-Length", "10")])
    request = ends.node.expect_request()
    ends.client.send(b"12345")
    assert ends.node.expect_body(request.sid, 5) == b"12345"
    ends.node.respond(request.sid, b"enough")
    assert ends.client.read_response().body == b"enough"
    ends.client.send(b"67890" + request_head("/next"))
    assert ends.node.expect_body(request.sid, 5) == b"67890"
    following = ends.node.expect_request(request.sid)
    assert following["REQUEST_URI"] == "/next"
    ends.node.respond(request.sid)
    assert ends.client.read_response().status == 200


def test_upload_beyond_linger_ends_the_session(stage: Stage) -> None:
    stage.serve(vhost={"linger": 1000})
    node, client = stage.node(), stage.client()
    client.send_head(method="POST", headers=[("Content-Length", "100000")])
    request = node.expect_request()
    node.respond(request.sid, b"enough")
    assert client.read_response().body == b"enough"
    client.send(b"x" * 5000)
    while (message := node.receive()).type == b"body":
        pass
    assert (message.type, message.sid) == (b"end", request.sid)
    client.expect_eof()


# ---------------------------------------------------------------- Expect: 100-continue

EXPECT = ("Expect", "100-continue")


def test_expect_continue(ends: Ends) -> None:
    """100 once everything is settled, exactly once; `Expect` is not forwarded."""
    ends.client.send_head(method="POST", headers=[EXPECT, ("Content-Length", "2")])
    assert ends.client.read_head().status == 100
    request = ends.node.expect_request()
    assert "HTTP_EXPECT" not in request
    ends.client.send(b"hi")
    assert ends.node.expect_body(request.sid, 2) == b"hi"
    ends.node.respond(request.sid, b"done")
    response = ends.client.read_response()
    assert (response.status, response.interim) == (200, [])


def test_expect_continue_of_an_old_client(ends: Ends) -> None:
    ends.client.send_head(method="POST", version="1.0", headers=[EXPECT, ("Content-Length", "2")])
    ends.client.send(b"hi")
    request = ends.node.expect_request()
    assert ends.node.expect_body(request.sid, 2) == b"hi"
    ends.node.respond(request.sid, b"done")
    response = ends.client.read_response()
    assert (response.status, response.interim) == (200, [])


def test_unknown_expectation(ends: Ends, stage: Stage) -> None:
    ends.client.send_head(method="POST", headers=[("Expect", "miracles"), ("Content-Length", "2")])
    response = ends.client.read_response()
    assert (response.status, response.interim) == (417, [])
    stage.expect_nothing(ends.node)


@pytest.mark.parametrize(
    ("host", "length", "status"), [("nowhere.test", 2, 404), ("app.test", 200, 413), ("empty.test", 2, 503)]
)
def test_no_continue_before_a_refusal(stage: Stage, host: str, length: int, status: int) -> None:
    stage.serve(vhosts={"app.test": {"node": "app", "max-body": 100}, "empty.test": {"node": "nobody"}})
    node, client = stage.node(), stage.client()
    client.send_head(method="POST", host=host, headers=[EXPECT, ("Content-Length", str(length))])
    response = client.read_response()
    assert (response.status, response.interim) == (status, [])
    stage.expect_nothing(node)


def test_final_head_instead_of_the_body(ends: Ends) -> None:
    """A client that waits for 100 and gets it may be answered without ever sending its body."""
    ends.client.send_head(method="POST", headers=[EXPECT, ("Content-Length", "1000")])
    assert ends.client.read_head().status == 100
    request = ends.node.expect_request()
    ends.node.respond(request.sid, b"no", status="403 Forbidden")
    response = ends.client.read_response()
    assert (response.status, response.body) == (403, b"no")
