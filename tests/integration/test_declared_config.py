"""Tables and keys that a plugin declares, in a server that runs: they pick its objects and are taken over."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastbeat import hookimpl
from blastbeat.errors import ConfigError, PluginError
from blastbeat.interfaces import (
    Allow,
    Answer,
    Filter,
    NodeCandidate,
    Options,
    Register,
    RegisterOptions,
    RequestView,
)
from blastbeat.validators import text
from tests.helpers.client import RawClient
from tests.helpers.declaring import Customers
from tests.helpers.server import RunningServer
from tests.helpers.settings import HOST, Table
from tests.helpers.stage import Stage

TABLES: dict[str, Table] = {"customer.acme": {"plan": "gold"}, "plan.gold": {"rate": 5}}


def customer_of(
    stage: Stage, client: RawClient | None = None, path: str = "/customer", host: str = HOST
) -> str:
    client = client or stage.client()
    client.get("/customer", host=host)
    return client.read_response().body.decode()


def test_a_key_picks_the_filter_and_the_tables_are_there(stage: Stage) -> None:
    plugin = Customers()
    stage.serve(vhost={"customer": "acme"}, tables=TABLES, plugins=[plugin])

    assert customer_of(stage) == "acme gold"
    assert "warning: [customer.acme]: nobody to call" in stage.server.log_text
    assert plugin.received == [("customer", {"acme": {"plan": "gold"}}), ("plan", {"gold": {"rate": 5}})]


def test_what_the_plugin_finds_wrong_keeps_the_server_from_starting(stage: Stage) -> None:
    plugin = Customers()
    with pytest.raises(ConfigError) as caught:
        stage.serve(vhost={"customer": "acme"}, tables={"plan.gold": {}}, plugins=[plugin])
    (problem,) = caught.value.problems
    assert (problem.key, problem.message) == ("customer", "there is no [customer.acme]")
    assert problem.section == f'vhost."{HOST}"' and problem.line
    assert not plugin.received


def test_a_default_for_all_virtualhosts_and_what_is_one_s_own(stage: Stage) -> None:
    tables = {**TABLES, "customer.other": {"plan": "gold"}}
    hosts: dict[str, Table] = {
        "a.test": {"node": "app"},
        "b.test": {"node": "app", "customer": "other"},
    }
    stage.serve({"customer": "acme"}, vhosts=hosts, tables=tables, plugins=[Customers()])

    assert customer_of(stage, host="a.test") == "acme gold"
    assert customer_of(stage, host="b.test") == "other gold"


def test_routes_have_the_same_object_in_front_of_what_they_list(stage: Stage) -> None:
    plugin = Customers()
    tables: dict[str, Table] = {
        **TABLES,
        f'vhost."{HOST}".route."/own"': {"filters": ["answer status=204 path=/own"]},
        f'vhost."{HOST}".route."/customer"': {"node": "other"},
    }
    stage.serve(vhost={"customer": "acme"}, tables=tables, plugins=[plugin])

    assert customer_of(stage) == "acme gold"
    client = stage.client()
    client.get("/own")
    assert client.read_response().status == 204
    assert plugin.made == 1


def test_ini_and_included_files_and_the_environment_say_the_same(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAN", "gold")
    (tmp_path / "customers.ini").write_text("[customer:acme]\nplan = gold\n[customer:other]\nplan = gold\n")
    (tmp_path / "plans.toml").write_text('[plan.tin]\nrate = 5\n[plan.gold]\nrate = "5"\n')
    path = tmp_path / "main.toml"
    path.write_text(
        'include = ["customers.ini", "plans.toml"]\n[blastbeat]\nbind = "127.0.0.1:0"\nzmq = "tcp://127.0.0.1:*"\n'
        f'[customer.third]\nplan = "${{PLAN}}"\n[vhost."{HOST}"]\nnode = "app"\ncustomer = "third"\n'
    )
    stage.use(RunningServer(path, plugins=[Customers()]))

    assert customer_of(stage) == "third gold"


# ---------------------------------------------------------------- reload


def test_a_reload_takes_tables_over_and_no_client_notices(stage: Stage) -> None:
    plugin = Customers()
    server = stage.serve(vhost={"customer": "acme"}, tables=TABLES, plugins=[plugin])
    node, client = stage.node(), stage.client()
    client.get("/")
    request = node.expect_request()
    done = stage.reload(
        vhost={"customer": "acme"},
        tables={"customer.acme": {"plan": "tin"}, "plan.tin": {"rate": 1}},
    )
    node.respond(request.sid, b"still here")
    assert client.read_response().body == b"still here"

    assert customer_of(stage, client) == "acme tin"
    assert sorted(done.difference.lines()) == [
        "+ [plan.tin]",
        "- [plan.gold]",
        '~ [customer.acme] plan: "gold" -> "tin"',
    ]
    assert plugin.received[2:] == [("customer", {"acme": {"plan": "tin"}}), ("plan", {"tin": {"rate": 1}})]
    assert plugin.made == 1, "the virtualhost has not changed and keeps its objects"
    assert server.counters["config.reloads"] == 1


def test_a_reload_takes_keys_over(stage: Stage) -> None:
    plugin = Customers()
    tables = {**TABLES, "customer.other": {"plan": "gold"}}
    stage.serve(tables=tables, plugins=[plugin])
    client = stage.client()
    client.get("/customer")
    assert client.read_response().status == 503  # nobody has registered; no filter either
    stage.reload(vhost={"customer": "acme"}, tables=tables)
    assert customer_of(stage) == "acme gold"
    done = stage.reload(vhost={"customer": "other"}, tables=tables)
    assert done.difference.lines() == [f'~ virtualhost {HOST}: customer: "acme" -> "other"']
    assert customer_of(stage) == "other gold"


@pytest.mark.parametrize(
    ("vhost", "tables", "key"),
    [
        ({"customer": "nobody"}, TABLES, "customer"),
        ({"customer": "acme"}, {"customer.acme": {"plan": "none"}}, "plan"),
        ({"customer": "acme"}, {**TABLES, "plan.gold": {"rate": 101}}, "rate"),
        ({"customer": "acme"}, {**TABLES, "plan.gold": {"rtae": 1}}, "rtae"),
        ({"customer": 5}, TABLES, "customer"),
        ({"custmer": "acme"}, TABLES, "custmer"),
        ({"customer": "acme"}, {**TABLES, "plam.gold": {"rate": 1}}, "plam"),
    ],
)
def test_what_is_wrong_refuses_the_reload_and_nothing_changes(
    stage: Stage, vhost: Table, tables: dict[str, Table], key: str
) -> None:
    plugin = Customers()
    server = stage.serve(vhost={"customer": "acme"}, tables=TABLES, plugins=[plugin])
    with pytest.raises(ConfigError) as caught:
        stage.reload(vhost=vhost, tables=tables)
    assert caught.value.problems[0].key == key
    assert caught.value.problems[0].line
    assert len(plugin.received) == 2
    assert customer_of(stage) == "acme gold"
    assert server.counters["config.reloads-refused"] == 1


def test_a_plugin_that_fails_to_receive_refuses_the_reload(stage: Stage) -> None:
    plugin = Customers()
    stage.serve(vhost={"customer": "acme"}, tables=TABLES, plugins=[plugin])
    plugin.fails_to_receive = True
    tables: dict[str, Table] = {"customer.acme": {"plan": "tin"}, "plan.tin": {}}
    with pytest.raises(PluginError, match="no room"):
        stage.reload({"bind": ["127.0.0.1:0", "[::1]:0"]}, vhost={"customer": "acme"}, tables=tables)
    assert customer_of(stage) == "acme gold"
    assert len(stage.server.server.addresses) == 1
    plugin.fails_to_receive = False
    stage.reload(vhost={"customer": "acme"}, tables=tables)
    assert customer_of(stage) == "acme tin"


def test_a_plugin_that_fails_to_receive_keeps_the_server_from_starting(stage: Stage) -> None:
    plugin = Customers()
    plugin.fails_to_receive = True
    with pytest.raises(PluginError, match=r"failed to take the tables \[plan.NAME\]: RuntimeError: no room"):
        stage.serve(vhost={"customer": "acme"}, tables=TABLES, plugins=[plugin])


# ---------------------------------------------------------------- every kind of object


class _Inside:
    def __init__(self, zone: str) -> None:
        self.zone = zone

    def authenticate(self, candidate: NodeCandidate) -> bool:
        return candidate.node.startswith(self.zone)


class _Named(Filter):
    def __init__(self, zone: str) -> None:
        self.zone = zone.encode()

    async def authenticate(self, view: RequestView) -> Allow | Answer:
        return Allow([(b"X_ZONE", self.zone)])


class Zones:
    """`zone` lets in nodes whose names begin like that, and tells them."""

    @hookimpl
    def blastbeat_register_options(self, register: RegisterOptions) -> None:
        register.virtualhost_keys(
            {"zone": text}, node_authenticators=["zone"], request_authenticators=["zone"]
        )

    @hookimpl
    def blastbeat_register_node_authenticators(self, register: Register) -> None:
        register("zone", lambda options: _Inside(options["zone"]), options={"zone": text})

    @hookimpl
    def blastbeat_register_request_authenticators(self, register: Register) -> None:
        register("zone", _new_named, options={"zone": text})


def _new_named(options: Options) -> _Named:
    return _Named(options["zone"])


def test_keys_pick_authenticators(stage: Stage) -> None:
    stage.serve(vhost={"node": ["east1", "west1"], "zone": "west"}, plugins=[Zones()])
    stage.node("east1")
    west, client = stage.node("west1"), stage.client()
    for _ in range(3):
        client.get("/")
        request = west.expect_request()
        assert request["X_ZONE"] == "west"
        west.respond(request.sid, b"ok")
        assert client.read_response().body == b"ok"
