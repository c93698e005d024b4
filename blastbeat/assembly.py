"""Builds the parts of a server from its configuration: ROUTERs, virtualhosts with what they resolved,
decoders.

Binds nothing and runs nothing. Everything a plugin registered is looked up here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from weakref import WeakValueDictionary

from blastbeat.config.declared import NOTHING, Declared, picks_of
from blastbeat.config.model import Config, Origin, PluginRef, ServerConfig, VirtualHostConfig
from blastbeat.counters import Counters
from blastbeat.dispatcher import Decode
from blastbeat.errors import ConfigError, Problem
from blastbeat.events import Request
from blastbeat.interfaces import (
    Clock,
    DriverFactory,
    ExpectsClock,
    Filter,
    MessageDecoder,
    NodeAuthenticator,
    RequestAuthenticator,
    RequestEncoder,
    Selector,
    WebSocketDriverFactory,
)
from blastbeat.node_options import hand_over
from blastbeat.node_rules import Endpoints, endpoints_of, node_rules
from blastbeat.nodes import NodeTable
from blastbeat.pages import PageTable, load_pages
from blastbeat.registry import Registry
from blastbeat.routes import RouteTable
from blastbeat.secure_access import access_rule
from blastbeat.transport.router import Router
from blastbeat.vhosts import HostTable
from blastbeat.virtualhost import NOTHING_IMPLIED, Implied, SessionCount, VirtualHost

BEST_DRIVER = "h11"
"""What `driver = "auto"` means."""

BEST_WEBSOCKET_DRIVER = "wsproto"
"""The same for `websocket-driver`."""


@dataclass(slots=True)
class Parts:
    """What a server runs with. `routers` are keyed by their list of endpoints; of the `virtualhosts`, each is
    followed by its routes."""

    driver: DriverFactory
    driver_name: str
    websocket_driver: WebSocketDriverFactory
    decoders: dict[bytes, Decode]
    routers: dict[Endpoints, Router]
    virtualhosts: tuple[VirtualHost, ...]
    hosts: HostTable[VirtualHost]
    pages: PageTable

    def let_go(self) -> None:
        """Forgets the virtualhosts, which live as long as others need them."""
        self.virtualhosts, self.hosts = (), HostTable()


def build_parts(config: Config, registry: Registry, counters: Counters, clock: Clock) -> Parts:
    """All parts of a server that starts. Raises what `Assembly` raises."""
    return Assembly(registry, counters, clock).parts(config)


class Assembly:
    """Makes parts, one by one or all; kept for when the configuration is read again.

    Its methods raise ConfigError for what the configuration picks and nobody registered, PluginError for
    what a plugin fails to make.
    """

    def __init__(
        self, registry: Registry, counters: Counters, clock: Clock, declared: Declared = NOTHING
    ) -> None:
        self._registry = registry
        self._declared = declared
        self._counters = counters
        self._clock = clock
        self._counts: WeakValueDictionary[str, SessionCount] = WeakValueDictionary()
        self._encoders = {
            name: registry.make("encoder", PluginRef(name)) for name in registry.names("encoder")
        }

    def parts(self, config: Config) -> Parts:
        """All parts of a server that starts."""
        server = config.server
        pages = load_pages(config)
        driver, driver_name = self.driver(server)
        routers: dict[Endpoints, Router] = {}
        virtualhosts = []
        for each in config.virtualhosts:
            endpoints = endpoints_of(each, server)
            if endpoints not in routers:
                routers[endpoints] = self.router(endpoints, server)
            virtualhosts.append(self.virtualhost(each, routers[endpoints].table))
        hosts: HostTable[VirtualHost] = HostTable(shared=(*server.bind, *server.bind_ssl))
        for virtualhost in virtualhosts:
            add_host(hosts, virtualhost)
        with_routes = tuple(part for virtualhost in virtualhosts for part in virtualhost.parts)
        for virtualhost in with_routes:
            virtualhost.pages = pages.of(virtualhost.config)
            virtualhost.access_rule = access_rule(virtualhost.config, virtualhost.whole.config, server)
        for endpoints, rules in node_rules(config).items():
            for name, rule in rules.items():
                routers[endpoints].table.expect(name, rule.grace, rule.max_instances, rule.options)
        decoders: dict[bytes, Decode] = {
            name.encode(): cast(MessageDecoder, encoder).decode
            for name, encoder in self._encoders.items()
            if hasattr(encoder, "decode")
        }
        websocket_driver = self.websocket_driver(server)
        return Parts(driver, driver_name, websocket_driver, decoders, routers, with_routes, hosts, pages)

    def driver(self, server: ServerConfig) -> tuple[DriverFactory, str]:
        """What makes drivers for client connections, and its name."""
        name = BEST_DRIVER if server.driver == "auto" else server.driver
        return cast(DriverFactory, self._registry.make("driver", PluginRef(name))), name

    def websocket_driver(self, server: ServerConfig) -> WebSocketDriverFactory:
        """What makes drivers for upgraded connections."""
        name = BEST_WEBSOCKET_DRIVER if server.websocket_driver == "auto" else server.websocket_driver
        return cast(WebSocketDriverFactory, self._registry.make("websocket-driver", PluginRef(name)))

    def router(self, endpoints: Endpoints, server: ServerConfig) -> Router:
        """A ROUTER that is not bound yet and expects nobody."""
        return Router(", ".join(endpoints), endpoints, server, self._counters, self._clock)

    def virtualhost(self, config: VirtualHostConfig, table: NodeTable) -> VirtualHost:
        """One virtualhost with its routes. It counts its sessions with those that had its name before, as
        long as one of them has any."""
        count = self._counts.get(config.name)
        if count is None:
            count = self._counts[config.name] = SessionCount()
        whole = self._policy(config, table, count)
        if config.routes:
            made = [(each, self._policy(each.policy, table, whole=whole)) for each in config.routes]
            whole.routes = RouteTable(made, config.name)
        return whole

    def _policy(
        self,
        config: VirtualHostConfig,
        table: NodeTable,
        count: SessionCount | None = None,
        whole: VirtualHost | None = None,
    ) -> VirtualHost:
        """A virtualhost without its routes, or a route of `whole`: it has the objects of what it inherits."""

        def make(kind: str, ref: PluginRef) -> object:
            try:
                return self._registry.make(kind, ref)
            except ConfigError as error:
                raise ConfigError([_located(problem, config) for problem in error.problems]) from error

        def all_of(key: str, kind: str) -> Sequence[object]:
            field = key.replace("-", "_")
            if whole is not None and _inherits(config, whole, key):
                return _listed(whole, field)
            return [make(kind, ref) for ref in getattr(config, field)]

        selector = cast(Selector, make("selector", config.selector))
        if isinstance(selector, ExpectsClock):
            selector.expect_clock(self._clock.monotonic)
        if refused := [each for each in hand_over(selector, config) if each.severity == "error"]:
            raise ConfigError(refused)
        return VirtualHost(
            config,
            table,
            select=selector.select,
            request_type=config.request_encoder.name.encode(),
            encode_request=_request_encoder(config, self._encoders, make),
            filters=cast(Sequence[Filter], all_of("filters", "filter")),
            bandwidth=[*(whole.bandwidth if whole is not None else ()), *self._bandwidth(config)],
            node_authenticators=cast(
                Sequence[NodeAuthenticator], all_of("node-authenticators", "node-authenticator")
            ),
            request_authenticators=cast(
                Sequence[RequestAuthenticator], all_of("request-authenticators", "request-authenticator")
            ),
            implied=self._implied(config) if whole is None else whole.implied,
            count=count,
            tally=self._counters.tallies.of(config.name, config.route),
            whole=whole,
        )

    def _implied(self, config: VirtualHostConfig) -> Implied:
        """What its keys pick that plugins declared."""
        if not config.plugin_keys:
            return NOTHING_IMPLIED
        made: dict[str, list[Any]] = {"filter": [], "node-authenticator": [], "request-authenticator": []}
        for key, kind, ref in picks_of(config, self._declared):
            try:
                made[kind].append(self._registry.make(kind, ref))
            except ConfigError as error:
                problems = [_located(problem, config, key) for problem in error.problems]
                raise ConfigError(problems) from error
        return Implied(*map(tuple, made.values()))

    def _bandwidth(self, config: VirtualHostConfig) -> list[Filter]:
        """The filter that keeps `bandwidth`, where it is set."""
        ref = bandwidth_filter(config)
        if ref is None:
            return []
        try:
            return [cast(Filter, self._registry.make("filter", ref))]
        except ConfigError as error:
            why = [replace(problem, message=f"{BY_FILTER}: {problem.message}") for problem in error.problems]
            raise ConfigError([_located(problem, config, "bandwidth") for problem in why]) from None


BY_FILTER = "it is kept by the filter of the plugin `limits`"


def bandwidth_filter(config: VirtualHostConfig) -> PluginRef | None:
    """What a virtualhost picks by `bandwidth`."""
    return PluginRef("limits", {"download": f"{config.bandwidth}B/s"}) if config.bandwidth else None


def _listed(whole: VirtualHost, field: str) -> Sequence[object]:
    """What a virtualhost lists itself, and its routes inherit."""
    if field == "filters":
        return whole.listed_filters
    of_all: Sequence[object] = getattr(whole, field)
    return of_all[len(getattr(whole.implied, field)) :]


def _inherits(config: VirtualHostConfig, whole: VirtualHost, key: str) -> bool:
    """True where a route does not say `key` itself."""
    field = key.replace("-", "_")
    same = getattr(config, field) == getattr(whole.config, field)
    return same and config.origins.get(key) == whole.config.origins.get(key)


def add_host(
    hosts: HostTable[VirtualHost], virtualhost: VirtualHost, further: Sequence[Hashable] = ()
) -> None:
    """Requests for its names lead to it, on its own listeners or the shared ones, and on `further` ones."""
    config = virtualhost.config
    hosts.add(config.name, virtualhost, aliases=config.alias, listeners=(*config.bind, *config.bind_ssl))
    if further:
        hosts.add(config.name, virtualhost, aliases=config.alias, listeners=further)


def _request_encoder(
    config: VirtualHostConfig, encoders: dict[str, object], make: Callable[[str, PluginRef], object]
) -> Callable[[Request], bytes]:
    name = config.request_encoder.name
    encoder = encoders.get(name)
    if encoder is None or not hasattr(encoder, "encode_request"):
        able = sorted(name for name, encoder in encoders.items() if hasattr(encoder, "encode_request"))
        problem = Problem(
            f"no encoder of this name writes request heads; known: {', '.join(able)}", value=name
        )
        raise ConfigError([_located(problem, config, "request-encoder")])
    if config.request_encoder.options:
        encoder = make("encoder", config.request_encoder)
    return cast(RequestEncoder, encoder).encode_request


_KEY_OF_KIND = {
    "encoder": "request-encoder",
    "node-authenticator": "node-authenticators",
    "request-authenticator": "request-authenticators",
    "filter": "filters",
}


def _located(problem: Problem, config: VirtualHostConfig, key: str = "") -> Problem:
    """Where the option that picked it was written; where it was not, where the virtualhost was."""
    key = key or _KEY_OF_KIND.get(problem.key, problem.key)
    origin = config.origins.get(key) or Origin(config.file, config.line, config.section or config.name)
    return replace(problem, file=origin.file, line=origin.line, section=origin.section, key=key)
