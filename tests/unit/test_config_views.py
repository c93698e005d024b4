"""Tests of `blastbeat.config_views`: what plugins see of a configuration."""

from __future__ import annotations

from blastbeat.config.declared import Declared, TableKind
from blastbeat.config.model import (
    Config,
    NodeRef,
    Origin,
    PluginRef,
    PluginTable,
    RouteConfig,
    ServerConfig,
    VirtualHostConfig,
)
from blastbeat.config_views import view_of

DECLARED = Declared({kind: TableKind(kind, {}, "policy") for kind in ("customer", "plan")})


def test_virtualhosts_show_their_nodes_keys_and_places() -> None:
    route = VirtualHostConfig("a", route="/x", nodes=(NodeRef("app"), NodeRef("api")))
    host = VirtualHostConfig(
        "a",
        nodes=(NodeRef("app"),),
        alias=("b",),
        routes=(RouteConfig("/x", route),),
        filters=(PluginRef("limits", {"rate": 5}),),
        plugin_values={"customer": "acme"},
        file="a.toml",
        line=3,
        section='vhost."a"',
        origins={"customer": Origin("a.toml", 4, 'vhost."a"')},
    )
    server = ServerConfig(zmq=("ipc:///run/nodes",))
    (view,) = view_of(Config(server, (host,), file="a.toml"), DECLARED).virtualhosts

    assert (view.name, view.alias, view.nodes, view.routes) == ("a", ("b",), ("app", "api"), ("/x",))
    assert (view.endpoints, view.instances) == (("ipc:///run/nodes",), 64)
    assert (view.filters, view.node_authenticators) == (("limits",), ("identity",))
    assert view.values == {"customer": "acme"}
    assert view.problem("x", key="customer").line == 4
    assert view.problem("x").line == 3


def test_every_kind_is_there_with_its_tables() -> None:
    table = PluginTable("plan", "gold", {"rate": "5"}, {"rate": 5}, "a.toml", 7, "plan.gold")
    view = view_of(Config(tables=(table,), file="a.toml"), DECLARED)

    assert view.file == "a.toml"
    assert view.tables["customer"] == {}
    assert view.tables["plan"]["gold"].values == {"rate": 5}
    assert view.tables["plan"]["gold"].problem("x").section == "plan.gold"
