"""`design.md` §4: the routing middleware and the other plugin families, through the public hooks only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from blastbeat import hookimpl
from blastbeat.events import CloseReason, Request, ResponseHead
from blastbeat.interfaces import (
    Allow,
    Answer,
    Filter,
    InstanceView,
    NodeCandidate,
    RequestView,
    Route,
)
from tests.helpers.node import head
from tests.helpers.server import RunningServer
from tests.helpers.settings import Table
from tests.helpers.stage import Stage
from tests.helpers.uwsgi import read_variables


class Recorder(Filter):
    """Does what its options say, and notes every call in `CALLS`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.name = str(options.get("name", "recorder"))
        self.calls = CALLS

    def on_request(self, view: RequestView) -> None | Answer | Route:
        self.calls.append((self.name, "request"))
        path = view.request.path
        if path == b"/answer":
            return Answer(418, b"short and stout", [(b"X-Filter", b"1")])
        if path == b"/route":
            headers = [(b"x-added", b"yes"), (b"x-replaced", b"new")]
            return Route(["other"], b"/elsewhere?a=b", set_headers=headers, remove_headers=[b"x-removed"])
        if path == b"/raise":
            raise RuntimeError("the filter is broken")
        return None

    def on_response(self, view: RequestView, head: ResponseHead) -> ResponseHead:
        self.calls.append((self.name, "response"))
        head.headers.append((b"X-Seen", self.name.encode()))
        return head

    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        view.notes[direction] = view.notes.get(direction, 0) + n
        return 0.0

    def on_closed(self, view: RequestView) -> None:
        self.calls.append((self.name, "closed", view.notes.get("in", 0), view.notes.get("out", 0)))


CALLS: list[tuple[Any, ...]] = []


class Family:
    """One plugin that registers a filter, a request authenticator, a node authenticator and a selector."""

    @hookimpl
    def blastbeat_register_filters(self, register: Any) -> None:
        register("recorder", Recorder)
        register("second", lambda options: Recorder({"name": "second"}))

    @hookimpl
    def blastbeat_register_request_authenticators(self, register: Any) -> None:
        register("password", lambda options: Password())

    @hookimpl
    def blastbeat_register_node_authenticators(self, register: Any) -> None:
        register("picky", lambda options: Picky())

    @hookimpl
    def blastbeat_register_selectors(self, register: Any) -> None:
        register("by-path", lambda options: ByPath())


class Password:
    async def authenticate(self, view: RequestView) -> Allow | Answer:
        word = view.request.header(b"x-password")
        if word == b"broken":
            raise RuntimeError("the authenticator is broken")
        if word != b"sesame":
            return Answer(401, b"who are you?", [(b"WWW-Authenticate", b"Basic")])
        told = [(b"X-User", b"ali"), (b"X-Forwarded-Groups", b"staff")]
        return Allow([(b"REMOTE_USER", b"ali")], told, remove_headers=[b"X-Password", b"X-Role"])


class Picky:
    def authenticate(self, candidate: NodeCandidate) -> bool:
        return candidate.identity != b"app/bad"


class ByPath:
    """`/none`: nobody; `/raise`: breaks; `/wrong`: not one of the offered; else the named instance."""

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView | None:
        name = request.path.decode().strip("/")
        if name == "raise":
            raise RuntimeError("the selector is broken")
        if name == "wrong":
            return InstanceView("app", "app", "")
        return next((each for each in candidates if each.identity == name), None)


def serve(stage: Stage, vhost: Table) -> RunningServer:
    CALLS.clear()
    nodes = {"node": ["app", "other"]}
    return stage.serve(vhosts={"app.test": {**nodes, **vhost}, "plain.test": nodes}, plugins=[Family()])


def test_filter_sees_and_changes_the_response(stage: Stage) -> None:
    serve(stage, {"filters": "recorder"})
    stage.app("app", lambda request: b"12345")
    client = stage.client()
    client.post(b"123")
    response = client.read_response()
    assert (response.body, response["X-Seen"]) == (b"12345", "recorder")
    stage.server.wait_exchanges(1)
    assert CALLS == [("recorder", "request"), ("recorder", "response"), ("recorder", "closed", 3, 5)]


def test_filter_answers(stage: Stage) -> None:
    """No node hears of it; the connection lives on."""
    server = serve(stage, {"filters": "recorder", "node": "app"})
    node, client = stage.node(), stage.client()
    client.get("/answer")
    response = client.read_response()
    assert (response.status, response.body, response["X-Filter"]) == (418, b"short and stout", "1")
    stage.exchange(node, client)
    assert server.exchanges[0].status == 418
    assert [call for _, call, *_ in CALLS[:2]] == ["request", "closed"]


def test_filter_routes_and_rewrites(stage: Stage) -> None:
    serve(stage, {"filters": "recorder"})
    app, other, client = stage.node("app"), stage.node("other"), stage.client()
    client.get("/route?old", headers=[("X-Removed", "1"), ("X-Replaced", "old")])
    request = other.expect_request()
    assert (request["REQUEST_URI"], request["PATH_INFO"]) == ("/elsewhere?a=b", "/elsewhere")
    assert request["QUERY_STRING"] == "a=b"
    assert (request["HTTP_X_ADDED"], request["HTTP_X_REPLACED"]) == ("yes", "new")
    assert "HTTP_X_REMOVED" not in request
    other.respond(request.sid, b"routed")
    assert client.read_response().body == b"routed"
    assert app.maybe_receive(0) is None


def test_filters_run_in_order(stage: Stage) -> None:
    serve(stage, {"filters": ["second", "recorder"]})
    stage.app("app")
    client = stage.client()
    client.get()
    response = client.read_response()
    stage.server.wait_exchanges(1)
    asked = [name for name, call, *_ in CALLS if call == "request"]
    assert asked == ["second", "recorder"]
    assert sorted(response.all("X-Seen")) == ["recorder", "second"]
    assert sorted(name for name, call, *_ in CALLS if call == "closed") == ["recorder", "second"]


def test_broken_filter(stage: Stage) -> None:
    """Ends its exchange with `plugin-error`, and nothing else."""
    server = serve(stage, {"filters": "recorder", "node": "app"})
    server.allow_tracebacks = True
    node, client = stage.node(), stage.client()
    client.get("/raise")
    assert client.read_response().status in (500, 502)
    assert server.wait_exchanges(1)[0].reason == CloseReason.PLUGIN_ERROR
    stage.exchange(node, stage.client())


def test_without_filters_nothing_is_called(stage: Stage) -> None:
    serve(stage, {"filters": "recorder"})
    stage.app("app")
    client = stage.client()
    client.get("/answer", host="plain.test")
    assert client.read_response().status == 200
    assert CALLS == []


def test_filter_is_told_when_the_client_leaves(stage: Stage) -> None:
    serve(stage, {"filters": "recorder", "node": "app"})
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send(sid, "headers", head())
    node.send(sid, "chunk", b"part")
    client.read_head()
    client.read_chunk()
    client.close()
    node.expect_end(sid)
    stage.server.wait_idle()
    assert CALLS[-1] == ("recorder", "closed", 0, 4)


# ---------------------------------------------------------------- authenticators and selectors


def test_request_authenticator(stage: Stage) -> None:
    server = serve(stage, {"request-authenticators": "password", "node": "app"})
    server.allow_tracebacks = True
    node, client = stage.node(), stage.client()
    client.get()
    response = client.read_response()
    assert (response.status, response["WWW-Authenticate"]) == (401, "Basic")
    client.get(headers=[("X-Password", "broken")])
    assert 400 <= client.read_response().status < 600
    client = stage.client()
    client.get(headers=[("X-Password", "sesame")])
    request = node.expect_request()
    assert request["REMOTE_USER"] == "ali"
    node.respond(request.sid, b"come in")
    assert client.read_response().body == b"come in"


@pytest.mark.parametrize("encoder", ["headers", "uwsgi"])
def test_a_client_cannot_forge_what_an_authenticator_tells(stage: Stage, encoder: str) -> None:
    serve(stage, {"request-authenticators": "password", "node": "app", "request-encoder": encoder})
    node, client = stage.node(), stage.client()
    forged = [("X-USER", "root"), ("x-user", "root"), ("X-User", ""), ("X_User", "root"), ("X-Role", "admin")]
    client.get(headers=[("X-Password", "sesame"), *forged, ("Connection", "X-User, X-Forwarded-Groups")])
    message = node.receive()
    if encoder == "headers":
        lines = [line.lower() for line in message.body.split(b"\r\n")]
        told = [line for line in lines if line.startswith((b"x-user", b"x_user", b"x-forwarded-g"))]
        assert told == [b"x-user: ali", b"x-forwarded-groups: staff"]
        assert not [line for line in lines if line.startswith((b"x-role", b"x-password"))]
    else:
        variables = read_variables(message.body)
        assert (variables["HTTP_X_USER"], variables["HTTP_X_FORWARDED_GROUPS"]) == ("ali", "staff")
        assert not {"HTTP_X_ROLE", "HTTP_X_PASSWORD"} & set(variables)
    node.respond(message.sid)
    assert client.read_response().status == 200


def test_request_authenticator_and_a_body(stage: Stage) -> None:
    """The body waits for the verdict: forwarded whole after it, or not at all."""
    serve(stage, {"request-authenticators": "password", "node": "app"})
    stage.app("app")
    client = stage.client()
    client.post(b"x" * 100_000, headers=[("X-Password", "sesame")])
    assert client.read_response().body == b"POST / " + b"x" * 100_000
    client.post(b"x" * 100_000)
    assert client.read_response().status == 401


def test_node_authenticator(stage: Stage) -> None:
    """A node that one authenticator denies serves nobody."""
    server = serve(stage, {"node-authenticators": ["identity", "picky"], "node": "app"})
    bad = stage.node("app/bad", announce=False)
    bad.pong()
    server.wait_until(lambda: sum(server.counted().values()) > 0, "the server has heard of it")
    client = stage.client()
    client.get()
    assert client.read_response().status == 503
    stage.exchange(stage.node("app/good"), client)


def test_selector(stage: Stage) -> None:
    server = serve(stage, {"selector": "by-path"})
    server.allow_tracebacks = True
    stage.app("app", lambda request: b"app")
    stage.app("other", lambda request: b"other")
    answers = {}
    for name in ("app", "other", "none", "raise", "wrong"):
        client = stage.client()
        client.get(f"/{name}")
        response = client.read_response()
        answers[name] = response.body if response.status == 200 else response.status
    assert answers == {"app": b"app", "other": b"other", "none": 503, "raise": 503, "wrong": 503}
