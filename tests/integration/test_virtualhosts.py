"""`protocol.md` §7: which virtualhost a request belongs to."""

from __future__ import annotations

import pytest

from tests.helpers.client import request_head
from tests.helpers.settings import Table
from tests.helpers.stage import Stage

VHOSTS: dict[str, Table] = {
    "app.test": {"node": "plain", "alias": ["www.app.test", "alias.test:8000"]},
    "app.test:8000": {"node": "port"},
    "*.app.test": {"node": "suffix"},
    "*.deep.app.test": {"node": "longer"},
    "default.test:80": {"node": "eighty"},
    "*": {"node": "any"},
}


@pytest.mark.parametrize(
    ("host", "node"),
    [
        ("app.test", "plain"),
        ("APP.Test", "plain"),
        ("app.test.", "plain"),
        ("app.test:9999", "plain"),
        ("app.test:8000", "port"),
        ("App.TEST.:8000", "port"),
        ("www.app.test", "plain"),
        ("alias.test:8000", "plain"),
        ("alias.test", "any"),
        ("x.app.test", "suffix"),
        ("y.x.app.test:1", "suffix"),
        ("x.deep.app.test", "longer"),
        ("deep.app.test", "suffix"),
        ("xapp.test", "any"),
        ("default.test", "eighty"),
        ("default.test:81", "any"),
        ("127.0.0.1", "any"),
        ("[::1]:80", "any"),
    ],
)
def test_matching(stage: Stage, host: str, node: str) -> None:
    stage.serve(vhosts=VHOSTS)
    for name in ("plain", "port", "suffix", "longer", "eighty", "any"):
        stage.app(name, lambda request, name=name: name.encode())  # type: ignore[misc]
    client = stage.client()
    client.get(host=host)
    assert client.read_response().body == node.encode()


def test_server_name_and_port(stage: Stage) -> None:
    """The virtualhost's; for a wildcard the host asked for; the listener's port where the name has none."""
    server = stage.serve(
        vhosts={"app.test:8000": {"node": "app", "alias": "alias.test"}, "*.wild.test": {"node": "app"}}
    )
    node, client = stage.node(), stage.client()
    expected = {
        "app.test:8000": ("app.test", "8000"),
        "alias.test": ("app.test", "8000"),
        "x.wild.test:99": ("x.wild.test", str(server.port)),
    }
    for host, (name, port) in expected.items():
        client.get(host=host)
        request = node.expect_request()
        assert (request["SERVER_NAME"], request["SERVER_PORT"]) == (name, port)
        node.respond(request.sid)
        assert client.read_response().status == 200
        client.close()
        node.expect_end(request.sid)
        client = stage.client()


def test_no_such_virtualhost(stage: Stage) -> None:
    """404 with a short text; the connection may go on to a host that exists."""
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get("/x", host="nowhere.test")
    response = client.read_response()
    assert response.status == 404 and response.body
    assert response["Content-Type"].startswith("text/plain")
    stage.exchange(node, client)
    view = server.wait_exchanges(1)[0]
    assert (view.status, view.host, view.virtualhost, view.identity) == (404, b"nowhere.test", "", "")


def test_old_request_without_host(stage: Stage) -> None:
    """HTTP/1.0 without `Host` is for `*` only."""
    stage.serve()
    client = stage.client()
    client.send(request_head(host=None, version="1.0"))
    assert client.read_response().status == 404
    client.expect_eof()


def test_virtualhost_on_its_own_listener(stage: Stage) -> None:
    """One with a `bind` of its own is reachable there only, the others on the shared one only."""
    server = stage.serve(
        vhosts={"app.test": {"node": "app"}, "own.test": {"node": "own", "bind": "127.0.0.2:0"}},
    )
    stage.app("app", lambda request: b"shared")
    stage.app("own", lambda request: b"own")
    answers = {}
    for address in server.server.addresses:
        for host in ("app.test", "own.test"):
            client = stage.client(address=(address.host, address.port))
            client.get(host=host)
            response = client.read_response()
            answers[address.host, host] = response.body if response.status == 200 else response.status
    assert answers == {
        ("127.0.0.1", "app.test"): b"shared",
        ("127.0.0.1", "own.test"): 404,
        ("127.0.0.2", "own.test"): b"own",
        ("127.0.0.2", "app.test"): 404,
    }


def test_virtualhost_with_its_own_router(stage: Stage) -> None:
    """The same name on another ROUTER is another node."""
    endpoint = f"ipc://{stage.folder}/own"
    server = stage.serve(
        vhosts={"app.test": {"node": "app"}, "own.test": {"node": "app", "zmq": endpoint}},
    )
    shared, own = stage.node(), stage.node(endpoint=endpoint)
    client, other = stage.client(), stage.client()
    client.get(host="own.test")
    sid = own.expect_request().sid
    shared.respond(sid, b"wrong")
    other.get()
    shared.respond(shared.expect_request().sid, b"shared")
    assert other.read_response().body == b"shared"
    own.respond(sid, b"own")
    assert client.read_response().body == b"own"
    dropped = (
        server.counters["messages.dropped.unknown-sid"] + server.counters["messages.dropped.other-session"]
    )
    assert dropped == 2


def test_all_endpoints_of_a_list_are_one_router(stage: Stage) -> None:
    """A node is the same whichever endpoint it dials."""
    endpoint = f"ipc://{stage.folder}/also"
    stage.serve({"zmq": ["tcp://127.0.0.1:*", endpoint]}, {"node": ["a", "b"]})
    stage.app("a", lambda request: b"a")
    stage.app("b", lambda request: b"b", endpoint=endpoint)
    answers = set()
    for _ in range(2):
        client = stage.client()  # stays open: the next one goes to the node with fewer sessions
        client.get()
        answers.add(client.read_response().body)
    assert answers == {b"a", b"b"}
