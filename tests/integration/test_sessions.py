"""`protocol.md` §2: sids, pinning, exactly one `end`, leftovers."""

from __future__ import annotations

import pytest

from blastbeat.events import CloseReason
from tests.helpers.node import NodeRequest, ScriptedNode, head
from tests.helpers.stage import Stage
from tests.helpers.uwsgi import read_variables

TWO_HOSTS = {"one.test": {"node": "one"}, "two.test": {"node": "two"}}


def test_one_sid_per_connection(stage: Stage) -> None:
    """All requests of a connection carry the same sid; another connection has another."""
    stage.serve()
    node, first, second = stage.node(), stage.client(), stage.client()
    sids = [stage.exchange(node, client) for client in (first, second, first, second)]
    assert sids[0] == sids[2] and sids[1] == sids[3] and sids[0] != sids[1]
    assert all(len(sid) == 16 for sid in sids)


def test_pinned_to_one_instance(stage: Stage) -> None:
    """Connections are spread, the requests of one are not."""
    stage.serve(vhost={"node": ["a", "b"], "selector": "round-robin"})
    stage.app("a", lambda request: b"a")
    stage.app("b", lambda request: b"b")
    spread = set()
    for _ in range(4):
        client, answers = stage.client(), set()
        for _ in range(5):
            client.get()
            answers.add(client.read_response().body)
        assert len(answers) == 1
        spread |= answers
    assert spread == {b"a", b"b"}


def test_exactly_one_end_when_the_client_leaves(stage: Stage) -> None:
    server = stage.serve()
    node, client = stage.node(), stage.client()
    sid = stage.exchange(node, client)
    client.close()
    assert node.expect_end(sid).body == b""
    stage.expect_nothing(node)
    assert [view.reason for view in server.exchanges][0] == CloseReason.COMPLETE


def test_no_end_for_a_node_that_was_sent_nothing(stage: Stage) -> None:
    """Connections without a request, and requests the server answers itself, are unknown to nodes."""
    stage.serve(vhosts={"app.test": {"node": "app", "max-body": 10}})
    node = stage.node()
    for raw in (b"", b"GET", b"GET / HTTP/1.1\r\nHost: nowhere.test\r\n\r\n", b"nonsense\r\n\r\n"):
        client = stage.client()
        client.send(raw)
        client.close()
    refused = stage.client()
    refused.post(b"x" * 11)
    assert refused.read_response().status == 413
    refused.close()
    stage.server.wait_idle()
    stage.expect_nothing(node)


def test_the_nodes_own_end_is_answered(stage: Stage) -> None:
    """However a session ends, also by the node's own `end`, the node gets exactly one."""
    stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send(sid, "headers", head(headers=[("Content-Length", "2")]))
    node.send(sid, "body", b"ok")
    node.send(sid, "end")
    assert client.read_response().body == b"ok"
    client.expect_eof()
    node.expect_end(sid)
    stage.expect_nothing(node)


def test_another_virtualhost_begins_a_new_session(stage: Stage) -> None:
    """One connection, two virtualhosts: one `end` to the first node, a new sid at the second, and back."""
    stage.serve(vhosts=TWO_HOSTS)
    nodes = {"one": stage.node("one"), "two": stage.node("two")}
    client = stage.client()
    sids: list[bytes] = []
    previous = ""
    for name in ("one", "one", "two", "one"):
        client.get(host=f"{name}.test")
        if previous and previous != name:
            nodes[previous].expect_end(sids[-1])
        request = nodes[name].expect_request()
        sids.append(request.sid)
        nodes[name].respond(request.sid, name.encode())
        assert client.read_response().body == name.encode()
        previous = name
    assert sids[0] == sids[1] and len(set(sids)) == 3
    stage.expect_nothing(nodes["two"], host="two.test")
    stage.expect_nothing(nodes["one"], host="one.test")


def test_unknown_host_ends_the_session(stage: Stage) -> None:
    """A later request that names no virtualhost is a 404, and nothing of it reaches the node but the end of
    what was."""
    stage.serve()
    node, client = stage.node(), stage.client()
    sid = stage.exchange(node, client)
    client.get(host="nowhere.test")
    assert client.read_response().status == 404
    client.close()
    node.expect_end(sid)
    stage.expect_nothing(node)


# ---------------------------------------------------------------- whose messages count


def test_unknown_sid(stage: Stage) -> None:
    server = stage.serve()
    node, client = stage.node(), stage.client()
    for sid in (b"x" * 16, b"short", b"long" * 20, b"\0" * 16):
        node.send(sid, "headers", head())
        node.send(sid, "end")
    assert stage.exchange(node, client)
    assert server.counters["messages.dropped.unknown-sid"] == 8


def test_another_nodes_sid(stage: Stage) -> None:
    """A node can't speak for a session that is pinned to another one."""
    server = stage.serve(vhosts=TWO_HOSTS)
    owner, thief = stage.node("one"), stage.node("two")
    client, witness = stage.client(), stage.client()
    client.get(host="one.test")
    sid = owner.expect_request().sid
    for type, body in (
        ("headers", head()),
        ("body", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("end", b""),
        ("retry", b""),
    ):
        thief.send(sid, type, body)
    witness.get(host="two.test")
    thief.respond(thief.expect_request().sid)
    assert witness.read_response().status == 200
    assert server.counters["messages.dropped.other-session"] == 4
    owner.respond(sid, b"mine")
    assert client.read_response().body == b"mine"


def test_messages_after_end(stage: Stage) -> None:
    """What a node says after the session is over is for a sid nobody knows."""
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.respond(sid, b"ok")
    node.send(sid, "end")
    for type in ("body", "chunk", "headers", "end", "retry", "abort"):
        node.send(sid, type, head() if type == "headers" else b"late")
    assert client.read_response().body == b"ok"
    client.expect_eof()
    node.expect_end(sid)
    stage.expect_nothing(node)
    assert server.counters["messages.dropped.unknown-sid"] == 6
    assert server.counters["messages.dropped.leftover"] == 0


# ---------------------------------------------------------------- leftovers


@pytest.mark.parametrize("type", ["body", "chunk"])
def test_leftovers_of_the_exchange_before(stage: Stage, type: str) -> None:
    """Dropped and counted, never written to the next response."""
    server = stage.serve()
    node, client = stage.node(), stage.client()
    sid = stage.exchange(node, client)
    client.get("/2")
    node.expect_request(sid)
    node.send(sid, type, b"leftover")
    node.respond(sid, b"clean")
    assert client.read_response().body == b"clean"
    assert server.counters["messages.dropped.leftover"] == 1


def expect_end_and_request(node: ScriptedNode, sid: bytes) -> NodeRequest:
    """The `end` of `sid` and the head of a new session, in either order: only within a sid it is kept."""
    messages = {message.type: message for message in (node.receive(), node.receive())}
    assert messages.keys() == {b"end", b"uwsgi"} and messages[b"end"].sid == sid
    head = messages[b"uwsgi"]
    return NodeRequest(head.sid, read_variables(head.body))


def test_stale_end_sends_a_get_once_more(stage: Stage) -> None:
    """An `end` before the head of a later exchange belongs to the one before."""
    stage.serve()
    node, client = stage.node(), stage.client()
    sid = stage.exchange(node, client)
    client.get("/2")
    node.expect_request(sid)
    node.send(sid, "end")
    again = expect_end_and_request(node, sid)
    assert (again.sid != sid, again["REQUEST_URI"]) == (True, "/2")
    node.respond(again.sid, b"second")
    assert client.read_response().body == b"second"
    assert stage.exchange(node, client) == again.sid


def test_end_before_the_head_of_the_new_session_is_meant(stage: Stage) -> None:
    """Once more, not for ever: in the new session the same `end` is a 502."""
    stage.serve()
    node, client = stage.node(), stage.client()
    sid = stage.exchange(node, client)
    client.get("/2")
    node.expect_request(sid)
    node.send(sid, "end")
    again = expect_end_and_request(node, sid)
    node.send(again.sid, "end")
    assert client.read_response().status == 502
    node.expect_end(again.sid)


def test_stale_end_closes_on_other_methods(stage: Stage) -> None:
    """A POST is not sent twice: the connection is closed unanswered, as if idle."""
    stage.serve()
    node, client = stage.node(), stage.client()
    sid = stage.exchange(node, client)
    client.post(b"hi", "/2")
    node.expect_request(sid)
    node.expect_body(sid, 2)
    node.send(sid, "end")
    client.expect_eof()
    node.expect_end(sid)
    stage.expect_nothing(node)


# ---------------------------------------------------------------- the client leaves


def test_client_leaves_while_the_node_is_silent(stage: Stage) -> None:
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get("/poll")
    sid = node.expect_request().sid
    client.close()
    node.expect_end(sid)
    assert server.wait_exchanges(1)[0].reason == CloseReason.CLIENT_LEFT
    stage.expect_nothing(node)


def test_half_close_ends_the_session(stage: Stage) -> None:
    stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    client.half_close()
    node.expect_end(sid)
    client.expect_eof()


def test_half_close_finish(stage: Stage) -> None:
    """`half-close = finish` lets the exchange finish."""
    stage.serve(vhost={"half-close": "finish"})
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    client.half_close()
    stage.expect_nothing(node)
    node.respond(sid, b"still there")
    assert client.read_response().body == b"still there"
    client.expect_eof()
    node.expect_end(sid)


def test_complete_response_is_flushed_to_a_client_that_left_its_half(stage: Stage) -> None:
    stage.serve()
    node, client = stage.node(), stage.client(receive_buffer=4096)
    body = b"x" * 3_000_000
    client.get()
    sid = node.expect_request().sid
    node.respond(sid, body)
    stage.server.wait_counter("responses.completed")
    client.half_close()
    assert client.read_response().body == body
    client.expect_eof()
    node.expect_end(sid)
