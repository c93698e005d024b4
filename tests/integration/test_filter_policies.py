"""What policies of a hosting provider ask of the engine, shown by small filters of the tests' own."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from blastbeat import hookimpl, validators
from blastbeat.errors import ClientError
from blastbeat.events import CloseReason
from blastbeat.interfaces import Answer, Filter, Options, Register, RequestView
from tests.helpers.node import head
from tests.helpers.server import RunningServer
from tests.helpers.settings import Table
from tests.helpers.stage import Stage


class Policies:
    """A plugin that registers filters of the classes it is given, each without options."""

    def __init__(self, **filters: type[Filter]) -> None:
        self.filters = filters
        self.made: dict[str, Any] = {}

    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None:
        for name, kind in self.filters.items():
            register(name, partial(self._make, name, kind))

    def _make(self, name: str, kind: type[Filter], options: Options) -> Filter:
        made = self.made[name] = kind()
        return made


def serve(stage: Stage, policies: Policies, vhost: Table) -> RunningServer:
    """Virtualhosts app.test, as `vhost` says, and plain.test without filters; both of the node `app`."""
    plain = {"node": "app"}
    return stage.serve(vhosts={"app.test": {**plain, **vhost}, "plain.test": plain}, plugins=[policies])


# ---------------------------------------------------------------- sessions


class OneSession(Filter):
    """Lets one session begin, and any number of requests in it."""

    def __init__(self) -> None:
        self.begun = 0

    def on_request(self, view: RequestView) -> Answer | None:
        if view.opens_session:
            if self.begun:
                return Answer(503, headers=[(b"Retry-After", b"9")], limit="sessions")
            self.begun += 1
        return None


def test_a_filter_bounds_sessions_and_not_their_requests(stage: Stage) -> None:
    server = serve(stage, Policies(one=OneSession), {"filters": "one"})
    node, client, late = stage.node(), stage.client(), stage.client()
    sid = stage.exchange(node, client)
    assert stage.exchange(node, client) == sid
    late.get()
    refused = late.read_response()
    assert (refused.status, refused["Retry-After"]) == (503, "9")
    websocket = stage.websocket()
    websocket.ask()
    websocket.expect_refused(503)
    assert stage.exchange(node, client) == sid
    assert server.counters["sessions.opened"] == 1


def test_a_websocket_in_a_session_that_is_open_opens_none(stage: Stage) -> None:
    serve(stage, Policies(one=OneSession), {"filters": "one"})
    node, websocket = stage.node(), stage.websocket()
    sid = stage.exchange(node, websocket.raw)
    websocket.handshake()
    assert node.expect_request().sid == sid
    websocket.send_text("there")
    assert node.expect("websocket", sid).body == b"there"
    websocket.finish()
    node.expect_end(sid)


# ---------------------------------------------------------------- refusals


class Refusing(Filter):
    """Refuses at the head of a request, or what of its body is over a thousand bytes, as the path says."""

    def on_request(self, view: RequestView) -> Answer | None:
        path = view.request.path
        if path in (b"/413", b"/429", b"/503"):
            status = int(path[1:])
            headers = [(b"Retry-After", b"17")]
            return Answer(status, headers=headers, reason=CloseReason.LIMIT, detail="plan", limit="plan")
        return None

    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        passed = view.notes[direction] = view.notes.get(direction, 0) + n
        if passed > 1000 and direction.encode() in view.request.path:
            raise ClientError(429, "too much", headers=[(b"Retry-After", b"17")], limit="plan-bytes")
        return 0.0


LARGE = 250_000
"""Bytes: less than `linger` takes, more than a socket does at once."""


@pytest.mark.parametrize("status", [413, 429, 503])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_large_body_is_refused_at_its_head(stage: Stage, status: int, is_chunked: bool) -> None:
    """The answer comes without waiting for the body; that is read up to `linger`, so that no reset eats the
    answer; nothing reaches the node."""
    server = serve(stage, Policies(refusing=Refusing), {"filters": "refusing"})
    node, client = stage.node(), stage.client()
    length = ("Transfer-Encoding", "chunked") if is_chunked else ("Content-Length", str(LARGE))
    client.send_head(f"/{status}", method="POST", headers=[length])
    assert client.wait_input(5), "the answer waits for the body"
    client.send((b"%x\r\n" % LARGE if is_chunked else b"") + b"x" * LARGE)
    response = client.read_response()
    assert (response.status, response["Retry-After"], response["Connection"]) == (status, "17", "close")
    client.expect_eof()
    view = server.wait_exchanges(1)[0]
    assert (view.status, view.reason, view.detail) == (status, CloseReason.LIMIT, "plan")
    stage.expect_nothing(node)


def test_a_request_without_a_body_is_refused_and_its_connection_lives_on(stage: Stage) -> None:
    serve(stage, Policies(refusing=Refusing), {"filters": "refusing"})
    node, client = stage.node(), stage.client()
    client.get("/429")
    assert client.read_response().status == 429
    stage.exchange(node, client)


def test_a_body_is_refused_on_its_way(stage: Stage) -> None:
    server = serve(stage, Policies(refusing=Refusing), {"filters": "refusing"})
    node, client = stage.node(), stage.client()
    client.send_head("/in", method="POST", headers=[("Content-Length", str(LARGE))])
    client.send(b"x" * 1000)
    sid = node.expect_request().sid
    assert node.expect_body(sid, 1000) == b"x" * 1000
    client.send(b"y")
    assert client.wait_input(5)
    client.send(b"y" * (LARGE - 1001))
    response = client.read_response()
    assert (response.status, response["Retry-After"], response["Connection"]) == (429, "17", "close")
    assert response.body == b"429 Too Many Requests\n\ntoo much\n"
    client.expect_eof()
    assert node.expect_end(sid).body == b"limit"
    view = server.wait_exchanges(1)[0]
    assert (view.status, view.reason, view.detail) == (429, CloseReason.LIMIT, "too much")
    assert server.counters["answers.plugin"] == 1 and server.counters["exchanges.plugin-error"] == 0
    stage.expect_nothing(node)


def test_a_client_that_waits_for_100_is_refused_before_it_sends(stage: Stage) -> None:
    serve(stage, Policies(refusing=Refusing), {"filters": "refusing"})
    stage.node()
    client = stage.client()
    client.send_head("/413", method="POST", headers=[("Content-Length", "5"), ("Expect", "100-continue")])
    response = client.read_response()
    assert (response.status, response.interim) == (413, [])


def test_a_response_is_cut_that_goes_beyond_what_is_left(stage: Stage) -> None:
    """The client notices: it gets no last chunk."""
    server = serve(stage, Policies(refusing=Refusing), {"filters": "refusing"})
    node, client = stage.node(), stage.client()
    client.get("/out")
    sid = node.expect_request().sid
    node.send(sid, "headers", head())
    node.send(sid, "body", b"x" * 1000)
    assert client.read_head().status == 200 and client.read_chunk() == b"x" * 1000
    node.send(sid, "body", b"y")
    assert not client.read_to_eof().endswith(b"0\r\n\r\n")
    assert node.expect_end(sid).body == b"limit"
    view = server.wait_exchanges(1)[0]
    assert (view.status, view.reason, view.bytes_out) == (200, CloseReason.LIMIT, 1001)


def test_a_websocket_is_closed_that_goes_beyond_what_is_left(stage: Stage) -> None:
    server = serve(stage, Policies(refusing=Refusing), {"filters": "refusing"})
    node, websocket = stage.node(), stage.websocket()
    websocket.handshake("/in")
    sid = node.expect_request().sid
    websocket.send_text("x" * 1000)
    node.expect("websocket", sid)
    websocket.send_text("y")
    websocket.expect_closed(1008)
    assert node.expect_end(sid).body == b"1008"
    assert server.wait_exchanges(1)[0].reason is CloseReason.LIMIT


def test_limits_of_filters_are_in_the_virtualhosts_figures(stage: Stage) -> None:
    server = serve(stage, Policies(refusing=Refusing), {"filters": "refusing"})
    stage.app()
    for path in ("/413", "/503", "/in"):
        client = stage.client()
        client.post(b"x" * 1001, path)
        assert client.read_response().status in (413, 429, 503)
    limits = server.counters.tallies.of("app.test").limits
    assert limits == {"plan": 2, "plan-bytes": 1}


# ---------------------------------------------------------------- maintenance


class Maintenance(Filter):
    """Answers with a page of its own below `/shop`, else with the virtualhost's for a 503."""

    page = b""

    def on_request(self, view: RequestView) -> Answer:
        headers = [(b"Retry-After", b"1800"), (b"Content-Type", b"text/html; charset=utf-8")]
        body = self.page if view.path.startswith(b"/shop") else b""
        return Answer(503, body, headers, detail="maintenance")


def test_a_maintenance_page_from_a_file(stage: Stage) -> None:
    """For every method, for uploads and for handshakes; nothing reaches the node, which is there."""
    (stage.folder / "shop.html").write_text("<h1>The shop is being painted")
    (stage.folder / "busy.html").write_text("<h1>Back soon")
    Maintenance.page = validators.read_file(str(stage.folder / "shop.html"), 1000)
    server = serve(
        stage, Policies(maintenance=Maintenance), {"filters": "maintenance", "error-page": "503 busy.html"}
    )
    node, client = stage.node(), stage.client()
    for path, body in (("/shop/cart", b"<h1>The shop is being painted"), ("/", b"<h1>Back soon")):
        client.get(path)
        response = client.read_response()
        assert (response.status, response["Retry-After"], response.body) == (503, "1800", body)
        assert response["Content-Type"] == "text/html; charset=utf-8" and response.framing == "length"
        client.send_head(path, method="HEAD")
        response = client.read_response("HEAD")
        assert (response.status, response["Content-Length"]) == (503, str(len(body)))
        uploading, websocket = stage.client(), stage.websocket()
        uploading.post(b"x" * LARGE, path)
        assert uploading.read_response().body == body
        websocket.ask(path)
        assert websocket.expect_refused(503).body == body
    assert {view.detail for view in server.wait_exchanges(8)} == {"maintenance"}
    stage.messages_before_fence(node, host="plain.test")
    assert server.counters["sessions.opened"] == 1
