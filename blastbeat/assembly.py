"""Builds the parts of a server from its configuration: ROUTERs, virtualhosts with what they resolved,
decoders.

Binds nothing and runs nothing. Everything a plugin registered is looked up here, once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from blastbeat.config.model import Config, PluginRef, ServerConfig, VirtualHostConfig
from blastbeat.counters import Counters
from blastbeat.dispatcher import Decode
from blastbeat.errors import ConfigError, Problem
from blastbeat.events import Request
from blastbeat.interfaces import (
    Clock,
    DriverFactory,
    Filter,
    MessageDecoder,
    NodeAuthenticator,
    RequestAuthenticator,
    RequestEncoder,
    Selector,
)
from blastbeat.node_rules import endpoints_of, node_rules
from blastbeat.registry import Registry
from blastbeat.tally import Tallies
from blastbeat.transport.router import Router
from blastbeat.vhosts import HostTable
from blastbeat.virtualhost import VirtualHost

BEST_DRIVER = "h11"
"""What `driver = "auto"` means."""


@dataclass(slots=True)
class Parts:
    """What `build_parts` made. `routers` are keyed by their list of endpoints."""

    driver: DriverFactory
    driver_name: str
    decoders: dict[bytes, Decode]
    routers: dict[tuple[str, ...], Router]
    virtualhosts: tuple[VirtualHost, ...]
    hosts: HostTable[VirtualHost]


def build_parts(config: Config, registry: Registry, counters: Counters, clock: Clock) -> Parts:
    """Raises ConfigError for what the configuration picks and nobody registered, PluginError for what a
    plugin fails to make."""
    server = config.server
    driver_name = BEST_DRIVER if server.driver == "auto" else server.driver
    driver = cast(DriverFactory, registry.make("driver", PluginRef(driver_name)))
    encoders = {name: registry.make("encoder", PluginRef(name)) for name in registry.names("encoder")}
    routers: dict[tuple[str, ...], Router] = {}
    hosts: HostTable[VirtualHost] = HostTable(shared=server.bind)
    virtualhosts = []
    for each in config.virtualhosts:
        router = _router_of(each, server, routers, counters, clock)
        virtualhost = _build_virtualhost(each, router, registry, encoders, counters.tallies)
        own = (*each.bind, *each.bind_ssl)
        hosts.add(each.name, virtualhost, aliases=each.alias, listeners=own)
        virtualhosts.append(virtualhost)
    for endpoints, rules in node_rules(config).items():
        for name, rule in rules.items():
            routers[endpoints].table.expect(name, rule.grace, rule.max_instances, rule.options)
    decoders: dict[bytes, Decode] = {
        name.encode(): cast(MessageDecoder, encoder).decode
        for name, encoder in encoders.items()
        if hasattr(encoder, "decode")
    }
    return Parts(driver, driver_name, decoders, routers, tuple(virtualhosts), hosts)


def _router_of(
    virtualhost: VirtualHostConfig,
    server: ServerConfig,
    routers: dict[tuple[str, ...], Router],
    counters: Counters,
    clock: Clock,
) -> Router:
    endpoints = endpoints_of(virtualhost, server)
    router = routers.get(endpoints)
    if router is None:
        router = Router(", ".join(endpoints), endpoints, server, counters, clock)
        routers[endpoints] = router
    return router


def _build_virtualhost(
    config: VirtualHostConfig,
    router: Router,
    registry: Registry,
    encoders: dict[str, object],
    tallies: Tallies,
) -> VirtualHost:
    def make(kind: str, ref: PluginRef) -> object:
        try:
            return registry.make(kind, ref)
        except ConfigError as error:
            raise ConfigError([_located(problem, config) for problem in error.problems]) from error

    selector = cast(Selector, make("selector", config.selector))
    return VirtualHost(
        config,
        router.table,
        select=selector.select,
        request_type=config.request_encoder.name.encode(),
        encode_request=_request_encoder(config, encoders, make),
        filters=[cast(Filter, make("filter", ref)) for ref in config.filters],
        node_authenticators=[
            cast(NodeAuthenticator, make("node-authenticator", ref)) for ref in config.node_authenticators
        ],
        request_authenticators=[
            cast(RequestAuthenticator, make("request-authenticator", ref))
            for ref in config.request_authenticators
        ],
        tally=tallies.of(config.name, config.route),
    )


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


def _located(problem: Problem, config: VirtualHostConfig, key: str = "") -> Problem:
    return Problem(
        problem.message,
        file=config.file,
        line=config.line,
        section=config.name,
        key=key or problem.key,
        value=problem.value,
        hint=problem.hint,
    )
