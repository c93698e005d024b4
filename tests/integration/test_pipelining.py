"""`protocol.md` §2: requests of one connection are strictly sequential for the node."""

from __future__ import annotations

import threading

from tests.helpers.client import request_head
from tests.helpers.stage import Stage


def test_a_thousand_pipelined_requests(stage: Stage) -> None:
    """Answered in order, all under one sid."""
    stage.serve()
    app, client = stage.app(), stage.client()
    raw = b"".join(request_head(f"/{number}") for number in range(1000))
    sender = threading.Thread(target=client.send, args=(raw,))
    sender.start()
    bodies = [client.read_response().body for _ in range(1000)]
    sender.join()
    assert bodies == [b"GET /%d " % number for number in range(1000)]
    assert len({request.sid for request in app.served}) == 1
    assert stage.server.counters["requests.received"] == 1000
    assert stage.server.counters["responses.completed"] == 1000


def test_pipelined_bodies(stage: Stage) -> None:
    """Requests with bodies of both kinds keep their own bytes."""
    stage.serve()
    stage.app()
    client = stage.client()
    parts = []
    for number in range(50):
        body = b"x" * number
        if number % 2:
            head = request_head("/", method="POST", headers=[("Content-Length", str(number))])
            parts.append(head + body)
        else:
            head = request_head("/", method="POST", headers=[("Transfer-Encoding", "chunked")])
            parts.append(head + (b"%x\r\n%s\r\n" % (number, body) if number else b"") + b"0\r\n\r\n")
    client.send(b"".join(parts))
    for number in range(50):
        assert client.read_response().body == b"POST / " + b"x" * number


def test_next_request_waits_for_the_response(stage: Stage) -> None:
    stage.serve()
    node, client = stage.node(), stage.client()
    client.send(request_head("/1") + request_head("/2"))
    first = node.expect_request()
    stage.expect_nothing(node)
    node.send(first.sid, "headers", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhal")
    assert client.read_head().status == 200
    stage.expect_nothing(node)
    node.send(first.sid, "body", b"f")
    assert client.read_exactly(4) == b"half"
    second = node.expect_request(first.sid)
    assert second["REQUEST_URI"] == "/2"
    node.respond(second.sid, b"2")
    assert client.read_response().body == b"2"


def test_leftover_overrun_does_not_reach_the_next_response(stage: Stage) -> None:
    """What a node sends in one go after a complete response is seen before the next request is forwarded."""
    stage.serve()
    node, client = stage.node(), stage.client()
    client.send(request_head("/1") + request_head("/2"))
    first = node.expect_request()
    frames = [b"headers", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"body", b"too much"]
    node.send_frames(first.sid, *frames)
    assert client.read_response().body == b"ok"
    client.expect_eof()
    node.expect_end(first.sid)


def test_head_is_answered_without_a_body(stage: Stage) -> None:
    stage.serve()
    stage.app()
    client = stage.client()
    client.send(request_head("/h", method="HEAD") + request_head("/g"))
    first = client.read_response("HEAD")
    assert (first.status, first["Content-Length"], first.body) == (200, str(len("HEAD /h ")), b"")
    assert client.read_response().body == b"GET /g "


def test_connection_close_ends_the_pipeline(stage: Stage) -> None:
    """RFC 9112 §9.6: nothing after a request with `Connection: close` is processed."""
    stage.serve()
    app, client = stage.app(), stage.client()
    client.send(request_head("/1", headers=[("Connection", "close")]) + request_head("/2"))
    response = client.read_response()
    assert (response.body, response["Connection"]) == (b"GET /1 ", "close")
    client.expect_eof()
    client.close()
    stage.server.wait_idle()
    assert [request.variables["REQUEST_URI"] for request in app.served] == ["/1"]
