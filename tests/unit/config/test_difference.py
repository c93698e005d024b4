"""What is told to be different between two configurations, and what a running server keeps."""

from __future__ import annotations

import json
from dataclasses import replace

from blastbeat.config.changes import ADDED, CHANGED, REMOVED, Change, HostChange
from blastbeat.config.declared import Declared, HostKeys, TableKind
from blastbeat.config.difference import (
    Difference,
    find_difference,
    is_same_virtualhost,
    keep_until_restart,
)
from blastbeat.config.model import (
    Address,
    Config,
    FieldMatch,
    NodeRef,
    Origin,
    PluginRef,
    PluginTable,
    RouteConfig,
    ServerConfig,
    VirtualHostConfig,
)
from blastbeat.config.options import PLUGINS_KEYS, SERVER_KEYS, VIRTUALHOST_KEYS
from blastbeat.validators import secret, text

APP = VirtualHostConfig("app.test", nodes=(NodeRef("a"), NodeRef("b", {"weight": "3"})))


def config(*virtualhosts: VirtualHostConfig, **server: object) -> Config:
    return Config(ServerConfig(**server), virtualhosts)  # type: ignore[arg-type]


def test_the_same_twice_is_no_difference() -> None:
    moved = replace(APP, file="other.toml", line=9, origins={"node": Origin("other.toml", 9, "x")})
    difference = find_difference(config(APP), config(moved))
    assert not difference and not difference.is_applicable
    assert (difference.lines(), difference.summary()) == ([], "nothing changed")


def test_virtualhosts_come_go_and_change() -> None:
    other, third = VirtualHostConfig("other.test"), VirtualHostConfig("third.test")
    changed = replace(APP, keep_alive=60.0, nodes=(APP.nodes[0], NodeRef("c")), node_grace=2.0)
    difference = find_difference(config(APP, other), config(third, changed))
    assert difference.virtualhosts == (
        HostChange("third.test", "", ADDED),
        HostChange(
            "app.test",
            "",
            CHANGED,
            (
                Change("node", "a, b weight=3", "a, c", came=("c",), went=("b weight=3",)),
                Change("keep-alive", "75s", "1m"),
                Change("node-grace", "not set", "2s"),
            ),
        ),
        HostChange("other.test", "", REMOVED),
    )
    assert [difference.names(what) for what in (ADDED, CHANGED, REMOVED)] == [
        ["third.test"],
        ["app.test"],
        ["other.test"],
    ]
    assert difference.lines() == [
        "+ virtualhost third.test",
        "~ virtualhost app.test: node: +c -b weight=3",
        "~ virtualhost app.test: keep-alive: 75s -> 1m",
        "~ virtualhost app.test: node-grace: not set -> 2s",
        "- virtualhost other.test",
    ]
    assert difference.summary() == (
        "1 virtualhost added (third.test); 1 virtualhost removed (other.test); "
        "1 virtualhost changed (app.test)"
    )


def test_one_change_of_many_is_one_line() -> None:
    many = [VirtualHostConfig(f"{number}.test") for number in range(5)]
    later = [replace(each, max_hops=3) for each in many]
    assert find_difference(config(*many), config(*later)).lines() == [
        "~ virtualhosts 0.test, 1.test, 2.test and 2 more: max-hops: 10 -> 3"
    ]


def test_only_the_order_of_a_list_changed() -> None:
    later = replace(APP, filters=(PluginRef("y"), PluginRef("x")))
    before = replace(APP, filters=(PluginRef("x"), PluginRef("y")))
    assert find_difference(config(before), config(later)).lines() == [
        "~ virtualhost app.test: filters: x, y -> y, x"
    ]


def test_how_clients_speak_on_an_address_is_a_difference() -> None:
    """Though it is the same address."""
    plain, proxied = Address("127.0.0.1", 80), Address("127.0.0.1", 80, proxy_protocol=True)
    assert find_difference(config(bind=(plain,)), config(bind=(proxied,))).lines() == [
        "~ [blastbeat] bind: +127.0.0.1:80 proxy-protocol -127.0.0.1:80"
    ]
    assert not is_same_virtualhost(replace(APP, bind=(plain,)), replace(APP, bind=(proxied,)))


def test_keys_that_need_a_restart_are_named() -> None:
    old = Config(ServerConfig(uid="a"), plugin_options={"x": {"secret": "1"}, "y": {"kept": 1}})
    new = Config(
        ServerConfig(uid="b", plugins_disabled=("z",), sessions=5),
        plugin_options={"x": {"secret": "2", "key": "3"}, "y": {"kept": 1}},
    )
    difference = find_difference(old, new)
    assert difference.restart == (
        "[blastbeat] uid",
        "[plugins] disabled",
        "[plugin.x] secret",
        "[plugin.x] key",
    )
    assert difference.lines() == [
        "~ [blastbeat] uid: a -> b (needs a restart)",
        "~ [blastbeat] sessions: 10000 -> 5",
        "~ [plugins] disabled: +z (needs a restart)",
        "~ [plugin.x] secret: changed (needs a restart)",
        "~ [plugin.x] key: changed (needs a restart)",
    ]
    assert difference.is_applicable
    assert difference.summary() == "changed in [blastbeat]: sessions"


def test_what_a_running_server_can_take() -> None:
    old = Config(ServerConfig(uid="a"), plugin_options={"x": {"key": "1"}})
    new = Config(ServerConfig(uid="b", sessions=5), (APP,), plugin_options={"x": {"key": "2"}})
    taken = keep_until_restart(old, new)
    assert (taken.server.uid, taken.server.sessions, taken.virtualhosts) == ("a", 5, (APP,))
    assert taken.plugin_options == {"x": {"key": "1"}}
    left = find_difference(taken, new)
    assert left.restart == ("[blastbeat] uid", "[plugin.x] key") and not left.is_applicable


def test_routes() -> None:
    policy = replace(APP, route="/api")
    route = RouteConfig("/api", policy, path="/api")
    other = RouteConfig("/x", replace(APP, route="/x"), path="/x")
    changed = RouteConfig(
        "/api",
        replace(policy, keep_alive=1.0),
        path="/api",
        methods=("GET", "PUT"),
        headers=(FieldMatch("X-A", "1"), FieldMatch("X-B")),
        share=0.1,
        strip_prefix=True,
    )
    with_routes = replace(APP, routes=(route, other))
    assert find_difference(config(APP), config(with_routes)).lines() == [
        "+ virtualhost app.test route /api",
        "+ virtualhost app.test route /x",
    ]
    difference = find_difference(config(with_routes), config(replace(APP, routes=(changed,))))
    assert difference.lines() == [
        "~ virtualhost app.test route /api: method: +GET +PUT",
        "~ virtualhost app.test route /api: header: +X-A=1 +X-B",
        "~ virtualhost app.test route /api: share: not set -> 10%",
        "~ virtualhost app.test route /api: strip-prefix: no -> yes",
        "~ virtualhost app.test route /api: keep-alive: 75s -> 1s",
        "- virtualhost app.test route /x",
    ]
    assert difference.names(CHANGED) == ["app.test"] and not difference.names(REMOVED)
    alias = ("b.test",)
    routes = tuple(replace(each, policy=replace(each.policy, alias=alias)) for each in (route, other))
    renamed = replace(with_routes, alias=alias, routes=routes)
    of_the_whole = find_difference(config(with_routes), config(renamed))
    assert of_the_whole.lines() == ["~ virtualhost app.test: alias: +b.test"]
    swapped = find_difference(config(with_routes), config(replace(APP, routes=(other, route))))
    assert swapped.lines() == ["~ virtualhost app.test: routes: /api /x -> /x /api"]


def test_names_of_others_cannot_act_on_a_terminal() -> None:
    label = HostChange("a\x1b[2J", "/\x07", ADDED).label
    assert label.isprintable()


def test_for_programs() -> None:
    later = replace(APP, path_info="raw")
    found = find_difference(config(APP), config(later, uid="x")).as_json()
    assert json.loads(json.dumps(found)) == {
        "server": [{"key": "uid", "old": "not set", "new": "x", "restart": True}],
        "plugins": [],
        "virtualhosts": [
            {
                "name": "app.test",
                "route": "",
                "what": "changed",
                "changes": [{"key": "path-info", "old": "decoded", "new": "raw", "restart": False}],
            }
        ],
        "tables": [],
        "certificates": [],
        "restart": ["[blastbeat] uid"],
    }


def test_every_attribute_of_the_model_is_compared() -> None:
    """One that no option fills would change unseen."""
    known = {option.field for option in (*SERVER_KEYS.values(), *PLUGINS_KEYS.values())}
    assert set(ServerConfig.__slots__) - known == {"origins"}
    known = {option.field for option in VIRTUALHOST_KEYS.values()}
    metadata = {"name", "route", "routes", "file", "line", "section", "origins", "plugin_values"}
    metadata.add("plugin_keys")  # compared by the keys that are written, whatever they are
    assert set(VirtualHostConfig.__slots__) - known == metadata


def test_certificates_whose_files_hold_something_else() -> None:
    difference = Difference(certificates=("/etc/a.pem",))
    assert difference and difference.is_applicable
    assert difference.lines() == ["~ certificate renewed: /etc/a.pem"]
    assert difference.summary() == "1 certificate renewed"
    more = Difference(certificates=tuple("abcde"))
    assert more.lines() == ["~ certificates renewed: a, b, c and 2 more"]
    assert more.as_json()["certificates"] == list("abcde")


def test_how_clients_speak_on_a_tls_address_is_a_difference() -> None:
    plain, told = (
        VirtualHostConfig("a.test", bind_ssl=(Address("127.0.0.1", 443, proxied, True),))
        for proxied in (False, True)
    )
    assert is_same_virtualhost(plain, plain) and not is_same_virtualhost(plain, told)


DECLARED = Declared(
    {"plan": TableKind("plan", {"rate": text, "token": secret(text)}, "policy")},
    (HostKeys({"customer": text, "pin": secret(text)}, (), "policy"),),
)


def plan(name: str, **written: object) -> PluginTable:
    return PluginTable("plan", name, written, file="a.toml", line=3)


def test_tables_of_plugins() -> None:
    old = Config(tables=(plan("gold", rate=5, token="a"), plan("tin", rate=[1]), plan("b c")))
    new = Config(tables=(plan("gold", token="b", more="x"), plan("tin", rate=[1, 2]), plan("new")))
    difference = find_difference(old, new, DECLARED)

    assert difference and difference.is_applicable and not difference.restart
    assert difference.lines() == [
        "+ [plan.new]",
        '- [plan."b c"]',
        "~ [plan.gold] rate: 5 -> not set",
        "~ [plan.gold] token: changed",
        '~ [plan.gold] more: not set -> "x"',
        "~ [plan.tin] rate: [1] -> [1, 2]",
    ]
    assert difference.summary() == "4 tables changed ([plan.gold], [plan.tin], [plan.new] and 1 more)"
    assert difference.as_json()["tables"][2] == {
        "kind": "plan",
        "name": "new",
        "what": "added",
        "changes": [],
    }
    assert "'a'" not in str(difference.as_json()) and "'b'" not in str(difference.as_json())
    assert keep_until_restart(old, new).tables == new.tables


def test_one_change_of_many_tables_is_one_line() -> None:
    names = [f"p{number}" for number in range(5)]
    old, new = (Config(tables=tuple(plan(name, rate=rate) for name in names)) for rate in (1, 2))
    assert find_difference(old, new).lines() == ["~ [plan.p0], [plan.p1], [plan.p2] and 2 more rate: 1 -> 2"]


def test_where_a_table_stands_is_no_difference() -> None:
    moved = replace(plan("gold", rate=5), file="b.toml", line=99, values={"rate": "else"})
    assert not find_difference(Config(tables=(plan("gold", rate=5),)), Config(tables=(moved,)), DECLARED)


def test_keys_of_plugins_in_a_virtualhost() -> None:
    before, after = (
        replace(APP, plugin_keys={"customer": name, "pin": name, "same": 1}) for name in ("acme", "other")
    )
    (change,) = find_difference(config(before), config(after), DECLARED).virtualhosts
    assert change.changes == (Change("customer", '"acme"', '"other"'), Change("pin", "", ""))
    assert find_difference(config(APP), config(before)).virtualhosts[0].what == CHANGED
