"""`protocol.md` §1: instances, liveness, selection, and `drain` and `retry` of §4."""

from __future__ import annotations

import pytest

from blastbeat.events import CloseReason
from tests.helpers.client import RawClient
from tests.helpers.node import ScriptedNode, head
from tests.helpers.stage import Stage


def hold(stage: Stage, nodes: list[ScriptedNode]) -> tuple[ScriptedNode, RawClient, bytes]:
    """A new session that nobody answers: the node that has it, its client, its sid."""
    client = stage.client()
    client.get()
    for _ in range(500):
        for node in nodes:
            message = node.maybe_receive(0.01)
            if message is not None:
                assert message.type == b"uwsgi"
                return node, client, message.sid
    raise AssertionError("no node got the request")


def test_instance_joins_by_its_pong(stage: Stage) -> None:
    stage.serve()
    stage.exchange(stage.node("app/one"), stage.client())


@pytest.mark.parametrize("word", ["1", "a.b_c-D", "x" * 64])
def test_instance_words(stage: Stage, word: str) -> None:
    stage.serve()
    stage.exchange(stage.node(f"app/{word}"), stage.client())


@pytest.mark.parametrize("name", ["app", "app/1"])
def test_a_node_that_speaks_all_the_time_is_pinged(stage: Stage, name: str) -> None:
    """A stream to a client that says nothing: only a ping tells its node that the server has not lost it."""
    stage.serve({"ping-freq": 0.1})
    node, client = stage.node(name), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send(sid, "headers", head("200 OK"))
    client.read_head()
    pinged = node.pinged
    for _ in range(400):
        node.send(sid, "chunk", b"more")
        assert client.read_chunk() == b"more"
        assert node.maybe_receive(0.005) is None
        if node.pinged >= pinged + 3:
            break
    assert node.pinged >= pinged + 3
    node.send(sid, "chunk")
    assert client.read_chunk() == b""


def test_spawn_once(stage: Stage) -> None:
    """To each instance when the server first hears of it, not again when it reconnects."""
    stage.serve({"ping-freq": 0.1}, {"node-grace": 30})
    node, other = stage.node("app/1"), stage.node("app/2")
    node.reconnect()
    for each in (node, other):
        each.wait_ping()
        each.wait_ping()
    assert (node.spawned, other.spawned) == (1, 1)


def test_instances_are_bounded(stage: Stage) -> None:
    server = stage.serve(vhost={"instances": 2})
    nodes = [stage.node("app/1"), stage.node("app/2"), stage.node("app")]
    late = stage.node("app/3", announce=False)
    late.pong()
    server.wait_counter("messages.dropped.instances")
    assert server.counters["nodes.up"] == len(nodes)


def test_no_instances(stage: Stage) -> None:
    server = stage.serve(vhost={"instances": 0})
    stage.node("app/1", announce=False).pong()
    server.wait_counter("messages.dropped.instances")
    stage.exchange(stage.node("app"), stage.client())


def test_slot_of_an_instance_that_went_is_free(stage: Stage) -> None:
    server = stage.serve({"ping-freq": 0.1}, {"instances": 1})
    stage.node("app/1").close()
    server.wait_counter("nodes.gone")
    stage.exchange(stage.node("app/2"), stage.client())


def test_silent_instance_is_forgotten(stage: Stage) -> None:
    """After ten silent ping periods without sessions, also while it is connected."""
    server = stage.serve({"ping-freq": 0.05}, {"instances": 1})
    stage.node("app/1", answer_pings=False, announce=False).pong()
    server.wait_counter("nodes.up")
    successor = stage.node("app/2", announce=False)
    successor.pong()
    while not successor.spawned:
        assert successor.maybe_receive(0.05) is None
        successor.pong()
    stage.exchange(successor, stage.client())


# ---------------------------------------------------------------- selection


def test_least_connections(stage: Stage) -> None:
    stage.serve(vhost={"node": ["a", "b", "c"]})
    nodes = [stage.node(name) for name in "abc"]
    held = [hold(stage, nodes) for _ in range(6)]
    counts = [sum(1 for node, _, _ in held if node is each) for each in nodes]
    assert counts == [2, 2, 2]
    node, client, sid = held[0]
    client.close()
    node.expect_end(sid)
    assert hold(stage, nodes)[0] is node


def test_round_robin(stage: Stage) -> None:
    stage.serve(vhost={"node": ["a", "b", "c"], "selector": "round-robin"})
    nodes = [stage.node(name) for name in "abc"]
    order = []
    for _ in range(6):
        node, client, sid = hold(stage, nodes)
        node.respond(sid)
        client.read_response()
        client.close()
        node.expect_end(sid)
        order.append(node.name)
    assert order[:3] == order[3:] and sorted(order[:3]) == ["a", "b", "c"]


# ---------------------------------------------------------------- retry


def test_retry_goes_elsewhere(stage: Stage) -> None:
    """The session ends for this node; the request, body included, begins a new one on another."""
    server = stage.serve(vhost={"node": ["a", "b"]})
    nodes = [stage.node("a"), stage.node("b")]
    client = stage.client()
    client.post(b"precious", "/r")
    first = nodes[0] if (message := nodes[0].maybe_receive(0.2)) else nodes[1]
    sid = message.sid if message else first.expect_request().sid
    (second,) = [node for node in nodes if node is not first]
    first.expect_body(sid, 8)
    first.send(sid, "retry")
    first.expect_end(sid)
    request = second.expect_request()
    assert request.sid != sid
    assert second.expect_body(request.sid, 8) == b"precious"
    second.respond(request.sid, b"done")
    assert client.read_response().body == b"done"
    assert server.counters["hops.retried"] == 1
    assert stage.exchange(second, client) == request.sid


def test_retry_without_another_instance(stage: Stage) -> None:
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send(sid, "retry")
    response = client.read_response()
    assert response.status == 503 and "Retry-After" in response
    node.expect_end(sid)
    stage.expect_nothing(node)
    assert server.counters["sessions.opened"] == 2  # and the fence's


def test_max_hops(stage: Stage) -> None:
    stage.serve({"max-hops": 2}, {"node": list("abcd")})
    nodes = [stage.node(name) for name in "abcd"]
    node, client, sid = hold(stage, nodes)
    tried = [node]
    while True:
        tried[-1].send(sid, "retry")
        tried[-1].expect_end(sid)
        if client.wait_input(0.2):
            break
        node = next(each for each in nodes * 50 if (message := each.maybe_receive(0.01)))
        assert message is not None and node not in tried
        tried.append(node)
        sid = message.sid
    assert client.read_response().status == 503
    assert len(tried) == 2  # a hop is one try on a node


def test_retry_after_the_head(stage: Stage) -> None:
    """Too late: dropped and counted."""
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send(sid, "headers", head(headers=[("Content-Length", "2")]))
    node.send(sid, "retry")
    node.send(sid, "body", b"ok")
    assert client.read_response().body == b"ok"
    assert server.counters["messages.dropped.late-retry"] == 1


def test_retry_of_a_body_that_was_not_kept(stage: Stage) -> None:
    stage.serve(vhost={"retry-buffer": 4})
    node, client = stage.node("app/1"), stage.client()
    client.post(b"12345")
    sid = node.expect_request().sid
    node.expect_body(sid, 5)
    other = stage.node("app/2")
    node.send(sid, "retry")
    assert client.read_response().status == 502
    node.expect_end(sid)
    assert other.maybe_receive(0) is None


# ---------------------------------------------------------------- drain


def test_drain_of_an_idle_instance(stage: Stage) -> None:
    """Idle sessions get their `end` at once, then `drain` is answered, and nothing more follows; the client's
    next request begins a new session elsewhere."""
    stage.serve()
    old, client = stage.node("app/old"), stage.client()
    sid = stage.exchange(old, client)
    new = stage.node("app/new")
    old.send(b"", "drain")
    old.expect_end(sid)
    assert old.expect("drain").sid == b""
    assert stage.exchange(new, client) != sid
    stage.expect_nothing(new)
    assert old.maybe_receive(0) is None


def test_drain_of_a_busy_instance(stage: Stage) -> None:
    """What runs is finished first."""
    stage.serve()
    old, client, upload = stage.node("app/old"), stage.client(), stage.client()
    client.get("/busy")
    busy = old.expect_request()
    upload.send_head(method="POST", headers=[("Content-Length", "4")])
    upload.send(b"up")
    loading = old.expect_request()
    old.expect_body(loading.sid, 2)
    new = stage.node("app/new")
    old.send(b"", "drain")
    for _ in range(3):
        stage.exchange(new, stage.client())
    old.respond(busy.sid, b"finished")
    assert client.read_response().body == b"finished"
    old.expect_end(busy.sid)
    upload.send(b"ld")
    old.expect_body(loading.sid, 2)
    old.respond(loading.sid, b"loaded")
    assert upload.read_response().body == b"loaded"
    old.expect_end(loading.sid)
    assert old.expect("drain").sid == b""
    stage.exchange(new, client)
    stage.exchange(new, upload)


def test_drain_of_the_only_instance(stage: Stage) -> None:
    server = stage.serve()
    node, client = stage.node(), stage.client()
    node.send(b"", "drain")
    node.expect("drain")
    client.get()
    assert client.read_response().status == 503
    assert server.wait_exchanges(1)[0].reason == CloseReason.NO_INSTANCE
