"""From the configuration to what each ROUTER expects."""

from __future__ import annotations

from dataclasses import replace

from blastbeat.config.model import Config, NodeRef, RouteConfig, ServerConfig, VirtualHostConfig
from blastbeat.node_rules import INSTANCES_WHERE_CLOSED, node_rules
from blastbeat.roster import NodeRule

CLOSED, OPEN = ("ipc:///x",), ("tcp://*:5000",)


def test_by_router_and_name() -> None:
    config = Config(
        ServerConfig(zmq=CLOSED, ping_freq=2.0),
        (
            VirtualHostConfig("a", nodes=(NodeRef("one", {"weight": "3"}),)),
            VirtualHostConfig("b", nodes=(NodeRef("one"), NodeRef("two")), node_grace=9.0, instances=100),
            VirtualHostConfig("c", nodes=(NodeRef("one"),), zmq=OPEN, node_grace=0.0),
        ),
    )
    assert node_rules(config) == {
        CLOSED: {"one": NodeRule(9.0, 100, {"weight": "3"}), "two": NodeRule(9.0, 100)},
        OPEN: {"one": NodeRule(0.0, 0)},
    }


def test_nobody_joins_by_a_name_alone_from_the_network() -> None:
    host = VirtualHostConfig("a", nodes=(NodeRef("one"),))
    for endpoints, instances in ((CLOSED, INSTANCES_WHERE_CLOSED), ((*CLOSED, *OPEN), 0)):
        rules = node_rules(Config(ServerConfig(zmq=endpoints), (host,)))
        assert rules[endpoints]["one"].max_instances == instances


def test_routes_have_nodes_too() -> None:
    host = VirtualHostConfig("a", nodes=(NodeRef("one"),))
    route = RouteConfig("/x", replace(host, route="/x", nodes=(NodeRef("two"),)))
    rules = node_rules(Config(ServerConfig(zmq=CLOSED), (replace(host, routes=(route,)),)))
    assert set(rules[CLOSED]) == {"one", "two"}


def test_a_router_without_names() -> None:
    assert node_rules(Config(virtualhosts=(VirtualHostConfig("a"),))) == {(): {}}
