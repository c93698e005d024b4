"""A request that goes to a route: whose rules hold, which session it is in, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.events import CloseReason
from blastbeat.interfaces import Answer, Filter, RequestView
from blastbeat.paths import is_below
from blastbeat.plugins.uwsgi_encoder import UwsgiEncoder
from tests.helpers.engine import Engine, request_head, upload_head
from tests.helpers.engine_fakes import FakeClient
from tests.helpers.uwsgi import read_pairs


class Refuse(Filter):
    def __init__(self) -> None:
        self.paths: list[bytes] = []

    def on_request(self, view: RequestView) -> Answer:
        self.paths.append(view.path)
        return Answer(403)


def test_a_route_has_nodes_of_its_own() -> None:
    engine = Engine()
    engine.add_route("/api", ["api"])
    stream = engine.stream()
    session = engine.request(stream, request_head(b"/api/x"))
    assert session is not None and session.instance.node == "api"
    engine.respond(session)
    view = engine.recorder.exchange
    assert (view.virtualhost, view.route, view.identity) == ("app.test", "/api", "api")


def test_the_session_follows_the_route() -> None:
    """§2: it belongs to one node; a request for another route begins a new one."""
    engine, client = Engine(), FakeClient()
    engine.add_route("/api", ["api"])
    stream = engine.stream(client)
    first = engine.request(stream, request_head(b"/api"))
    engine.respond(first)
    assert engine.request(stream, request_head(b"/api/2")) is first
    engine.respond(first)
    second = engine.request(stream, request_head(b"/"))
    assert second is not first and second is not None and second.instance.node == "app"
    assert engine.heard(first)[-1] == (b"end", b"")
    assert engine.recorder.closed[0].reason is CloseReason.OTHER_VIRTUALHOST
    engine.respond(second)
    third = engine.request(stream, request_head(b"/api"))
    assert third is not None and third is not first and third.instance.node == "api"
    engine.respond(third)
    assert client.statuses == [200, 200, 200, 200]


def test_a_route_on_the_same_node_is_another_session_too() -> None:
    engine = Engine()
    engine.add_route("/api")
    stream = engine.stream()
    first = engine.request(stream, request_head(b"/api"))
    engine.respond(first)
    assert engine.request(stream, request_head(b"/")) is not first


def test_its_limits_are_its_own() -> None:
    engine, client = Engine(policy={"max_body": 10}), FakeClient()
    engine.add_route("/upload", policy={"max_body": 1000})
    stream = engine.stream(client)
    head = upload_head(500)
    head.target = head.path = b"/upload"
    assert engine.request(stream, head, ends=False) is not None
    assert stream.policy.max_body == 1000
    other = engine.stream(client)
    assert engine.request(other, upload_head(500), ends=False) is None
    assert client.statuses == [413]


def test_its_sessions_are_limited_and_count_for_the_whole() -> None:
    engine = Engine(policy={"sessions": 2})
    engine.add_route("/api", policy={"sessions": 1})
    clients = [FakeClient() for _ in range(4)]
    targets = [b"/api", b"/api", b"/", b"/"]
    for client, target in zip(clients, targets, strict=True):
        engine.request(engine.stream(client), request_head(target))
    assert [client.statuses for client in clients] == [[], [503], [], [503]]
    details = [view.detail for view in engine.recorder.exchanges]
    assert details == ["the route's 1 sessions are in use", "the virtualhost's 2 sessions are in use"]


@pytest.mark.parametrize("target", [b"/admin", b"/x/%2e%2e/admin", b"//admin/", b"/admin;x", b"/.\\admin"])
def test_no_spelling_gets_around_a_route_or_its_filters(target: bytes) -> None:
    refuse = Refuse()
    engine, client = Engine(), FakeClient()
    engine.add_route("/admin", filters=[refuse])
    engine.request(engine.stream(client), request_head(target))
    assert client.statuses == [403] and not engine.router.sent
    assert [path.rstrip(b"/") for path in refuse.paths] == [b"/admin"]


@pytest.mark.parametrize("target", [b"/admin%00", b"/%00/../admin", b"/x%00?y"])
def test_a_zero_byte_in_the_path_is_refused(target: bytes) -> None:
    engine, client = Engine(), FakeClient()
    engine.add_route("/admin")
    engine.request(engine.stream(client), request_head(target))
    assert client.statuses == [400] and not engine.router.sent
    assert engine.recorder.exchange.detail == "a zero byte in the path"


def test_elsewhere_it_is_the_nodes_to_judge() -> None:
    engine, client = Engine(), FakeClient()
    assert engine.request(engine.stream(client), request_head(b"/a%00")) is not None
    engine.add_route("/admin")
    assert engine.request(engine.stream(client), request_head(b"/a?%00")) is not None


class Guard(Filter):
    """Keeps everybody from what is below /admin."""

    def on_request(self, view: RequestView) -> Answer | None:
        return Answer(403) if is_below(view.path, b"/admin") else None


@pytest.mark.parametrize(
    ("target", "status", "path_info"),
    [
        (b"/x", 0, b"/x"),
        (b"/x//y;z", 0, b"/x//y;z"),
        (b"/x/../admin", 403, b""),
        (b"//admin", 403, b""),
        (b"/admin/../x", 0, b"/x"),
        (b"/admin/%2e%2e/x", 0, b"/x"),
        (b"/admin\\..\\x", 0, b"/x"),
        (b"/admin/..;/x", 0, b"/x"),
        (b"/adm%00in", 400, b""),
    ],
)
def test_what_a_filter_let_pass_is_what_the_node_sees(target: bytes, status: int, path_info: bytes) -> None:
    """Also without routes: else `/admin/../x` would pass as `/x`, and be served by what is below /admin."""
    engine, client = Engine(filters=[Guard()], encode=UwsgiEncoder().encode_request), FakeClient()
    session = engine.request(engine.stream(client), request_head(target))
    assert client.statuses == ([status] if status else [])
    if session is not None:
        found = variables(engine, session)
        assert (found[b"PATH_INFO"], found[b"REQUEST_URI"]) == (path_info, target)


def test_a_virtualhost_that_is_nothing_but_its_routes() -> None:
    engine, client = Engine(nodes=()), FakeClient()
    engine.add_route("/api", ["api"])
    engine.request(engine.stream(client), request_head(b"/other"))
    assert client.statuses == [404]
    view = engine.recorder.exchange
    assert (view.detail, view.route) == ("no route of this virtualhost is for this request", "")


def variables(engine: Engine, session: Any) -> dict[bytes, bytes]:
    return dict(read_pairs(engine.heard(session)[0][1]))


@pytest.mark.parametrize(
    ("raw", "target", "path_info"),
    [
        (False, b"/api/a%20b?c", b"/a b"),
        (True, b"/api/a%20b?c", b"/a%20b"),
        (False, b"/%61pi/./a%20b", b"/a b"),
        (True, b"/%61pi/./a%20b", b"/a%20b"),
        (False, b"/api", b""),
    ],
)
def test_strip_prefix(raw: bool, target: bytes, path_info: bytes) -> None:
    engine = Engine()
    engine.add_route(
        "/api",
        strip_prefix=True,
        policy={"path_info": "raw" if raw else "decoded"},
        encode=UwsgiEncoder().encode_request,
    )
    session = engine.request(engine.stream(), request_head(target))
    found = variables(engine, session)
    assert (found[b"SCRIPT_NAME"], found[b"PATH_INFO"], found[b"REQUEST_URI"]) == (b"/api", path_info, target)
    assert found[b"HTTP_X_FORWARDED_PREFIX"] == b"/api"


def test_what_an_unknown_client_says_of_a_prefix_is_dropped() -> None:
    engine = Engine(encode=UwsgiEncoder().encode_request)
    engine.add_route("/api")
    head = request_head(b"/", headers=[(b"host", b"app.test"), (b"x-forwarded-prefix", b"/evil")])
    session = engine.request(engine.stream(), head)
    assert b"HTTP_X_FORWARDED_PREFIX" not in variables(engine, session)
