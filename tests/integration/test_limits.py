"""Limits, each with the status the protocol gives it, and what the node hears."""

from __future__ import annotations

import pytest

from blastbeat.events import CloseReason
from tests.helpers.client import request_head
from tests.helpers.node import head
from tests.helpers.settings import Table
from tests.helpers.stage import Stage

# ---------------------------------------------------------------- sizes


def test_max_body_declared(stage: Stage) -> None:
    """Refused before anything is forwarded, and before the body is read."""
    stage.serve(vhost={"max-body": 1000})
    node, client = stage.node(), stage.client()
    client.send_head(method="POST", headers=[("Content-Length", "1001")])
    response = client.read_response()
    assert (response.status, response["Connection"]) == (413, "close")
    client.expect_eof()
    stage.expect_nothing(node)


def test_max_body_chunked(stage: Stage) -> None:
    """Found on the way: the node hears `end`, never the empty closing body."""
    server = stage.serve(vhost={"max-body": 1000})
    node, client = stage.node(), stage.client()
    client.send_head(method="POST", headers=[("Transfer-Encoding", "chunked")])
    sid = node.expect_request().sid
    client.send(b"3e8\r\n%s\r\n1\r\nx\r\n0\r\n\r\n" % (b"x" * 1000))
    response = client.read_response()
    assert (response.status, response["Connection"]) == (413, "close")
    client.expect_eof()
    received = 0
    while (message := node.receive()).type == b"body":
        received += len(message.body)
        assert message.body
    assert (message.type, message.sid) == (b"end", sid)
    assert received <= 1000
    stage.expect_nothing(node)
    assert server.exchanges[0].status == 413


@pytest.mark.parametrize("chunked", [False, True])
def test_exactly_max_body(stage: Stage, chunked: bool) -> None:
    stage.serve(vhost={"max-body": 1000})
    stage.app()
    client = stage.client()
    if chunked:
        client.send_head(method="POST", headers=[("Transfer-Encoding", "chunked")])
        client.send(b"3e8\r\n%s\r\n0\r\n\r\n" % (b"x" * 1000))
    else:
        client.post(b"x" * 1000)
    assert client.read_response().body == b"POST / " + b"x" * 1000


def test_refusal_reaches_a_client_that_is_still_sending(stage: Stage) -> None:
    """FIN first, then input is discarded up to `linger`: the answer isn't lost to a reset."""
    stage.serve(vhost={"max-body": 1000})
    client = stage.client()
    client.send_head(method="POST", headers=[("Content-Length", "250000")])
    assert client.wait_input(5)
    client.send(b"x" * 250_000)
    assert client.read_response().status == 413
    client.expect_eof()


def test_lingering_is_bounded(stage: Stage) -> None:
    """A client that neither reads nor leaves is left after `linger-time`."""
    server = stage.serve(vhost={"max-body": 1000, "linger-time": 0.2})
    client = stage.client()
    client.send_head(method="POST", headers=[("Content-Length", "250000")])
    server.wait_counter("connections.closed")
    assert client.read_response().status == 413


SIZES: dict[str, tuple[Table, bytes, int]] = {
    "max-head": ({"max-head": 1024}, request_head(headers=[("X-A", "x" * 1024)]), 431),
    "max-head of many fields": ({"max-head": 1024}, request_head(headers=[("X-A", "x" * 90)] * 11), 431),
    "max-head without an end": ({"max-head": 1024}, request_head()[:-2] + b"X-A: " + b"x" * 2000, 431),
    "max-uri": ({"max-uri": 100}, request_head("/" + "x" * 100), 414),
    "max-uri without an end": ({"max-uri": 100, "max-head": 1024}, b"GET /" + b"x" * 1015, 414),
    "max-headers": ({"max-headers": 10}, request_head(headers=[("X-A", "1")] * 10), 431),
}


@pytest.mark.parametrize("name", SIZES)
def test_head_limits(stage: Stage, name: str) -> None:
    settings, raw, status = SIZES[name]
    stage.serve(settings)
    node, client = stage.node(), stage.client()
    client.send(raw)
    response = client.read_response()
    assert (response.status, response["Connection"]) == (status, "close")
    client.expect_eof()
    stage.expect_nothing(node)


@pytest.mark.parametrize(
    ("settings", "raw"),
    [
        ({"max-uri": 100}, request_head("/" + "x" * 99)),
        ({"max-headers": 10}, request_head(headers=[("X-A", "1")] * 9)),
        ({"max-head": 1024}, request_head(headers=[("X-A", "x" * (1024 - len(request_head()) - 7))])),
    ],
)
def test_heads_of_exactly_the_limit(stage: Stage, settings: Table, raw: bytes) -> None:
    stage.serve(settings)
    stage.app()
    client = stage.client()
    client.send(raw)
    assert client.read_response().status == 200


# ---------------------------------------------------------------- sessions


@pytest.mark.parametrize("scope", ["server", "vhost"])
def test_sessions(stage: Stage, scope: str) -> None:
    """503 with `Retry-After` over the limit; a place that becomes free is taken."""
    limit = {"sessions": 1}
    server = stage.serve(limit if scope == "server" else {}, limit if scope == "vhost" else {})
    node, client, other = stage.node(), stage.client(), stage.client()
    sid = stage.exchange(node, client)
    other.get()
    response = other.read_response()
    assert response.status == 503 and int(response["Retry-After"]) > 0
    stage.exchange(node, client, "/again")
    client.close()
    node.expect_end(sid)
    stage.exchange(node, other)
    assert [view.reason for view in server.exchanges][1] == CloseReason.LIMIT


def test_sessions_of_another_virtualhost(stage: Stage) -> None:
    """One virtualhost's limit is not the other's."""
    stage.serve(vhosts={"app.test": {"node": "app", "sessions": 1}, "other.test": {"node": "other"}})
    node, other = stage.node("app"), stage.node("other")
    stage.exchange(node, stage.client())
    client = stage.client()
    client.get(host="other.test")
    other.respond(other.expect_request().sid, b"fine")
    assert client.read_response().body == b"fine"


@pytest.mark.parametrize("scope", ["server", "vhost"])
def test_a_crowd_over_the_limit_is_refused_and_everybody_inside_is_served(stage: Stage, scope: str) -> None:
    """Each of the crowd gets its 503, all of it is counted, and who had a session keeps it."""
    crowd = 40
    limit: Table = {"sessions": 5}
    hosts: dict[str, Table] = {"app.test": {"node": "app"}, "other.test": {"node": "other"}}
    if scope == "vhost":
        hosts["app.test"] = {"node": "app", **limit}
    server = stage.serve(limit if scope == "server" else {}, vhosts=hosts)
    node, other = stage.node(), stage.node("other")
    inside = [stage.client() for _ in range(5)]
    for client in inside:
        stage.exchange(node, client)
    clients = [stage.client() for _ in range(crowd)]
    for client in clients:
        client.get()
    for client in clients:
        response = client.read_response()
        assert (response.status, response["Retry-After"]) == (503, "5")
    for client in inside:
        stage.exchange(node, client, "/again")
    assert [view.reason for view in server.exchanges].count(CloseReason.LIMIT) == crowd
    assert server.counters["answers.503"] == crowd
    last = stage.client()
    last.get(host="other.test")
    if scope == "vhost":  # its own limit is nobody else's
        other.respond(other.expect_request().sid, b"fine")
        assert last.read_response().body == b"fine"
    else:
        assert last.read_response().status == 503


# ---------------------------------------------------------------- times


def test_response_timeout_counts_from_the_last_byte(stage: Stage) -> None:
    """An upload in progress is a sign of life; the 504 comes when it is over and nobody answers."""
    server = stage.serve(vhost={"response-timeout": 0.3})
    node, client = stage.node(), stage.client()
    client.send_head(method="POST", headers=[("Content-Length", "10")])
    sid = node.expect_request().sid
    for _ in range(10):
        assert not client.wait_input(0.06)
        client.send(b"x")
        node.expect_body(sid, 1)
    response = client.read_response()
    assert response.status == 504
    node.expect_end(sid)
    assert server.exchanges[0].reason == CloseReason.RESPONSE_TIMEOUT


def test_idle_timeout_counts_from_the_last_byte(stage: Stage) -> None:
    """A stream that says something now and then goes on."""
    stage.serve(vhost={"idle-timeout": 0.3, "response-timeout": 0.3})
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send(sid, "headers", head())
    client.read_head()
    for _ in range(8):
        assert not client.wait_input(0.06)
        node.send(sid, "chunk", b"x")
        assert client.read_chunk() == b"x"
    node.send(sid, "chunk")
    assert client.read_chunk() == b""


def test_timeout_sets_both(stage: Stage) -> None:
    """The original's `timeout` is the default of `response-timeout` and `idle-timeout`."""
    stage.serve(vhost={"timeout": 0.2})
    node, waiting, streaming = stage.node(), stage.client(), stage.client()
    waiting.get()
    first = node.expect_request().sid
    assert waiting.read_response().status == 504
    node.expect_end(first)
    streaming.get()
    second = node.expect_request().sid
    node.send(second, "headers", head())
    streaming.read_head()
    streaming.expect_eof()
    node.expect_end(second)


def test_no_timeouts(stage: Stage) -> None:
    """0 means none."""
    none = dict.fromkeys(
        ("keep-alive", "body-timeout", "response-timeout", "idle-timeout", "write-timeout"), 0
    )
    stage.serve({"header-timeout": 0, "ping-freq": 0.1}, none)
    node, client = stage.node(), stage.client()
    client.send(b"POST / HTTP/1.1\r\n")
    for part in (b"Host: app.test\r\nContent-Length: 1\r\n\r\n", b"x"):
        node.wait_ping()
        client.send(part)
    request = node.expect_request()
    node.expect_body(request.sid, 1)
    node.wait_ping()
    node.respond(request.sid, b"ok")
    assert client.read_response().body == b"ok"
    node.wait_ping()
    assert stage.exchange(node, client) == request.sid


# ---------------------------------------------------------------- bytes waiting for a client


def test_writequeue_buffer(stage: Stage) -> None:
    """A node without credit may run ahead by so much; then its session ends with `slow-client`."""
    server = stage.serve({"writequeue-buffer": "1MiB"})
    node, client = stage.node(), stage.client(receive_buffer=4096)
    client.get()
    sid = node.expect_request().sid
    node.send(sid, "headers", head())
    for _ in range(160):
        node.send(sid, "chunk", b"x" * 65536)
    node.expect_end(sid)
    assert server.wait_exchanges(1)[0].reason == CloseReason.SLOW_CLIENT
    assert not client.read_to_eof().endswith(b"0\r\n\r\n")


def test_one_message_may_overshoot(stage: Stage) -> None:
    """What was queued before the message counts, not the message: a large response in one piece is fine."""
    stage.serve({"writequeue-buffer": "1MiB"})
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    body = b"x" * 8_000_000
    node.send(sid, "headers", head(headers=[("Content-Length", str(len(body)))]) + body)
    assert client.read_response().body == body


@pytest.mark.parametrize("scope", ["server", "vhost"])
def test_memory(stage: Stage, scope: str) -> None:
    """Over the sum the largest queue is closed; the others go on."""
    memory: Table = {"memory": "4MiB"}
    server = stage.serve(
        {"writequeue-buffer": "32MiB", **(memory if scope == "server" else {})},
        {**(memory if scope == "vhost" else {})},
    )
    node = stage.node()
    greedy, modest, other = (
        stage.client(receive_buffer=4096),
        stage.client(receive_buffer=4096),
        stage.client(),
    )
    sids = {}
    for name, client, pieces in (("modest", modest, 16), ("greedy", greedy, 200)):
        client.get(f"/{name}")
        sid = sids[name] = node.expect_request().sid
        node.send(sid, "headers", head())
        for _ in range(pieces):
            node.send(sid, "chunk", b"x" * 65536)
    node.expect_end(sids["greedy"])
    assert server.wait_exchanges(1)[0].reason == CloseReason.MEMORY
    stage.exchange(node, other)
    node.send(sids["modest"], "chunk")
    assert len(modest.read_response().body) == 16 * 65536


def test_slow_clients_of_one_virtualhost_cost_no_other_its_answers(stage: Stage) -> None:
    """Many with little each: together they are over its `memory`, none is over a bound of its own."""
    server = stage.serve(
        vhosts={"app.test": {"node": ["app"], "memory": "1MiB"}, "other.test": {"node": ["other"]}}
    )
    node, other = stage.node(), stage.node("other")
    for _ in range(20):
        client = stage.client(receive_buffer=4096)
        client.get()
        while (message := node.receive()).type == b"end":  # of one that was closed
            pass
        node.send(message.sid, "headers", head())
        for _ in range(60):
            node.send(message.sid, "chunk", b"x" * 65536)
    server.wait_counter("connections.given-up.memory")
    wiring = server.server.wiring
    assert wiring is not None
    assert server.call(lambda: wiring.account.total) <= 1024 * 1024
    good, body = stage.client(), bytes(range(256)) * 4096
    good.get(host="other.test")
    other.respond(other.expect_request().sid, body)
    assert good.read_response().body == body
