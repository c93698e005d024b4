"""A running server that asks a running service: what clients, nodes, counters and logs get."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from forward_auth_case import PLUGINS, RealService

Start = Callable[..., Any]


@pytest.fixture
def real() -> Iterator[RealService]:
    service = RealService()
    yield service
    service.close()


@pytest.fixture
def serve(blastbeat_server: Start, real: RealService) -> Start:
    def start(vhost: Any = None, **options: Any) -> Any:
        authenticator = {"name": "forward-auth", "url": real.url, **options}
        vhosts = {"*": {"request-authenticators": [authenticator], **(vhost or {})}}
        return blastbeat_server(plugins=PLUGINS, toml={"vhost": vhosts})

    return start


@pytest.mark.parametrize("encoder", ["uwsgi", "headers"])
def test_who_is_let_in_and_what_the_node_is_told(
    serve: Start, real: RealService, blastbeat_node: Start, blastbeat_client: Start, encoder: str
) -> None:
    server = serve(
        {"request-encoder": encoder},
        **{"response-headers": "X-User,X-Groups", "user-header": "X-User", "authorization": "remove"},
    )
    node, client = blastbeat_node(), blastbeat_client()
    real.answers["/private"] = (302, [("Location", "/login"), ("Set-Cookie", "rd=1")], b"please log in")
    sent = client.get("/private")
    assert (sent.status, sent["Location"], sent["Set-Cookie"]) == (302, "/login", "rd=1")
    assert sent.text == "please log in"
    real.default = (200, [("X-User", "anna")], b"")
    forged = {"X-User": "root", "X-Groups": "wheel", "x-GROUPS": "adm", "Authorization": "Basic YTpi"}
    assert client.post("/open?q", b"body", forged).text == "POST /open?q body"
    (request,) = node.requests
    assert request.headers["x-user"] == "anna"
    assert "x-groups" not in request.headers and "authorization" not in request.headers
    if encoder == "uwsgi":
        assert request.variables["REMOTE_USER"] == "anna"
    asked = real.asked[-1]
    assert (asked["x-forwarded-method"], asked["x-forwarded-uri"]) == ("POST", "/open?q")
    assert (asked["x-forwarded-for"], asked["x-forwarded-host"]) == ("127.0.0.1", "app.test")
    assert asked["authorization"] == "Basic YTpi" and "content-length" not in asked
    assert [view.user for view in server.wait_exchanges(2)] == [b"", b"anna"]
    assert server.counters["forward-auth.asked"] == 2 and server.counters["forward-auth.refused"] == 1


def test_no_spelling_of_a_field_gets_past_it(
    serve: Start, blastbeat_node: Start, blastbeat_client: Start
) -> None:
    serve(**{"response-headers": "X-User"})
    node, client = blastbeat_node(), blastbeat_client()
    for fields in (
        [("X-User", "root")],
        [("x-user", "root"), ("X-USER", "root")],
        [("X_User", "root"), ("X-User", "")],
        [("X-User", "root"), ("Connection", "x-user")],
    ):
        client.get("/", fields)
    assert not any("HTTP_X_USER" in request.variables for request in node.requests)
    assert len(node.requests) == 4


def test_websockets(serve: Start, real: RealService, blastbeat_node: Start, blastbeat_client: Start) -> None:
    serve(**{"user-header": "X-User"})
    node = blastbeat_node()
    real.default = (401, [("WWW-Authenticate", "Basic")], b"")
    with pytest.raises(AssertionError, match="401"):
        blastbeat_client().websocket("/")
    real.default = (200, [("X-User", "anna")], b"")
    websocket = blastbeat_client().websocket("/")
    websocket.send("hello")
    assert websocket.receive() == "hello"
    assert node.requests[0].variables["REMOTE_USER"] == "anna"
    websocket.close()


def test_a_service_that_is_silent_costs_503_and_nobody_else(
    serve: Start, real: RealService, blastbeat_node: Start, blastbeat_client: Start
) -> None:
    server = serve(timeout="100ms", cache="1m", **{"cache-by": "cookie"})
    blastbeat_node()
    known, new = blastbeat_client(), blastbeat_client()
    while known.get("/", {"Cookie": "sid=1"}).status != 200:
        pass  # on a busy machine the first answers may come too late
    before = server.counters["forward-auth.unavailable"]
    real.hold = threading.Event()
    assert known.get("/", {"Cookie": "sid=1"}).status == 200
    late = new.get("/", {"Cookie": "sid=2"})
    assert late.status == 503 and late["Retry-After"] == "5"
    assert server.counters["forward-auth.unavailable"] == before + 1
    assert server.counters["forward-auth.remembered"] == 1
    assert "no answer within" in server.wait_exchanges(before + 3)[-1].detail


def test_a_client_that_leaves_ends_its_question(
    serve: Start, real: RealService, blastbeat_node: Start, blastbeat_client: Start
) -> None:
    server = serve(connections="1", waiting="0")
    blastbeat_node()
    client, other = blastbeat_client(), blastbeat_client()
    real.hold = threading.Event()
    client.send_request("GET", "/")
    assert real.arrived.acquire(timeout=5)
    assert other.get("/").status == 503, "the only place is taken"
    client.close()
    server.wait_exchanges(2)
    real.hold.set()
    assert other.get("/").status == 200


def test_cookies_of_a_consent_reach_the_client(
    serve: Start, real: RealService, blastbeat_node: Start, blastbeat_client: Start
) -> None:
    serve({"filters": ["forward-auth-cookies names=sid"]})
    blastbeat_node()
    real.default = (200, [("Set-Cookie", "sid=2; HttpOnly"), ("Set-Cookie", "other=1")], b"")
    assert blastbeat_client().get("/")["Set-Cookie"] == "sid=2; HttpOnly"


def test_a_reload_closes_the_connections_that_nobody_uses_any_more(
    serve: Start, real: RealService, blastbeat_node: Start, blastbeat_client: Start
) -> None:
    server = serve()
    blastbeat_node()
    client = blastbeat_client()
    assert client.get("/").status == client.get("/").status == 200
    assert real.connections == 1 and not real.ended.acquire(blocking=False)
    authenticator = {"name": "forward-auth", "url": real.url, "timeout": "4s"}
    server.reload({"vhost": {"*": {"request-authenticators": [authenticator]}}})
    assert real.ended.acquire(timeout=5)
    assert client.get("/").status == 200 and real.connections == 2
