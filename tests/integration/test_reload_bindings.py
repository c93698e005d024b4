"""Reading the configuration again: addresses for clients and endpoints for nodes come, go and stay."""

from __future__ import annotations

import socket

import pytest

from blastbeat.errors import StartError
from tests.helpers.client import RawClient
from tests.helpers.node import ScriptedNode
from tests.helpers.server import RunningServer
from tests.helpers.settings import HOST, Table
from tests.helpers.stage import Stage

APP: Table = {"node": "app", "node-grace": 0.2}


@pytest.fixture
def ports() -> list[int]:
    """Free ones."""
    found = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    numbers = [each.getsockname()[1] for each in found]
    for each in found:
        each.close()
    return numbers


def get(client: RawClient, node: ScriptedNode, host: str = HOST) -> bytes:
    client.get(host=host)
    request = node.expect_request()
    node.respond(request.sid, b"ok")
    assert client.read_response().body == b"ok"
    return request.sid


def status(client: RawClient, host: str = HOST) -> int:
    client.get(host=host)
    return client.read_response().status


def can_connect(port: int) -> bool:
    try:
        RawClient(port).close()
    except ConnectionError:
        return False
    return True


# ---------------------------------------------------------------- clients


def test_addresses_come_and_go(stage: Stage, ports: list[int]) -> None:
    """Who is connected by one that goes, goes on."""
    one, two, three = ports
    server = stage.serve({"bind": [f"127.0.0.1:{one}", f"127.0.0.1:{two}"]})
    node = stage.node()
    kept, left = (stage.client(address=("127.0.0.1", port)) for port in (one, two))
    sids = get(kept, node), get(left, node)
    for _ in range(2):  # also over the next reload
        stage.reload({"bind": [f"127.0.0.1:{one}", f"127.0.0.1:{three}"]})
        assert (get(kept, node), get(left, node)) == sids
    assert not can_connect(two)
    fresh = stage.client(address=("127.0.0.1", three))
    get(fresh, node)
    assert [address.port for address in server.server.addresses] == [one, three]


def test_a_virtualhosts_own_address(stage: Stage, ports: list[int]) -> None:
    """It moves to an address of its own, and back; who came by the other way is served on."""
    own = ports[0]
    stage.serve(vhosts={HOST: APP})
    node, shared = stage.node(), stage.client()
    sid = get(shared, node)
    stage.reload(vhosts={HOST: {**APP, "bind": f"127.0.0.1:{own}"}})
    node.expect_end(sid)
    assert status(shared) == 404  # the shared address is still there, and leads here no more
    there = stage.client(address=("127.0.0.1", own))
    sid = get(there, node)
    stage.reload(vhosts={HOST: APP})
    node.expect_end(sid)  # of the virtualhost as it was
    assert not can_connect(own)
    get(there, node)
    get(shared, node)


def test_how_clients_speak_on_an_address_changes_for_new_ones(stage: Stage, ports: list[int]) -> None:
    address = f"127.0.0.1:{ports[0]}"
    trusted = {"trusted-proxies": "127.0.0.1"}
    stage.serve({"bind": address, **trusted})
    node, client = stage.node(), stage.client()
    sid = get(client, node)
    stage.reload({"bind": f"{address} proxy-protocol", **trusted})
    assert get(client, node) == sid
    proxied = stage.client()
    proxied.send(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n")
    proxied.get()
    request = node.expect_request()
    assert request["REMOTE_ADDR"] == "192.0.2.7"
    node.respond(request.sid)
    assert proxied.read_response().status == 200


def test_an_address_in_use_changes_nothing(stage: Stage, ports: list[int]) -> None:
    """Also not the endpoint that could be bound, and the virtualhost that could be added."""
    server = stage.serve({"bind": f"127.0.0.1:{ports[0]}"})
    node, client = stage.node(), stage.client()
    sid = get(client, node)
    config, connections = server.server.config, server.server.wiring
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wanted = {"bind": [f"127.0.0.1:{ports[1]}", f"127.0.0.1:{port}"]}
        own = {"zmq": f"ipc://{stage.folder}/own", "node": "x"}
        with pytest.raises(StartError, match=str(port)):
            stage.reload(wanted, vhosts={HOST: APP, "new.test": own})
    assert server.server.config is config and server.server.wiring is connections
    assert not can_connect(ports[1])
    assert get(client, node) == sid
    assert "in use" in server.log_text and "nothing has changed" in server.log_text
    assert server.counters["config.reloads-refused"] == 1


# ---------------------------------------------------------------- nodes


def leaving(server: RunningServer) -> int:
    return len(server.server.bindings.leaving)


def test_a_virtualhost_with_a_router_of_its_own_comes_and_goes(stage: Stage) -> None:
    """Its ROUTER is closed when the last session is over, and not before."""
    endpoint = f"ipc://{stage.folder}/own"
    server = stage.serve()
    stage.reload(vhosts={HOST: APP, "own.test": {"node": "app", "zmq": endpoint}})
    shared, own = stage.node(), stage.node(endpoint=endpoint)
    client, other = stage.client(), stage.client()
    client.get(host="own.test")
    sid = own.expect_request().sid
    get(other, shared)
    stage.reload()
    assert leaving(server) == 1 and status(stage.client(), "own.test") == 404
    own.respond(sid, b"finished")
    assert client.read_response().body == b"finished"
    own.expect_end(sid)
    server.wait_until(lambda: leaving(server) == 0, "the ROUTER is closed")
    assert len(server.server.wiring.dispatcher.tables) == 1  # type: ignore[union-attr]
    get(other, shared)


def test_a_router_that_is_wanted_again_before_it_is_closed(stage: Stage) -> None:
    own: Table = {"node": "app", "zmq": f"ipc://{stage.folder}/own"}
    server = stage.serve(vhosts={HOST: APP, "own.test": own})
    node = stage.node(endpoint=str(own["zmq"]))
    client, other = stage.client(), stage.client()
    client.get(host="own.test")
    sid = node.expect_request().sid
    stage.reload()
    stage.reload(vhosts={HOST: APP, "own.test": own})
    get(other, node, "own.test")
    node.respond(sid, b"finished")
    assert client.read_response().body == b"finished"
    assert leaving(server) == 0


def test_endpoints_of_the_server_come_and_go(stage: Stage) -> None:
    """It is one and the same ROUTER; an endpoint that goes stays bound for those that came by it."""
    one, two = (f"ipc://{stage.folder}/{name}" for name in ("one", "two"))
    server = stage.serve({"zmq": one}, vhosts={HOST: {"node": ["a", "b"]}})
    node, client = stage.node("a", endpoint=one), stage.client()
    sid = get(client, node)
    stage.reload({"zmq": [one, two]}, vhosts={HOST: {"node": ["a", "b"]}})
    stage.node("b", endpoint=two)
    assert get(client, node) == sid
    stage.reload({"zmq": two}, vhosts={HOST: {"node": ["a", "b"]}})
    assert get(client, node) == sid
    assert set(server.server.endpoints) == {one, two}
    assert f"zmq = {one!r}: stays bound until a restart" in server.log_text


def test_an_endpoint_does_not_move_to_another_router(stage: Stage) -> None:
    one, two = (f"ipc://{stage.folder}/{name}" for name in ("one", "two"))
    stage.serve({"zmq": [one, two]}, vhosts={HOST: APP})
    node, client = stage.node(endpoint=two), stage.client()
    sid = get(client, node)
    with pytest.raises(StartError, match="to move it takes a restart"):
        stage.reload({"zmq": one}, vhosts={HOST: APP, "own.test": {"node": "app", "zmq": two}})
    assert get(client, node) == sid


def test_an_endpoint_in_use_changes_nothing(stage: Stage) -> None:
    server = stage.serve()
    node, client = stage.node(), stage.client()
    sid = get(client, node)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=str(port)):
            stage.reload({"zmq": ["tcp://127.0.0.1:*", f"tcp://127.0.0.1:{port}"]})
    assert get(client, node) == sid and len(server.server.endpoints) == 1
