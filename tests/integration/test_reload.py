"""Reading the configuration again: what is changed, added, removed and untouched, while requests run."""

from __future__ import annotations

import pytest

from blastbeat.errors import ConfigError, ReloadError, StartError
from tests.helpers.client import RawClient, request_head
from tests.helpers.node import NodeRequest, ScriptedNode, head
from tests.helpers.settings import HOST, Table
from tests.helpers.stage import Stage
from tests.helpers.uwsgi import read_variables

KEPT: Table = {"node": "kept", "node-grace": 0.2}
CHANGED: Table = {"node": "changed", "node-grace": 0.2}
GONE: Table = {"node": "gone", "node-grace": 0.2}
BEFORE = {"kept.test": KEPT, "changed.test": CHANGED, "gone.test": GONE}
AFTER: dict[str, Table] = {
    "kept.test": KEPT,
    "changed.test": {**CHANGED, "request-encoder": "headers"},
    "new.test": {"node": "new", "node-grace": 0.2},
}
APP: Table = {"node": "app", "node-grace": 0.2}


def get(client: RawClient, node: ScriptedNode, host: str = HOST) -> bytes:
    """One plain GET, answered; its sid."""
    client.get(host=host)
    request = node.expect_request()
    node.respond(request.sid, host.encode())
    assert client.read_response().body == host.encode()
    return request.sid


def request_past_ends(node: ScriptedNode) -> NodeRequest:
    """The next request; sessions that were over before it do not matter."""
    message = node.receive()
    while message.type == b"end":
        message = node.receive()
    return NodeRequest(message.sid, read_variables(message.body))


def serves(stage: Stage, node: ScriptedNode, host: str) -> bool:
    """Whether a new client's request reaches the node."""
    client = stage.client()
    client.get(host=host)
    node.respond(request_past_ends(node).sid)
    return client.read_response().status == 200


def status(client: RawClient, host: str = HOST) -> int:
    client.get(host=host)
    return client.read_response().status


def test_changed_added_removed_and_untouched(stage: Stage) -> None:
    server = stage.serve(vhosts=BEFORE)
    kept, changed = stage.node("kept"), stage.node("changed")
    stage.node("gone")
    client = stage.client()
    new = stage.node("new", announce=False)
    new.pong()
    assert status(client, "new.test") == 404
    sid = get(client, kept, "kept.test")
    done = stage.reload(vhosts=AFTER)
    assert done.is_applied and done.generation == 2
    assert get(client, kept, "kept.test") == sid  # the same session goes on
    client.get(host="changed.test")
    kept.expect_end(sid)
    message = changed.expect("headers")
    changed.respond(message.sid, b"changed")
    assert client.read_response().body == b"changed"
    get(client, new, "new.test")
    assert status(client, "gone.test") == 404
    assert server.counters["config.reloads"] == 1


# ---------------------------------------------------------------- what runs goes on


@pytest.mark.parametrize("host", ["kept", "changed", "gone"])
def test_a_download_goes_on(stage: Stage, host: str) -> None:
    """To its last byte, over any number of reloads, whatever becomes of its virtualhost."""
    stage.serve(vhosts=BEFORE)
    node, client = stage.node(host), stage.client()
    client.get(host=f"{host}.test")
    sid = node.expect_request().sid
    node.send(sid, "headers", head())
    client.read_head()
    for number in range(6):
        piece = bytes([number]) * 100_000
        node.send(sid, "chunk", piece)
        received = b""
        while len(received) < len(piece):
            received += client.read_chunk()
        assert received == piece
        stage.reload(vhosts=(AFTER, BEFORE)[number % 2])
    node.send(sid, "chunk")
    assert client.read_chunk() == b""
    # The connection goes on, too: to the virtualhost as it is now.
    client.get(host=f"{host}.test")
    if host != "kept":
        node.expect_end(sid)
    request = node.expect_request()
    assert (request.sid == sid) == (host == "kept")
    node.respond(request.sid, b"next")
    assert client.read_response().body == b"next"


@pytest.mark.parametrize("host", ["kept", "changed", "gone"])
def test_an_upload_goes_on(stage: Stage, host: str) -> None:
    stage.serve(vhosts=BEFORE)
    node, client = stage.node(host), stage.client()
    pieces = [bytes([number]) * 200_000 for number in range(4)]
    length = sum(map(len, pieces))
    client.send_head(method="POST", host=f"{host}.test", headers=[("Content-Length", str(length))])
    sid = node.expect_request().sid
    for number, piece in enumerate(pieces):
        client.send(piece)
        assert node.expect_body(sid, len(piece)) == piece
        stage.reload(vhosts=(AFTER, BEFORE)[number % 2])
    node.respond(sid, b"stored")
    assert client.read_response().body == b"stored"


def test_pipelined_requests_follow_the_rules_of_their_turn(stage: Stage) -> None:
    stage.serve(vhosts=BEFORE)
    node, client = stage.node("changed"), stage.client()
    client.send(request_head("/1", host="changed.test") + request_head("/2", host="changed.test"))
    sid = node.expect_request().sid
    stage.reload(vhosts=AFTER)
    node.respond(sid, b"first")
    assert client.read_response().body == b"first"
    node.expect_end(sid)
    second = node.expect("headers")
    assert second.sid != sid and second.body.startswith(b"GET /2 ")
    node.respond(second.sid, b"second")
    assert client.read_response().body == b"second"


def test_an_idle_session_of_what_changed_or_went_ends(stage: Stage) -> None:
    """Its client stays connected and notices nothing."""
    server = stage.serve(vhosts=BEFORE)
    nodes = {name: stage.node(name) for name in ("kept", "changed", "gone")}
    clients = {name: stage.client() for name in nodes}
    sids = {name: get(clients[name], nodes[name], f"{name}.test") for name in nodes}
    stage.reload(vhosts=AFTER)
    nodes["changed"].expect_end(sids["changed"])
    nodes["gone"].expect_end(sids["gone"])
    assert server.server.session_count == 1
    assert get(clients["kept"], nodes["kept"], "kept.test") == sids["kept"]
    assert status(clients["gone"], "gone.test") == 404
    clients["changed"].get(host="changed.test")
    nodes["changed"].respond(nodes["changed"].expect("headers").sid, b"again")
    assert clients["changed"].read_response().body == b"again"


def test_sessions_of_a_name_count_together(stage: Stage) -> None:
    """Those that began by the old rules take their places under the new ones."""
    server = stage.serve(vhosts={HOST: {**APP, "sessions": 2}})
    node = stage.node()
    clients = [stage.client() for _ in range(3)]
    clients[0].get()
    first = node.expect_request().sid
    stage.reload(vhosts={HOST: {**APP, "sessions": 2, "max-hops": 3}})
    clients[1].get()
    second = node.expect_request().sid
    assert status(clients[2]) == 503
    stage.reload(vhosts={})
    stage.reload(vhosts={HOST: {**APP, "sessions": 2}})  # gone for a while
    assert status(clients[2]) == 503
    node.respond(first)
    assert clients[0].read_response().status == 200
    node.expect_end(first)
    clients[2].get()
    third = node.expect_request().sid
    assert status(clients[0]) == 503
    for client, sid in ((clients[1], second), (clients[2], third)):
        node.respond(sid)
        assert client.read_response().status == 200
    assert server.server.session_count == 1  # that of the rules in force


def test_the_servers_own_limits_follow(stage: Stage) -> None:
    server = stage.serve({"sessions": 1, "max-uri": 100})
    node, client, other = stage.node(), stage.client(), stage.client()
    client.get()
    sid = node.expect_request().sid
    assert status(other) == 503
    stage.reload({"sessions": 2, "max-uri": 64})
    other.get()
    node.respond(node.expect_request().sid)
    assert other.read_response().status == 200
    other.get("/" + 80 * "x")  # a connection keeps the bounds it began with
    node.respond(node.expect_request().sid)
    assert other.read_response().status == 200
    fresh = stage.client()
    fresh.get("/" + 80 * "x")
    assert fresh.read_response().status == 414
    node.respond(sid)
    assert client.read_response().status == 200
    assert server.server.config.server.sessions == 2


def test_another_ping_frequency(stage: Stage) -> None:
    server = stage.serve({"ping-freq": 3600})
    node = stage.node()
    stage.reload({"ping-freq": 0.1})
    node.wait_ping()
    node.wait_ping()
    assert server.server.config.server.ping_freq == 0.1


# ---------------------------------------------------------------- nodes


def test_a_node_that_nobody_names_any_more(stage: Stage) -> None:
    """What runs there finishes; nothing new goes there; then it is forgotten, and may come back."""
    server = stage.serve({"ping-freq": 2}, vhosts={HOST: {"node": ["old", "new"]}})
    old, client, other = stage.node("old"), stage.client(), stage.client()
    client.get()
    sid = old.expect_request().sid
    new = stage.node("new")
    stage.reload({"ping-freq": 2}, vhosts={HOST: {"node": "new"}})
    get(other, new)
    old.respond(sid, b"finished")
    assert client.read_response().body == b"finished"
    old.expect_end(sid)
    table = server.server.wiring.dispatcher.virtualhosts[0].table  # type: ignore[union-attr]
    server.wait_until(lambda: table.find(b"old") is None, "it is forgotten")
    get(client, new)
    stage.reload({"ping-freq": 2}, vhosts={HOST: {"node": "old"}})
    get(client, old)  # it was connected all the time
    assert old.spawned == 1


def test_a_request_that_waits_for_a_node_waits_for_that_of_the_new_rules(stage: Stage) -> None:
    server = stage.serve(vhosts={HOST: {**APP, "hold": 3600}, "gone.test": {**GONE, "hold": 3600}})
    client, other = stage.client(), stage.client()
    client.get("/held")
    other.get("/held", host="gone.test")
    server.wait_counter("requests.held", 2)
    stage.reload(vhosts={HOST: {"node": "other", "hold": 3600}})
    assert other.read_response().status == 503
    node = stage.node("other")
    request = node.expect_request()
    assert request["REQUEST_URI"] == "/held"
    node.respond(request.sid, b"at last")
    assert client.read_response().body == b"at last"


def test_a_stricter_node_authenticator(stage: Stage) -> None:
    """Instances that are there are looked at again; unchanged virtualhosts keep them."""
    strict: Table = {**CHANGED, "node-authenticators": "address allow=192.0.2.0/24"}
    stage.serve(vhosts={"kept.test": {**KEPT, "node": "changed"}, "changed.test": CHANGED})
    node, client = stage.node("changed"), stage.client()
    get(client, node, "changed.test")
    stage.reload(vhosts={"kept.test": {**KEPT, "node": "changed"}, "changed.test": strict})
    assert status(stage.client(), "changed.test") == 503
    assert serves(stage, node, "kept.test")
    stage.reload(vhosts={"kept.test": {**KEPT, "node": "changed"}, "changed.test": CHANGED})
    assert serves(stage, node, "changed.test")


# ---------------------------------------------------------------- routes, filters, pages, authenticators


def test_routes_come_and_go(stage: Stage) -> None:
    def with_route(**route: object) -> dict[str, Table]:
        return {HOST: {**APP, "route": {"/api": {"node": "api", **route}}}}

    stage.serve(vhosts={HOST: APP})
    app, client = stage.node(), stage.client()
    api = stage.node("api", announce=False)
    api.pong()

    def ask(target: str, node: ScriptedNode) -> str:
        client.get(target)
        request = request_past_ends(node)
        node.respond(request.sid)
        assert client.read_response().status == 200
        return request["SCRIPT_NAME"]

    ask("/api/1", app)
    stage.reload(vhosts=with_route())
    assert ask("/api/1", api) == ""
    ask("/", app)
    stage.reload(vhosts=with_route(**{"strip-prefix": True}))
    assert ask("/api/1", api) == "/api"
    stage.reload(vhosts={HOST: APP})
    ask("/api/1", app)


def test_a_download_from_a_route_that_goes_away_goes_on(stage: Stage) -> None:
    stage.serve(vhosts={HOST: {**APP, "route": {"/api": {"node": "api"}}}})
    api, client = stage.node("api"), stage.client()
    client.get("/api/1")
    sid = api.expect_request().sid
    api.send(sid, "headers", head())
    client.read_head()
    stage.reload(vhosts={HOST: APP})
    api.send(sid, "chunk", b"last")
    api.send(sid, "chunk")
    assert [client.read_chunk(), client.read_chunk()] == [b"last", b""]
    api.expect_end(sid)


def test_filters_of_what_did_not_change_keep_their_state(stage: Stage) -> None:
    """A rate that is used up stays used up."""
    limited: Table = {**APP, "filters": "limits requests=1/h"}
    stage.serve(vhosts={HOST: limited, "other.test": limited})
    node = stage.node()
    get(stage.client(), node)
    get(stage.client(), node, "other.test")
    stage.reload(vhosts={HOST: limited, "other.test": {**limited, "filters": "limits requests=2/h"}})
    assert status(stage.client()) == 429
    assert serves(stage, node, "other.test")


def test_files_are_read_again(stage: Stage) -> None:
    """Error pages and the answers of filters, also where the configuration is what it was."""
    page, answer = stage.folder / "page.html", stage.folder / "answer.txt"
    page.write_text("down")
    answer.write_text("one")
    vhosts: dict[str, Table] = {
        HOST: {**APP, "offline": "page.html"},
        "fixed.test": {"filters": "answer file=answer.txt"},
    }
    stage.serve(vhosts=vhosts)
    client = stage.client()

    def bodies() -> list[bytes]:
        found = []
        for host in (HOST, "fixed.test"):
            client.get(host=host)
            found.append(client.read_response().body)
        return found

    assert bodies() == [b"down", b"one"]
    page.write_text("still down")
    answer.write_text("two")
    assert bodies() == [b"down", b"one"]
    stage.reload(vhosts=vhosts)
    assert bodies() == [b"still down", b"two"]


# ---------------------------------------------------------------- what is refused


GOOD = '[blastbeat]\nbind = "127.0.0.1:0"\nzmq = "ipc:///tmp/never-bound"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[blastbeat\n", "blastbeat.toml"),
        (GOOD + 'max-uri = "much"\n', "max-uri"),
        ('include = "nowhere.toml"\n' + GOOD, "nowhere.toml"),
        (GOOD + '[vhost."a"]\nnode = "a"\nselector = "no"\n', "'no'"),
        (GOOD + '[vhost."a"]\nfilters = "answer file=none.txt"\n', "none.txt"),
        (GOOD + 'error-page = "503 none.html"\n', "none.html"),
        (None, "No such file"),
    ],
    ids=["syntax", "value", "include", "selector", "filter", "page", "gone"],
)
def test_a_bad_file_changes_nothing(stage: Stage, text: str | None, told: str) -> None:
    """Sessions, idle or at work, go on; the log says what is wrong and where, as `check` does."""
    server = stage.serve()
    node, client, other = stage.node(), stage.client(), stage.client()
    sid = get(client, node)
    other.get()
    running = node.expect_request().sid
    config = server.server.config
    path = stage.folder / "blastbeat.toml"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ConfigError):
        server.reload()
    assert server.server.config is config and server.server.generation == 1
    assert get(client, node) == sid
    node.respond(running, b"done")
    assert other.read_response().body == b"done"
    assert told in server.log_text and "nothing has changed" in server.log_text
    assert server.counters["config.reloads-refused"] == 1
    stage.configure()
    assert server.reload().is_applied and get(client, node) == sid


def test_a_server_that_stops_reads_nothing_any_more(stage: Stage) -> None:
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    server.request_stop()
    with pytest.raises(ReloadError):
        server.reload()
    node.respond(sid, b"last")
    assert client.read_response().body == b"last"
    client.close()
    server.join()


def test_the_access_log_moves(stage: Stage) -> None:
    """To another file and back, and off; each line stands in one of them."""
    one, two = (stage.folder / f"{name}.log" for name in ("one", "two"))
    stage.serve({"access-log": str(one)})
    node, client = stage.node(), stage.client()
    for target in (two, "off", one):
        get(client, node)
        stage.reload({"access-log": str(target)})
    get(client, node)
    stage.reload({"access-log": "off"})  # written when this returns
    assert [len(path.read_text().splitlines()) for path in (one, two)] == [2, 1]


def test_an_access_log_that_cannot_be_opened_changes_nothing(stage: Stage) -> None:
    log = stage.folder / "one.log"
    server = stage.serve({"access-log": str(log)})
    node, client = stage.node(), stage.client()
    sid = get(client, node)
    with pytest.raises(StartError, match="nowhere"):
        stage.reload({"access-log": str(stage.folder / "nowhere" / "x.log")}, {"max-hops": 3})
    assert get(client, node) == sid
    stage.reload({"access-log": "off"})
    assert len(log.read_text().splitlines()) == 2 and server.server.generation == 2
