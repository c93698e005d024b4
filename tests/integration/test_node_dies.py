"""A node that dies, hangs or restarts at every point of an exchange."""

from __future__ import annotations

import pytest

from blastbeat.events import CloseReason
from tests.helpers.client import RawClient
from tests.helpers.node import NodeRequest, ScriptedNode, head
from tests.helpers.settings import Table
from tests.helpers.stage import Stage

# Only where liveness itself is the subject: a scripted node answers pings only while it listens.
FAST: Table = {"ping-freq": 0.1}
LASTING: Table = {"node-grace": 30}


def two_nodes(
    stage: Stage, client: RawClient, method: str = "GET", body: bytes = b""
) -> tuple[ScriptedNode, ScriptedNode, NodeRequest]:
    """Two nodes; the first returned has the client's request, the other nothing."""
    first = stage.node("a")
    headers = [("Content-Length", str(len(body)))] if body else []
    client.send_head("/x", method=method, headers=headers)
    client.send(body)
    request = first.expect_request()
    if body:
        assert first.expect_body(request.sid, len(body)) == body
    return first, stage.node("b"), request


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_request_goes_to_another_instance(stage: Stage, method: str) -> None:
    """By itself, as a new session; the client notices nothing."""
    server = stage.serve(vhost={"node": ["a", "b"]})
    client = stage.client()
    first, second, request = two_nodes(stage, client, method)
    first.close()
    again = second.expect_request()
    assert again.sid != request.sid
    assert (again["REQUEST_METHOD"], again["REQUEST_URI"]) == (method, "/x")
    second.respond(again.sid, b"" if method == "HEAD" else b"second")
    assert client.read_response(method).status == 200
    assert server.counters["hops.retried"] == 1
    view = server.wait_exchanges(1)[0]
    assert (view.hops, view.identity, view.reason) == (1, "b", CloseReason.COMPLETE)


def test_kept_body_goes_along(stage: Stage) -> None:
    stage.serve(vhost={"node": ["a", "b"], "retry-methods": ["GET", "PUT"]})
    client = stage.client()
    first, second, _ = two_nodes(stage, client, "PUT", b"x" * 10_000)
    first.close()
    again = second.expect_request()
    assert second.expect_body(again.sid, 10_000) == b"x" * 10_000
    second.respond(again.sid, b"stored")
    assert client.read_response().body == b"stored"


def test_body_larger_than_kept(stage: Stage) -> None:
    """What was not kept can't be sent again: 502."""
    stage.serve(vhost={"node": ["a", "b"], "retry-methods": "PUT", "retry-buffer": 1000})
    client = stage.client()
    first, second, _ = two_nodes(stage, client, "PUT", b"x" * 10_000)
    first.close()
    assert client.read_response().status == 502
    stage.expect_nothing(second)


def test_unsafe_request_is_not_repeated(stage: Stage) -> None:
    server = stage.serve(vhost={"node": ["a", "b"]})
    client = stage.client()
    first, second, _ = two_nodes(stage, client, "POST", b"order one")
    first.close()
    assert client.read_response().status == 502
    stage.expect_nothing(second)
    assert server.exchanges[0].reason == CloseReason.NODE_GONE


def test_nobody_else_is_there(stage: Stage) -> None:
    """502 for the node that went away, or 503 for the instance that isn't there: an answer in any case."""
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    node.expect_request()
    node.close()
    assert client.read_response().status in (502, 503)
    server.wait_counter("nodes.gone")


# What the node had sent when it died, and how much of the body the client has by then.
CUTS: dict[str, tuple[list[tuple[str, bytes]], bytes]] = {
    "after the head": ([("headers", head())], b""),
    "in a chunked response": ([("headers", head()), ("chunk", b"part")], b"4\r\npart\r\n"),
    "in a response of known length": (
        [("headers", head(headers=[("Content-Length", "9")]) + b"part")],
        b"part",
    ),
    "in its own coding": (
        [("headers", head(headers=[("Transfer-Encoding", "chunked")]) + b"4\r\npart\r\n")],
        b"4\r\npart\r\n",
    ),
}


@pytest.mark.parametrize("name", CUTS)
def test_dies_during_the_response(stage: Stage, name: str) -> None:
    """The response is cut, never completed, and never begun again elsewhere."""
    server = stage.serve(vhost={"node": ["a", "b"]})
    client = stage.client()
    first, second, request = two_nodes(stage, client)
    sent, body = CUTS[name]
    for type, data in sent:
        first.send(request.sid, type, data)
    assert client.read_head().status == 200
    assert client.read_exactly(len(body)) == body
    first.close()
    client.expect_eof()
    stage.expect_nothing(second)
    assert server.counters["responses.cut"] == 1
    assert server.exchanges[0].reason == CloseReason.NODE_GONE


def test_dies_during_the_upload(stage: Stage) -> None:
    stage.serve()
    node, client = stage.node(), stage.client()
    client.send_head(method="POST", headers=[("Content-Length", "1000")])
    client.send(b"half")
    sid = node.expect_request().sid
    node.expect_body(sid, 4)
    node.close()
    response = client.read_response()
    assert (response.status, response["Connection"]) == (502, "close")
    client.expect_eof()


def test_dies_between_exchanges(stage: Stage) -> None:
    """The client's connection lives; its next request begins a new session elsewhere."""
    server = stage.serve(vhost={"node": ["a", "b"]})
    client = stage.client()
    first, second, request = two_nodes(stage, client)
    first.respond(request.sid, b"first")
    assert client.read_response().body == b"first"
    first.close()
    server.wait_counter("nodes.gone")
    client.get("/2")
    again = second.expect_request()
    assert again.sid != request.sid
    second.respond(again.sid, b"second")
    assert client.read_response().body == b"second"


def test_dies_with_a_complete_response_on_its_way(stage: Stage) -> None:
    """What it sent before it died still reaches a slow client."""
    stage.serve()
    node, client = stage.node(), stage.client(receive_buffer=4096)
    client.get()
    sid = node.expect_request().sid
    node.respond(sid, b"x" * 3_000_000)
    stage.server.wait_counter("responses.completed")
    node.close()
    stage.server.wait_counter("nodes.gone")
    assert client.read_response().body == b"x" * 3_000_000


def test_restarts_within_the_grace(stage: Stage) -> None:
    """A node that reconnects within `node-grace` keeps its sids."""
    server = stage.serve(FAST, LASTING)
    node, client = stage.node(), stage.client()
    sid = stage.exchange(node, client)
    client.get("/2")
    node.expect_request(sid)
    node.reconnect()
    node.respond(sid, b"as if nothing had been")
    assert client.read_response().body == b"as if nothing had been"
    assert stage.exchange(node, client, "/3") == sid
    assert server.counters["nodes.gone"] == 0


def test_restarts_after_the_grace(stage: Stage) -> None:
    """Its old sids are unknown; new sessions come to it again."""
    server = stage.serve(FAST)
    node, client = stage.node(), stage.client()
    client.post(b"hi")
    sid = node.expect_request().sid
    node.expect_body(sid, 2)
    node.close()
    assert client.read_response().status == 502
    node.reconnect()
    node.respond(sid, b"late")
    stage.exchange(node, stage.client())
    assert server.counters["messages.dropped.unknown-sid"] == 2


# ---------------------------------------------------------------- hanging


def test_hangs_before_the_head(stage: Stage) -> None:
    """504 after `response-timeout`; the node hears `end`, and its late answer is nobody's."""
    server = stage.serve(vhost={"response-timeout": 0.2})
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    assert client.read_response().status == 504
    node.expect_end(sid)
    node.respond(sid, b"late")
    stage.expect_nothing(node)
    assert server.exchanges[0].reason == CloseReason.RESPONSE_TIMEOUT
    assert server.counters["messages.dropped.unknown-sid"] == 2


def test_hangs_during_the_response(stage: Stage) -> None:
    """Cut after `idle-timeout`."""
    server = stage.serve(vhost={"idle-timeout": 0.2})
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send(sid, "headers", head())
    node.send(sid, "chunk", b"part")
    client.read_head()
    assert client.read_chunk() == b"part"
    client.expect_eof()
    node.expect_end(sid)
    assert server.wait_exchanges(1)[0].reason == CloseReason.IDLE_TIMEOUT


def test_silent_node_gets_no_new_sessions(stage: Stage) -> None:
    """But the sessions it has go on: a blocking node answers no ping while it works."""
    server = stage.serve(FAST, {"node": ["a", "b"], "response-timeout": 30})
    client = stage.client()
    first, second, request = two_nodes(stage, client)
    while not server.counters["nodes.silent"]:
        second.maybe_receive(0.02)  # answers pings; the first does not
    others = [stage.client() for _ in range(3)]
    for other in others:
        stage.exchange(second, other)
    first.respond(request.sid, b"at last")
    assert client.read_response().body == b"at last"
    assert server.counters["nodes.gone"] == 0


def test_silent_node_that_is_alone(stage: Stage) -> None:
    """503 with `Retry-After` while it is silent; it is back as soon as it says anything."""
    server = stage.serve(FAST)
    node, client = stage.node(), stage.client()
    server.wait_counter("nodes.silent")
    client.get()
    response = client.read_response()
    assert response.status == 503 and int(response["Retry-After"]) > 0
    node.pong()
    server.wait_counter("nodes.up", 2)
    stage.exchange(node, client)


def test_no_node_at_all(stage: Stage) -> None:
    server = stage.serve()
    client = stage.client()
    for _ in range(2):
        client.get()
        response = client.read_response()
        assert response.status == 503 and int(response["Retry-After"]) > 0
    assert server.wait_exchanges(1)[0].reason == CloseReason.NO_INSTANCE


def test_node_that_never_says_anything(stage: Stage) -> None:
    """Connected is available: the seed's sample nodes answer no ping."""
    stage.serve(FAST)
    node = stage.node(announce=False, answer_pings=False)
    assert node.receive().type == b"ping"
    client = stage.client()
    client.get()
    while (message := node.receive()).type in (b"ping", b"spawn"):
        pass
    assert message.type == b"uwsgi"
    node.respond(message.sid, b"first words")
    assert client.read_response().body == b"first words"


def test_a_node_that_waits_to_be_pinged_serves_at_once(stage: Stage) -> None:
    """Its connection is a reason to ping: it does not wait for the next period, 20 s away here."""
    stage.serve()
    node = stage.node(announce=False, answer_pings=False)
    assert node.receive().type == b"ping"
    client = stage.client()
    client.get()
    while (message := node.receive()).type in (b"ping", b"spawn"):
        pass
    assert message.type == b"uwsgi"
    node.respond(message.sid, b"soon")
    assert client.read_response().body == b"soon"
