"""`docs/reference/configuration.md`, Routes: real clients, a real server, real nodes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from blastbeat.config import load_config
from blastbeat.explaining.explainer import explain
from blastbeat.explaining.question import read_question
from blastbeat.plugin_manager import PluginManager
from tests.helpers.app import AppRequest
from tests.helpers.client import RawClient
from tests.helpers.node import ScriptedNode
from tests.helpers.server import RunningServer
from tests.helpers.settings import SERVER_DEFAULTS, toml_table
from tests.helpers.stage import Stage

HOST = "app.test"
Sections = Mapping[str, Mapping[str, Any]]


def as_toml(sections: Sections) -> str:
    """`sections` by path or name of a route; "" is the virtualhost itself."""
    parts = [toml_table("blastbeat", {**SERVER_DEFAULTS, "trusted-proxies": "127.0.0.1"})]
    for name, values in sections.items():
        place = f'vhost."{HOST}"' + (f".route.{json.dumps(name)}" if name else "")
        parts.append(toml_table(place, values))
    return "\n".join(parts)


def as_ini(sections: Sections) -> str:
    lines = ["[blastbeat]", *(f"{key} = {value}" for key, value in SERVER_DEFAULTS.items())]
    lines.append("trusted-proxies = 127.0.0.1")
    for name, values in sections.items():
        lines.append(f"[blastbeat:{HOST}/{name.removeprefix('/')}]" if name else f"[blastbeat:{HOST}]")
        lines += [f"{key} = {value}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


@pytest.fixture(params=["toml", "ini"])
def notation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def serve(stage: Stage, sections: Sections, notation: str = "toml") -> RunningServer:
    path = Path(stage.folder) / f"routes.{notation}"
    path.write_text(as_toml(sections) if notation == "toml" else as_ini(sections))
    stage.use(RunningServer(path))
    return stage.server


def served_by(client: RawClient, target: str, **head: Any) -> str:
    """The name of the node that answers, or the status of another answer."""
    client.send_head(target, host=HOST, **head)
    response = client.read_response(head.get("method", "GET"))
    return response.body.decode() if response.status == 200 else str(response.status)


def named(name: str) -> Any:
    return lambda request: name.encode()


# ---------------------------------------------------------------- no spelling gets around a route

SPELLINGS = [
    "/admin",
    "/admin?x=1",
    "/admin?/../x",
    "/admin/",
    "/admin//",
    "/admin/.",
    "/admin/x/..",
    "/admin/./users",
    "//admin",
    "///admin/users",
    "/./admin",
    "/././admin",
    "/../admin",
    "/../../admin",
    "/x/../admin",
    "/x/y/../../admin",
    "/x//../admin",
    "/x/./../admin",
    "/%61dmin",
    "/%61%64%6d%69%6e",
    "/%61%64%6D%69%6E",
    "/adm%69n/users",
    "/%2fadmin",
    "/%2Fadmin",
    "/admin%2f",
    "/admin%2Fusers",
    "/%2e/admin",
    "/%2E/admin",
    "/%2e%2e/admin",
    "/x/%2e%2e/admin",
    "/x/.%2e/admin",
    "/x/%2e./admin",
    "/x/..%2fadmin",
    "/x%2f..%2fadmin",
    "/x%2F%2E%2E%2Fadmin",
    "/\\admin",
    "/x\\..\\admin",
    "/x%5c..%5cadmin",
    "/admin;x=1",
    "/admin;x=1/users",
    "/admin%3bx",
    "/x/..;/admin",
    "/;x/admin",
    "/.;y/admin",
    "http://app.test/x/../admin",
    "http://app.test//admin",
]


def test_forty_spellings_of_a_protected_path(stage: Stage, notation: str) -> None:
    """All of them are the guarded route's, and its node is shown nothing but what was guarded."""
    assert len(set(SPELLINGS)) >= 40
    serve(stage, {"": {"node": "open"}, "/admin": {"node": "guarded", "path-info": "decoded"}}, notation)
    shown = dict[str, str]()

    def guarded(request: AppRequest) -> bytes:
        shown[request.variables["REQUEST_URI"]] = request.variables["PATH_INFO"]
        return b"guarded"

    stage.app("open", named("open"))
    stage.app("guarded", guarded)
    client = stage.client()
    assert {spelling: served_by(client, spelling) for spelling in SPELLINGS} == dict.fromkeys(
        SPELLINGS, "guarded"
    )
    for target in SPELLINGS:
        uri = target.removeprefix("http://app.test")
        assert shown[uri].partition("?")[0].split("/")[1].partition(";")[0] == "admin", uri
        assert ".." not in shown[uri].split("/"), uri
    assert served_by(client, "/admins") == served_by(client, "/x/admin") == "open"


def test_nothing_behind_another_route_is_shown_a_guarded_path(stage: Stage) -> None:
    """One application behind both: what is not guarded must not read like what is."""
    serve(stage, {"": {"node": "app"}, "/admin": {"filters": "answer status=403"}})
    shown: list[str] = []

    def app(request: AppRequest) -> bytes:
        shown.append(request.variables["PATH_INFO"])
        return b"app"

    stage.app("app", app)
    client = stage.client()
    targets = [
        "/admin/../x",
        "/admin/%2e%2e/x",
        "/admin\\..\\x",
        "/admin/..;/x",
        "/admin/y/../../x",
        "/%61dmin/..%2fx",
    ]
    assert [served_by(client, target) for target in targets] == ["app"] * len(targets)
    assert shown == ["/x"] * len(targets)


def test_explain_says_what_the_server_does(stage: Stage) -> None:
    """From the configuration alone: the same node, or the same status, for each spelling and client."""
    sections: Sections = {
        "": {"node": "open"},
        "/admin": {"node": "guarded", "strip-prefix": "yes"},
        "/x/y": {"filters": "answer status=410"},
        "canary": {"path": "/", "share": "30%", "node": "new"},
    }
    server = serve(stage, sections)
    for name in ("open", "guarded", "new"):
        stage.app(name, named(name))
    config, _ = load_config(stage.folder / "routes.toml")
    manager = PluginManager.for_config(config)
    manager.load()
    registry, client = manager.build_registry(), stage.client()
    targets = [each for each in SPELLINGS if each.startswith("/")]
    targets += ["/", "/x", "/x/y/z", "/x//y", "/a%00", "/admin/../x/y", "/%zz", "/caf%c3%a9"]
    told, done = [], []
    for number, target in enumerate(targets):
        forwarded = f"X-Forwarded-For: 192.0.2.{number}"
        url = f"http://{HOST}:{server.port}{target}"
        question = read_question(url, headers=[forwarded], client="127.0.0.1")
        found = explain(config, registry, question)
        told.append(str(found.status or found.nodes[0]))
        done.append(served_by(client, target, headers=[tuple(forwarded.split(": "))]))
        if done[-1] == "400":
            client = stage.client()  # the connection does not outlive it
    assert dict(zip(targets, told, strict=True)) == dict(zip(targets, done, strict=True))
    assert {"open", "guarded", "new", "410", "400"} == set(told)


# ---------------------------------------------------------------- shares


def test_a_canary_measured_over_many_clients(stage: Stage, notation: str) -> None:
    """10 % of them, each always on its side, whatever path it asks for."""
    serve(stage, {"": {"node": "old"}, "canary": {"path": "/", "share": "10%", "node": "new"}}, notation)
    for name in ("old", "new"):
        stage.app(name, named(name))
    client = stage.client()
    clients = [f"198.51.{number >> 8}.{number & 255}" for number in range(600)]
    sides = {address: served_by(client, "/", headers=[("X-Forwarded-For", address)]) for address in clients}
    # The hash is fixed, and so is the number; the bound is that of 600 fair throws.
    assert set(sides.values()) == {"old", "new"}
    assert 38 <= sum(side == "new" for side in sides.values()) <= 82
    for address in clients[:50]:
        assert served_by(client, "/other", headers=[("X-Forwarded-For", address)]) == sides[address]
    config, _ = load_config(stage.folder / f"routes.{notation}")
    assert config.virtualhosts[0].routes[0].share == 0.1


# ---------------------------------------------------------------- sessions


def test_pinning_follows_the_route(stage: Stage) -> None:
    """One connection, three sessions: each node hears of its requests and of its own end."""
    serve(stage, {"": {"node": "app"}, "/api": {"node": "api"}})
    app, api, client = stage.node("app"), stage.node("api"), stage.client()
    sids: list[bytes] = []
    for node, target in ((api, "/api/1"), (api, "/api/2"), (app, "/"), (api, "/api/3")):
        client.get(target, host=HOST)
        request = node.expect_request() if len(sids) != 3 else expect_request_after_end(node, sids[1])
        assert request["REQUEST_URI"] == target
        node.respond(request.sid, b"ok")
        assert client.read_response().body == b"ok"
        sids.append(request.sid)
    assert sids[0] == sids[1] and len(set(sids)) == 3
    app.expect_end(sids[2])
    client.close()
    api.expect_end(sids[3])


def expect_request_after_end(node: ScriptedNode, sid: bytes) -> Any:
    node.expect_end(sid)
    return node.expect_request()


def test_limits_of_a_route(stage: Stage) -> None:
    serve(stage, {"": {"node": "app", "max-body": 10}, "/upload": {"max-body": 1000}})
    stage.app("app", lambda request: b"%d" % len(request.body))
    client = stage.client()
    client.post(b"x" * 500, "/upload", headers=[])
    assert client.read_response("POST").body == b"500"
    client.post(b"x" * 500, "/other")
    assert client.read_response("POST").status == 413


def test_routes_come_change_and_go_with_a_reload(stage: Stage) -> None:
    """What runs goes on in the session it began in; the next request follows the new rules."""
    before = {"node": "app", "sessions": 3, "route": {"/api": {"node": "api"}}}
    routes = {"/api": {"node": "api", "strip-prefix": True}, "/b": {"node": "b"}}
    after = {"node": "app", "sessions": 3, "route": routes}
    stage.serve(vhosts={HOST: before})
    app, api, b = stage.node("app"), stage.node("api"), stage.node("b", announce=False)
    client = stage.client()
    client.get("/api/1", host=HOST)
    running = api.expect_request()
    other = stage.client()
    other.get("/b/1", host=HOST)
    first = app.expect_request()
    app.respond(first.sid)
    assert other.read_response().status == 200

    assert stage.reload(vhosts={HOST: after}).is_applied
    b.pong()
    b.wait_spawn()
    api.respond(running.sid, b"as before")
    assert client.read_response().body == b"as before"
    api.expect_end(running.sid)
    client.get("/api/2", host=HOST)
    request = api.expect_request()
    assert request["PATH_INFO"] == "/2" and request.sid != running.sid
    api.respond(request.sid)
    assert client.read_response().status == 200
    other.get("/b/2", host=HOST)
    app.expect_end(first.sid)
    request = b.expect_request()
    b.respond(request.sid)
    assert other.read_response().status == 200

    assert stage.reload(vhosts={HOST: {"node": "app", "sessions": 3}}).is_applied
    other.get("/b/3", host=HOST)
    b.expect_end(request.sid)
    request = app.expect_request()
    assert request["REQUEST_URI"] == "/b/3"
    app.respond(request.sid)
    assert other.read_response().status == 200


def test_a_route_holds_requests_for_its_own_nodes(stage: Stage) -> None:
    server = stage.serve(vhosts={HOST: {"node": "app", "route": {"/api": {"node": "api", "hold": 30}}}})
    stage.app("app", named("app"))
    waiting, other = stage.client(), stage.client()
    waiting.get("/api", host=HOST)
    server.wait_counter("requests.held")
    assert served_by(other, "/") == "app"
    stage.app("api", named("api"))
    assert waiting.read_response().body == b"api"


# ---------------------------------------------------------------- what the node is shown


@pytest.mark.parametrize("target", ["/api/a%20b?q=%2e", "//api/./a%20b?q=%2e", "/%61pi/x/../a%20b?q=%2e"])
def test_strip_prefix(stage: Stage, target: str) -> None:
    serve(stage, {"": {"node": "app"}, "/api": {"node": "api", "strip-prefix": "yes"}})
    node, client = stage.node("api"), stage.client()
    client.get(target, host=HOST, headers=[("X-Forwarded-Prefix", "/outer")])
    request = node.expect_request()
    assert (request["SCRIPT_NAME"], request["PATH_INFO"]) == ("/api", "/a b")
    assert (request["REQUEST_URI"], request["QUERY_STRING"]) == (target, "q=%2e")
    assert request["HTTP_X_FORWARDED_PREFIX"] == "/outer/api"
    node.respond(request.sid)
    assert client.read_response().status == 200


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/api/a%20b?q", b"/a%20b?q"),
        ("/api?q", b"/?q"),
        ("/api/../api/%41", b"/A"),
        ("/api//evil.test/x", b"/evil.test/x"),
    ],
)
def test_strip_prefix_in_the_headers_encoding(stage: Stage, target: str, shown: bytes) -> None:
    serve(
        stage,
        {"": {"node": "app"}, "/api": {"node": "api", "strip-prefix": "yes", "request-encoder": "headers"}},
    )
    node, client = stage.node("api"), stage.client()
    client.get(target, host=HOST)
    message = node.receive()
    assert message.type == b"headers"
    line, *fields = message.body.split(b"\r\n")
    assert line == b"GET " + shown + b" HTTP/1.1"
    assert b"X-Forwarded-Prefix: /api" in fields
    node.respond(message.sid)
    assert client.read_response().status == 200


# ---------------------------------------------------------------- the rest


def test_a_virtualhost_of_routes_alone(stage: Stage, notation: str) -> None:
    sections: Sections = {"": {"timeout": 30}, "/a": {"node": "a"}, "/b": {"node": "b", "method": "GET"}}
    server = serve(stage, sections, notation)
    for name in ("a", "b"):
        stage.app(name, named(name))
    client = stage.client()
    assert [served_by(client, target) for target in ("/a", "/b/x", "/c")] == ["a", "b", "404"]
    assert served_by(client, "/b", method="DELETE") == "404"
    assert [view.route for view in server.recorder.views] == ["/a", "/b", "", ""]


def test_header_cookie_and_method(stage: Stage, notation: str) -> None:
    sections = {
        "": {"node": "plain"},
        "cookie": {"path": "/", "node": "cookie", "cookie": "beta=yes"},
        "header": {"path": "/", "node": "header", "header": "X-Beta"},
        "both": {"path": "/", "node": "both", "header": "X-Beta", "method": "PUT POST"},
    }
    serve(stage, sections, notation)
    for name in ("plain", "cookie", "header", "both"):
        stage.app(name, named(name))
    client = stage.client()
    beta, cookie = ("X-Beta", "1"), ("Cookie", "a=b; beta=yes")
    assert served_by(client, "/") == "plain"
    assert served_by(client, "/", headers=[cookie]) == "cookie"
    assert served_by(client, "/", headers=[beta]) == "header"
    assert served_by(client, "/", headers=[beta, cookie]) == "cookie"  # as many, and first in the file
    assert served_by(client, "/", headers=[beta, ("Content-Length", "0")], method="POST") == "both"


def test_a_zero_byte_does_not_end_a_guarded_path(stage: Stage) -> None:
    serve(stage, {"": {"node": "app"}, "/admin": {"filters": "answer status=403"}})
    stage.app("app", named("app"))
    for target in ("/admin%00", "/adm%00in", "/x%00/../admin"):
        assert served_by(stage.client(), target) == "400"
