"""`address` over real sockets: nodes and clients from addresses of the loopback network."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.events import CloseReason
from tests.helpers.node import ScriptedNode, head
from tests.helpers.settings import Table
from tests.helpers.stage import Stage

NODES: Table = {"node-authenticators": ["identity", "address allow=127.0.0.1"], "node-grace": 30}


def node_from(stage: Stage, address: str, name: str = "app", **options: Any) -> ScriptedNode:
    """A node whose connection comes from `address`; it has said nothing."""
    target = stage.server.endpoint.removeprefix("tcp://")
    return stage.node(name, endpoint=f"tcp://{address}:0;{target}", announce=False, **options)


def available(stage: Stage, node: ScriptedNode) -> None:
    node.pong()
    node.wait_spawn()


def test_a_node_from_elsewhere_gets_nothing(stage: Stage) -> None:
    server = stage.serve(vhost=NODES)
    stranger, client = node_from(stage, "127.0.0.2"), stage.client()
    stranger.pong()
    server.wait_counter("messages.dropped.not-authenticated")
    client.get()
    assert client.read_response().status == 503
    assert "app speaks from 127.0.0.2, and nobody lets that in" in server.log_text
    node = node_from(stage, "127.0.0.1", "app/1")
    available(stage, node)
    stage.exchange(node, client)


def test_one_that_has_said_nothing_yet_gets_nothing(stage: Stage) -> None:
    """Nobody knows from where it is."""
    server = stage.serve(vhost=NODES)
    node, client = node_from(stage, "127.0.0.1", answer_pings=False), stage.client()
    assert node.receive().type == b"ping"
    client.get()
    assert client.read_response().status == 503
    node.send(b"", "pong")
    server.wait_until(lambda: any(table_allows(stage)), "let in")
    client.get()
    while (message := node.receive()).type in (b"ping", b"spawn"):
        pass
    assert message.type == b"uwsgi"
    node.respond(message.sid, b"hello")
    assert client.read_response().body == b"hello"


def table_allows(stage: Stage) -> list[bool]:
    wiring = stage.server.server.wiring
    assert wiring is not None
    return [bool(each.allowed) for table in wiring.dispatcher.tables.values() for each in table]


def test_an_impostor_gets_no_word_into_a_session(stage: Stage) -> None:
    """It takes the name as soon as it is free, and knows a sid: the first message is one too many."""
    server = stage.serve(vhost=NODES)
    node, client = node_from(stage, "127.0.0.1"), stage.client()
    available(stage, node)
    client.post(b"data")
    sid = node.expect_request().sid
    node.close()
    server.wait_counter("nodes.silent")
    impostor = node_from(stage, "127.0.0.2")
    impostor.send(sid, "headers", head(headers=[("Content-Length", "4")]) + b"evil")
    server.wait_counter("messages.dropped.not-authenticated")
    response = client.read_response()
    assert response.status == 502 and b"evil" not in response.body
    assert server.wait_exchanges(1)[0].reason is CloseReason.NODE_GONE
    client = stage.client()
    client.get()
    assert client.read_response().status == 503, "nor does it get new ones"


def test_the_same_node_from_another_address_that_is_allowed(stage: Stage) -> None:
    """It keeps its sessions."""
    stage.serve(vhost={**NODES, "node-authenticators": "address allow=127.0.0.0/30"})
    node, client = node_from(stage, "127.0.0.1"), stage.client()
    available(stage, node)
    sid = stage.exchange(node, client)
    node._endpoint = node._endpoint.replace("127.0.0.1:0;", "127.0.0.2:0;")
    client.get("/2")
    node.expect_request(sid)
    node.reconnect()
    node.respond(sid, b"moved")
    assert client.read_response().body == b"moved"


def test_virtualhosts_on_one_router_may_differ(stage: Stage) -> None:
    stage.serve(
        vhosts={
            "strict.test": {"node": "app", "node-authenticators": "address deny=127.0.0.2"},
            "app.test": {"node": "app"},
        }
    )
    node, client = node_from(stage, "127.0.0.2"), stage.client()
    available(stage, node)
    client.get(host="strict.test")
    assert client.read_response().status == 503
    stage.exchange(node, client)


@pytest.mark.parametrize(("option", "status"), [("", 503), (" ipc=yes", 200)])
def test_a_node_on_a_socket_file(stage: Stage, option: str, status: int) -> None:
    endpoint = f"ipc://{stage.folder}/nodes.sock"
    authenticators = [f"address allow=127.0.0.1{option}"]
    server = stage.serve(vhost={"zmq": [endpoint], "node-authenticators": authenticators})
    node, client = stage.node(endpoint=endpoint, announce=False), stage.client()
    node.pong()
    if status == 503:
        server.wait_counter("messages.dropped.not-authenticated")
        client.get()
        assert client.read_response().status == 503
    else:
        node.wait_spawn()
        stage.exchange(node, client)


def test_strangers_fill_no_places(stage: Stage) -> None:
    server = stage.serve(vhost={**NODES, "instances": 1})
    for number in range(3):
        node_from(stage, "127.0.0.2", f"app/x{number}").pong()
    server.wait_counter("messages.dropped.not-authenticated", 3)
    node = node_from(stage, "127.0.0.1", "app/1")
    available(stage, node)
    stage.exchange(node, stage.client())


# ---------------------------------------------------------------- clients


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ("allow=127.0.0.1", 200),
        ("allow=10.0.0.0/8", 403),
        ("deny=127.0.0.0/8", 403),
        ("deny=10.0.0.0/8", 200),
        ('allow="127.0.0.0/8, ::1" deny=127.0.0.1', 403),
    ],
)
def test_clients_may_come_from_some_networks(stage: Stage, options: str, status: int) -> None:
    server = stage.serve(vhost={"request-authenticators": f"address {options}"})
    node, client = stage.node(), stage.client()
    if status == 200:
        stage.exchange(node, client)
        return
    client.get()
    response = client.read_response()
    assert (response.status, response.body) == (403, b"403 Forbidden\n")
    view = server.wait_exchanges(1)[0]
    assert view.reason is CloseReason.REFUSED and view.detail == "address 127.0.0.1 is not allowed"
    assert server.counters["sessions.opened"] == 0


@pytest.mark.parametrize("trusted", [True, False])
def test_what_trusted_proxies_say_counts(stage: Stage, trusted: bool) -> None:
    proxies = {"trusted-proxies": "127.0.0.1"} if trusted else {}
    stage.serve(proxies, {"request-authenticators": "address allow=192.0.2.0/24"})
    stage.app()
    client = stage.client()
    client.get(headers=[("X-Forwarded-For", "192.0.2.7")])
    assert client.read_response().status == (200 if trusted else 403)
    client.get(headers=[("X-Forwarded-For", "192.0.2.7, 192.0.3.7")])
    assert client.read_response().status == 403
