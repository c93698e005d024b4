"""The parts of a server, built from a configuration: nothing is bound, everything is looked up once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from blastbeat import hookimpl
from blastbeat.assembly import BEST_DRIVER, Parts, build_parts
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
from blastbeat.errors import ConfigError, PluginError
from blastbeat.events import Request
from blastbeat.interfaces import Answer, Filter, InstanceView, Options, Register, RequestView
from blastbeat.node_rules import INSTANCES_WHERE_CLOSED
from blastbeat.plugin_manager import PluginManager
from blastbeat.testing.fakes import make_request
from tests.helpers.engine_fakes import FakeClock

LOOPBACK = ("tcp://127.0.0.1:5000",)
OPEN = ("tcp://0.0.0.0:5000",)


class Refuse(Filter):
    def on_request(self, view: RequestView) -> Answer:
        return Answer(403)


class Extras:
    """A plugin with one object of each kind a virtualhost picks; `made` are the options they got."""

    def __init__(self) -> None:
        self.made: list[tuple[str, Options]] = []
        self.timely = Timely()

    def _factory(self, kind: str, made: object) -> Any:
        def make(options: Options) -> object:
            self.made.append((kind, dict(options)))
            return made

        return make

    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None:
        register("refuse", self._factory("filter", Refuse()))

    @hookimpl
    def blastbeat_register_encoders(self, register: Register) -> None:
        register("shout", self._factory("encoder", Shout()), options={"loud": int})

    @hookimpl
    def blastbeat_register_selectors(self, register: Register) -> None:
        def fail(options: Options) -> object:
            raise RuntimeError("oops")

        register("broken", fail)
        register("timely", self._factory("selector", self.timely))


class Timely:
    """Takes whoever has been there for the longest."""

    def expect_clock(self, now: Callable[[], float]) -> None:
        self.now = now

    def select(self, candidates: Sequence[InstanceView], request: Request) -> InstanceView:
        return max(candidates, key=lambda each: self.now() - each.available_since)


class Shout:
    def encode_request(self, request: Request) -> bytes:
        return request.target.upper()


def build(
    *virtualhosts: VirtualHostConfig,
    plugin: Extras | None = None,
    disabled: Sequence[str] = (),
    **server: Any,
) -> Parts:
    manager = PluginManager(load=(), plugins=[plugin or Extras()], disabled=disabled)
    manager.load()
    config = Config(ServerConfig(**{"zmq": LOOPBACK, **server}), virtualhosts)
    return build_parts(config, manager.build_registry(), Counters(), FakeClock())


def virtualhost(name: str = "app.test", *nodes: str, **values: Any) -> VirtualHostConfig:
    return VirtualHostConfig(name, nodes=tuple(map(NodeRef, nodes or ("app",))), **values)


# ---------------------------------------------------------------- routers and nodes


def test_virtualhosts_share_the_servers_router() -> None:
    parts = build(virtualhost("a.test", "a"), virtualhost("b.test", "b"))
    assert list(parts.routers) == [LOOPBACK]
    table = parts.routers[LOOPBACK].table
    assert [each.table for each in parts.virtualhosts] == [table, table]
    assert table.find(b"a") is not None and table.find(b"b") is not None


def test_a_virtualhost_may_have_a_router_of_its_own() -> None:
    own = ("ipc:///tmp/own",)
    parts = build(virtualhost("a.test", "app"), virtualhost("b.test", "app", zmq=own))
    assert set(parts.routers) == {LOOPBACK, own}
    first, second = (each.table.find(b"app") for each in parts.virtualhosts)
    assert first is not second, "the same name on another ROUTER is another node"


def test_the_same_endpoints_are_one_router() -> None:
    own = ("ipc:///tmp/own",)
    parts = build(virtualhost("a.test", zmq=own), virtualhost("b.test", zmq=own))
    assert list(parts.routers) == [own]


def limit_of(parts: Parts, endpoints: tuple[str, ...]) -> int:
    table = parts.routers[endpoints].table
    number = 0
    while table.heard(b"app/%d" % number, 1000.0, lambda: ("", 0)) is not None:
        number += 1
    return number


class Deaf:
    """A sink."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@pytest.mark.parametrize(
    ("endpoints", "configured", "expected"),
    [
        (LOOPBACK, None, INSTANCES_WHERE_CLOSED),
        (("ipc:///tmp/x",), None, INSTANCES_WHERE_CLOSED),
        (OPEN, None, 0),
        ((*LOOPBACK, *OPEN), None, 0),
        (OPEN, 2, 2),
        (LOOPBACK, 0, 0),
    ],
)
def test_how_many_instances_may_join(
    endpoints: tuple[str, ...], configured: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name alone must not let anybody join a healthy node from the network (§1)."""
    parts = build(virtualhost(instances=configured), zmq=endpoints)
    router = parts.routers[endpoints]
    router.sink = Deaf()
    monkeypatch.setattr(router, "send_control", lambda *_: None)
    assert limit_of(parts, endpoints) == expected


@pytest.mark.parametrize(("configured", "expected"), [(None, 7.0), (0.5, 0.5), (0.0, 0.0)])
def test_the_grace_of_a_node(configured: float | None, expected: float) -> None:
    parts = build(virtualhost(node_grace=configured), ping_freq=7.0)
    assert parts.routers[LOOPBACK].table.shortest_grace == expected


# ---------------------------------------------------------------- what a virtualhost picks


def test_hosts_lead_to_virtualhosts() -> None:
    own = Address("127.0.0.1", 8081)
    shared = Address("127.0.0.1", 8080)
    parts = build(
        virtualhost("a.test", alias=("alias.test",)), virtualhost("b.test", bind=(own,)), bind=(shared,)
    )
    a, b = parts.virtualhosts
    assert parts.hosts.find(b"a.test", 80, shared) is a
    assert parts.hosts.find(b"alias.test", 80, shared) is a
    assert parts.hosts.find(b"b.test", 80, own) is b
    assert parts.hosts.find(b"b.test", 80, shared) is None
    assert parts.hosts.find(b"a.test", 80, own) is None


def test_the_defaults_are_built_in() -> None:
    parts = build(virtualhost(), driver="auto")
    assert parts.driver_name == BEST_DRIVER and parts.driver.protocols == ("http/1.1",)
    host = parts.virtualhosts[0]
    assert host.request_type == b"uwsgi" and not host.needs_view
    view = InstanceView("app", "app", "")
    assert host.select([view], make_request()) is view
    expected = {b"headers", b"uwsgi", b"body", b"chunk", b"end", b"abort", b"retry", b"credit", b"pong"}
    assert expected | {b"drain"} <= set(parts.decoders)


def test_plugins_are_picked_by_name_with_their_options() -> None:
    plugin = Extras()
    host = virtualhost(filters=(PluginRef("refuse"),), request_encoder=PluginRef("shout", {"loud": 3}))
    parts = build(host, plugin=plugin)
    built = parts.virtualhosts[0]
    assert built.request_type == b"shout" and built.encode_request(make_request(target=b"/a")) == b"/A"
    assert [type(each) for each in built.filters] == [Refuse] and built.needs_view
    assert ("encoder", {"loud": 3}) in plugin.made
    assert b"shout" not in parts.decoders, "it reads nothing"


def test_a_selector_is_told_the_time_of_its_instances() -> None:
    plugin = Extras()
    (host,) = build(virtualhost(selector=PluginRef("timely")), plugin=plugin).virtualhosts
    assert plugin.timely.now() == FakeClock().monotonic()
    old, new = (InstanceView("app", f"app/{since}", "", available_since=since) for since in (5.0, 9.0))
    assert host.select([new, old], make_request()) is old


def test_bandwidth_is_kept_by_a_filter_of_its_own() -> None:
    plain, bounded = virtualhost("a.test"), virtualhost("b.test", bandwidth=125_000)
    parts = build(plain, bounded, virtualhost("c.test", bandwidth=125, filters=(PluginRef("refuse"),)))
    none, one, two = (each.filters for each in parts.virtualhosts)
    assert not none and [type(each) for each in two][1:] == [Refuse]
    assert [each.paces_output for each in parts.virtualhosts] == [(), one, two[:1]]


def test_a_route_keeps_the_bandwidth_of_its_virtualhost() -> None:
    """And its own besides; whether it inherits the filters that are listed or has others."""
    host = virtualhost("a.test", bandwidth=1000, filters=(PluginRef("refuse"),))
    plain = replace(host, route="/a", bandwidth=0)
    bare = replace(host, route="/b", bandwidth=500, filters=())
    routes = (RouteConfig("/a", plain, "/a"), RouteConfig("/b", bare, "/b"))
    whole, one, other = build(replace(host, routes=routes)).virtualhosts
    assert one.filters == whole.filters and len(whole.filters) == 2
    assert other.filters[0] is whole.filters[0] and len(other.filters) == 2
    assert type(other.filters[1]) is not Refuse


def test_bandwidth_needs_the_filter_limits() -> None:
    with pytest.raises(ConfigError) as raised:
        build(virtualhost("a.test", bandwidth=1000), disabled=["limits"])
    (problem,) = raised.value.problems
    assert problem.key == "bandwidth" and "plugin `limits`" in problem.message


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"selector": PluginRef("nobody")}, "nobody"),
        ({"filters": (PluginRef("nobody"),)}, "nobody"),
        ({"node_authenticators": (PluginRef("nobody"),)}, "nobody"),
        ({"request_authenticators": (PluginRef("nobody"),)}, "nobody"),
        ({"request_encoder": PluginRef("nobody")}, "nobody"),
        ({"request_encoder": PluginRef("body")}, "headers, shout, uwsgi"),
        ({"request_encoder": PluginRef("shout", {"soft": 1})}, "soft"),
    ],
    ids=str,
)
def test_what_nobody_registered_is_told_with_its_place(values: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as raised:
        build(virtualhost("app.test", **values, file="site.toml", line=7))
    (problem,) = raised.value.problems
    assert (problem.file, problem.line, problem.section) == ("site.toml", 7, "app.test")
    assert key in str(problem)


def test_an_unknown_driver() -> None:
    with pytest.raises(ConfigError, match="nobody"):
        build(virtualhost(), driver="nobody")


def test_a_factory_that_fails_is_its_plugins_fault() -> None:
    with pytest.raises(PluginError, match="oops"):
        build(virtualhost(selector=PluginRef("broken")))
