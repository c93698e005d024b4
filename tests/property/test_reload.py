"""Any course of configurations: after each reload the server's tables are those of a server that was started
with it. No address and no endpoint: only what requests and nodes are looked up in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
from hypothesis import given
from hypothesis import strategies as st

from blastbeat.assembly import Assembly, Parts
from blastbeat.config.model import (
    Address,
    Config,
    NodeRef,
    PluginRef,
    RouteConfig,
    ServerConfig,
    VirtualHostConfig,
)
from blastbeat.counters import Counters
from blastbeat.plugin_manager import PluginManager
from blastbeat.server import Server
from blastbeat.transport.clock import SystemClock
from blastbeat.vhosts import HostTable
from blastbeat.virtualhost import VirtualHost

NAMES = ("a.test", "b.test", "*.test", "*")
ALIASES = ("one.example", "two.example")
NODES = ("n1", "n2", "n3")
HOSTS = (*NAMES[:2], "x.test", "other", *ALIASES)

node_lists = st.lists(
    st.builds(NodeRef, st.sampled_from(NODES), st.sampled_from(({}, {"weight": "2"}))),
    max_size=3,
    unique_by=lambda node: node.name,
).map(tuple)
policies: dict[str, Any] = {
    "nodes": node_lists,
    "selector": st.sampled_from((PluginRef("first"), PluginRef("round-robin"))),
    "instances": st.sampled_from((None, 0, 5)),
    "node_grace": st.sampled_from((None, 1.0, 9.0)),
    "max_hops": st.sampled_from((1, 2)),
}


@st.composite
def virtualhosts(draw: st.DrawFn) -> tuple[VirtualHostConfig, ...]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    aliases = draw(st.permutations(ALIASES))
    made = []
    for name in names:
        values = {key: draw(each) for key, each in policies.items()}
        has_alias: bool = draw(st.booleans())
        alias = (aliases.pop(),) if aliases and has_alias else ()
        host = VirtualHostConfig(name, alias=alias, **values)
        paths = draw(st.lists(st.sampled_from(("/x", "/x/y")), unique=True))
        routes = tuple(
            RouteConfig(
                path, VirtualHostConfig(name, route=path, **{k: draw(v) for k, v in policies.items()}), path
            )
            for path in paths
        )
        made.append(VirtualHostConfig(name, alias=alias, routes=routes, **values) if routes else host)
    return tuple(made)


configs = st.builds(
    lambda hosts, ping, most: Config(ServerConfig(ping_freq=ping, sessions=most, stats_freq=0), hosts),
    virtualhosts(),
    st.sampled_from((3.0, 5.0)),
    st.sampled_from((10, 20)),
)


def looked_up(hosts: HostTable[VirtualHost]) -> list[object]:
    found = [hosts.find(host.encode(), 80, Address("127.0.0.1", 1)) for host in HOSTS]
    return [each and (each.key, each.config) for each in found]


def all_parts(virtualhosts: Sequence[VirtualHost]) -> list[object]:
    return [(each.key, each.config, each.node_names, each.whole.key) for each in virtualhosts]


def fresh_start(config: Config) -> Parts:
    manager = PluginManager(discover=list)
    manager.load()
    return Assembly(manager.build_registry(), Counters(), SystemClock()).parts(config)


def assert_as_fresh(server: Server, config: Config) -> None:
    fresh = fresh_start(config)
    wiring = server.wiring
    assert wiring is not None
    assert all_parts(wiring.dispatcher.virtualhosts) == all_parts(fresh.virtualhosts)
    assert looked_up(wiring.admission.hosts) == looked_up(fresh.hosts)
    running, wanted = server.bindings.routers, fresh.routers
    assert running.keys() == wanted.keys()
    for endpoints, router in wanted.items():
        table, other = running[endpoints].table, router.table
        assert table._roster.rules == other._roster.rules
        assert {(each.identity, each.node) for each in table} == {
            (each.identity, each.node) for each in other
        }
        assert table.ping_freq == other.ping_freq
    users = wiring.dispatcher.users
    for virtualhost in wiring.dispatcher.virtualhosts:
        for name in virtualhost.node_names:
            assert virtualhost in users.of(virtualhost.table, name)
    assert wiring.sessions.limit == config.server.sessions
    assert server.config == config


@given(st.lists(configs, min_size=2, max_size=5))
def test_after_a_reload_everything_is_as_after_a_start(course: list[Config]) -> None:
    async def main() -> None:
        server = Server(course[0])
        is_ready = anyio.Event()

        async def serve() -> None:
            await server.run(lambda _: is_ready.set(), handle_signals=False)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(serve)
                await is_ready.wait()
                for config in course[1:]:
                    await server.reload(config)
                    for router in server.bindings.routers.values():
                        router.table.tick(0.0)  # forgets the names that nobody names
                    assert_as_fresh(server, config)
                server.stop()

    anyio.run(main)
