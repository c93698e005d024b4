"""Clients that are slow, silent, or leave: at every point of an exchange, and what the node hears of it."""

from __future__ import annotations

import pytest

from blastbeat.events import CloseReason
from tests.helpers.client import RawClient, request_head
from tests.helpers.node import head
from tests.helpers.stage import Stage

# ---------------------------------------------------------------- leaving

LEAVE = {"FIN": RawClient.close, "RST": RawClient.reset}
HALVES: dict[str, bytes] = {
    "nothing": b"",
    "an empty line": b"\r\n",
    "half a request line": b"GET / HT",
    "a request line": b"GET / HTTP/1.1\r\n",
    "half a field": b"GET / HTTP/1.1\r\nHost: app.te",
    "a head without its end": b"GET / HTTP/1.1\r\nHost: app.test\r\n",
    "a head without its last byte": b"GET / HTTP/1.1\r\nHost: app.test\r\n\r",
}


@pytest.mark.parametrize("way", LEAVE)
@pytest.mark.parametrize("name", HALVES)
def test_leaves_before_the_head_is_whole(stage: Stage, name: str, way: str) -> None:
    """No node hears of it."""
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.send(HALVES[name])
    server.wait_counter("connections.accepted")
    LEAVE[way](client)
    server.wait_counter("connections.closed")
    stage.expect_nothing(node)


# Sent by the client after a head that announces a body; what the node has had by then.
BODIES: dict[str, tuple[tuple[str, str], bytes, int]] = {
    "after the head": (("Content-Length", "10"), b"", 0),
    "in the body": (("Content-Length", "10"), b"hello", 5),
    "after the body": (("Content-Length", "5"), b"hello", 5),
    "before the first chunk": (("Transfer-Encoding", "chunked"), b"", 0),
    "in a chunk size": (("Transfer-Encoding", "chunked"), b"5\r\nhello\r\n1", 5),
    "in a chunk": (("Transfer-Encoding", "chunked"), b"a\r\nhello", 5),
    "before the last chunk": (("Transfer-Encoding", "chunked"), b"5\r\nhello\r\n", 5),
    "in the trailers": (("Transfer-Encoding", "chunked"), b"5\r\nhello\r\n0\r\nX-A: 1\r\n", 5),
}


@pytest.mark.parametrize("way", LEAVE)
@pytest.mark.parametrize("name", BODIES)
def test_leaves_during_the_upload(stage: Stage, name: str, way: str) -> None:
    """The node hears `end` at once, exactly once, and never an empty closing body."""
    stage.serve()
    node, client = stage.node(), stage.client()
    field, sent, length = BODIES[name]
    client.send(request_head(method="POST", headers=[field]) + sent)
    sid = node.expect_request().sid
    assert len(node.expect_body(sid, length)) == length
    LEAVE[way](client)
    node.expect_end(sid)
    stage.expect_nothing(node)


# What the node has sent when the client leaves.
ANSWERS: dict[str, list[tuple[str, bytes]]] = {
    "before the response": [],
    "after an interim response": [("headers", head("103 Early Hints"))],
    "after the response head": [("headers", head())],
    "in a chunked response": [("headers", head()), ("chunk", b"part")],
    "in a response of known length": [("headers", head(headers=[("Content-Length", "10")]) + b"part")],
    "after the response": [("headers", head(headers=[("Content-Length", "4")]) + b"part")],
}


@pytest.mark.parametrize("way", LEAVE)
@pytest.mark.parametrize("name", ANSWERS)
def test_leaves_during_the_response(stage: Stage, name: str, way: str) -> None:
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    for type, body in ANSWERS[name]:
        node.send(sid, type, body)
    if ANSWERS[name]:
        client.read_head()
    LEAVE[way](client)
    node.expect_end(sid)
    node.send(sid, "chunk", b"too late")
    stage.expect_nothing(node)
    assert server.counters["messages.dropped.unknown-sid"] >= 1  # and what of the answer came after it left
    complete = name == "after the response"
    assert server.exchanges[0].reason == (CloseReason.COMPLETE if complete else CloseReason.CLIENT_LEFT)


@pytest.mark.parametrize("way", LEAVE)
def test_leaves_with_pipelined_requests_behind(stage: Stage, way: str) -> None:
    """What was not forwarded yet never is."""
    stage.serve()
    node, client = stage.node(), stage.client()
    client.send(request_head("/1") + request_head("/2") + request_head("/3"))
    sid = node.expect_request().sid
    LEAVE[way](client)
    node.expect_end(sid)
    stage.expect_nothing(node)


@pytest.mark.parametrize("way", LEAVE)
def test_leaves_without_reading_a_long_response(stage: Stage, way: str) -> None:
    stage.serve()
    node, client = stage.node(), stage.client(receive_buffer=4096)
    client.get()
    sid = node.expect_request().sid
    node.send(sid, "headers", head())
    node.send(sid, "chunk", b"x" * 4_000_000)
    client.read_head()
    LEAVE[way](client)
    node.expect_end(sid)
    stage.expect_nothing(node)


# ---------------------------------------------------------------- being slow

SLOW_HEADS = [b"GET", b"GET / HTTP/1.1\r\nHost: app.test\r\nX-A: 1\r\n"]


@pytest.mark.parametrize("raw", SLOW_HEADS)
def test_slow_head(stage: Stage, raw: bytes) -> None:
    """408, and no node hears of it."""
    stage.serve({"header-timeout": 0.2})
    node, client = stage.node(), stage.client()
    client.send(raw)
    response = client.read_response()
    assert (response.status, response["Connection"]) == (408, "close")
    client.expect_eof()
    stage.expect_nothing(node)


def test_head_that_trickles(stage: Stage) -> None:
    """`header-timeout` is for the whole head: a field now and then does not extend it."""
    stage.serve({"header-timeout": 0.3, "max-headers": 10_000})
    client = stage.client()
    client.send(b"GET / HTTP/1.1\r\n")
    for _ in range(1000):
        if client.wait_input(0.01):
            break
        client.send(b"X-A: 1\r\n")
    assert client.read_response().status == 408


def test_slow_second_head(stage: Stage) -> None:
    """The session is over, and the node hears its `end`."""
    stage.serve({"header-timeout": 0.2})
    node, client = stage.node(), stage.client()
    sid = stage.exchange(node, client)
    client.send(b"GET /2 HTTP/1.1\r\n")
    assert client.read_response().status == 408
    client.expect_eof()
    node.expect_end(sid)


@pytest.mark.parametrize(
    ("field", "sent"),
    [(("Content-Length", "10"), b"hello"), (("Transfer-Encoding", "chunked"), b"5\r\nhello\r\n")],
)
def test_slow_body(stage: Stage, field: tuple[str, str], sent: bytes) -> None:
    """408 after `body-timeout` without a byte of it; the node hears `end` and no closing body."""
    server = stage.serve(vhost={"body-timeout": 0.2})
    node, client = stage.node(), stage.client()
    client.send(request_head(method="POST", headers=[field]) + sent)
    sid = node.expect_request().sid
    assert node.expect_body(sid, 5) == b"hello"
    response = client.read_response()
    assert (response.status, response["Connection"]) == (408, "close")
    client.expect_eof()
    node.expect_end(sid)
    assert server.wait_exchanges(1)[0].reason == CloseReason.SLOW_REQUEST


def test_idle_connection_is_closed_silently(stage: Stage) -> None:
    """Without a byte of a request there is nothing to answer."""
    stage.serve({"header-timeout": 0.2}, {"keep-alive": 0.2})
    node, fresh, used = stage.node(), stage.client(), stage.client()
    sid = stage.exchange(node, used)
    fresh.expect_eof()
    used.expect_eof()
    node.expect_end(sid)
    stage.expect_nothing(node)


def test_client_that_takes_nothing(stage: Stage) -> None:
    """Closed after `write-timeout`, and disturbs nobody."""
    server = stage.serve(vhost={"write-timeout": 0.3})
    node, deaf, other = stage.node(), stage.client(receive_buffer=4096), stage.client()
    deaf.get()
    sid = node.expect_request().sid
    node.send(sid, "headers", head())
    node.send(sid, "chunk", b"x" * 6_000_000)
    stage.exchange(node, other)
    node.expect_end(sid)
    assert server.wait_exchanges(2)[1].reason == CloseReason.WRITE_TIMEOUT
    stage.exchange(node, other)


def test_many_connections_at_once(stage: Stage) -> None:
    """A few hundred half-open requests leave the server answering the one that is whole."""
    server = stage.serve()
    node = stage.node()
    idlers = [stage.client() for _ in range(200)]
    for idler in idlers:
        idler.send(b"GET / HTTP/1.1\r\n")
    client = stage.client()
    stage.exchange(node, client)
    for leaving in (*idlers, client):
        leaving.close()
    server.wait_idle()
    assert server.counters["connections.closed"] == 201
