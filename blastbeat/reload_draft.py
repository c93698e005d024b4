"""All that another configuration needs, read and built while the one in force stays what it is.

Nothing is bound here and nothing that runs is changed: a draft may be thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import anyio.to_thread

from blastbeat.assembly import Assembly, add_host
from blastbeat.background import spread
from blastbeat.bindings import Rebinding
from blastbeat.config.check import Known
from blastbeat.config.difference import Difference, find_difference, keep_until_restart
from blastbeat.config.model import Config
from blastbeat.errors import ConfigError, Problem, ReloadError
from blastbeat.former_listeners import FormerListeners
from blastbeat.interfaces import DriverFactory, WebSocketDriverFactory
from blastbeat.node_rules import Endpoints, endpoints_of, node_rules
from blastbeat.pages import PageTable, load_pages
from blastbeat.plugin_config import NO_PLUGINS, PluginConfig, refuse
from blastbeat.registry import KINDS, Registry
from blastbeat.roster import NodeRule
from blastbeat.transport.client_link import ClientLink
from blastbeat.transport.tls_contexts import TlsTable, load_table
from blastbeat.vhosts import HostTable
from blastbeat.virtualhost import VirtualHost
from blastbeat.wiring import client_addresses

if TYPE_CHECKING:
    from blastbeat.server import Server

Load: TypeAlias = Callable[[Known], tuple[Config | None, Sequence[Problem]]]
"""Reads the configuration once more; None where it has errors. Called in a thread, with the names that are
registered by kind."""


@dataclass(slots=True)
class Draft:
    """All that was made before anything was changed. `old` and `fresh` are the virtualhosts that give way and
    that are new, with their routes."""

    config: Config
    difference: Difference
    problems: Sequence[Problem]
    driver: DriverFactory
    driver_name: str
    websocket_driver: WebSocketDriverFactory
    rebinding: Rebinding
    virtualhosts: list[VirtualHost] = field(default_factory=list)
    fresh: list[VirtualHost] = field(default_factory=list)
    old: list[VirtualHost] = field(default_factory=list)
    hosts: HostTable[VirtualHost] = field(default_factory=HostTable)
    former: FormerListeners = field(default_factory=FormerListeners)
    pages: PageTable = field(default_factory=lambda: PageTable({}))
    tls: TlsTable | None = None
    rules: Mapping[Endpoints, Mapping[str, NodeRule]] = field(default_factory=dict)


class Drafter:
    """`load` reads the configuration, None where nobody knows how to."""

    def __init__(
        self,
        server: Server,
        assembly: Assembly,
        registry: Registry,
        load: Load | None,
        plugins: PluginConfig = NO_PLUGINS,
    ) -> None:
        self._server = server
        self._assembly = assembly
        self._registry = registry
        self._load = load
        self._plugins = plugins

    async def draft(self, config: Config | None, former: FormerListeners) -> Draft:
        """For `config`, or for what is read now. Raises ConfigError, PluginError or ReloadError."""
        running = self._server.config
        problems: Sequence[Problem] = ()
        if config is None:
            config, problems = await self._read()
        told = await anyio.to_thread.run_sync(self._plugins.examine, config)
        problems = [*problems, *refuse(told)]
        difference = await anyio.to_thread.run_sync(find_difference, running, config, self._plugins.declared)
        config = keep_until_restart(running, config)
        driver, driver_name = self._driver(running, config)
        draft = Draft(
            config,
            difference,
            problems,
            driver,
            driver_name,
            self._websocket_driver(running, config),
            self._rebinding(config),
        )
        draft.rules = await anyio.to_thread.run_sync(node_rules, config)
        found: list[Problem] = []
        try:
            draft.pages = await anyio.to_thread.run_sync(load_pages, config)
        except ConfigError as error:
            found += error.problems
        try:
            draft.tls = await anyio.to_thread.run_sync(self._load_tls, config, driver)
            draft.difference = replace(difference, certificates=draft.tls.renewed(self._tls()))
        except ConfigError as error:
            found += error.problems
        try:
            await spread(self._build(draft, found))
            if found:
                raise ConfigError(list(dict.fromkeys(found)))
            await spread(self._fill_hosts(draft, former))
        except BaseException:
            self.discard(draft)
            raise
        draft.problems = [*problems, *map(_stays_bound, draft.rebinding.stay_bound)]
        return draft

    def discard(self, draft: Draft) -> None:
        """It was made in vain: what its virtualhosts hold is let go."""
        assert self._server.wiring is not None
        self._server.wiring.retirement.retire(draft.fresh, self._running())

    def _driver(self, running: Config, config: Config) -> tuple[DriverFactory, str]:
        wiring = self._server.wiring
        if wiring is not None and config.server.driver == running.server.driver:
            return wiring.context.driver, self._server.driver_name
        return self._assembly.driver(config.server)

    def _websocket_driver(self, running: Config, config: Config) -> WebSocketDriverFactory:
        wiring = self._server.wiring
        if wiring is not None and config.server.websocket_driver == running.server.websocket_driver:
            return wiring.context.websocket_driver
        return self._assembly.websocket_driver(config.server)

    def _load_tls(self, config: Config, driver: DriverFactory) -> TlsTable:
        return load_table(config, driver.protocols, self._tls())

    def _tls(self) -> TlsTable | None:
        wiring = self._server.wiring
        return wiring.context.tls if wiring is not None else None

    async def _read(self) -> tuple[Config, Sequence[Problem]]:
        if self._load is None:
            raise ReloadError("this server was not told where its configuration comes from")
        known = {kind: self._registry.names(kind) for kind in KINDS}
        config, problems = await anyio.to_thread.run_sync(self._load, known)
        if config is None:
            raise ConfigError([problem for problem in problems if problem.severity == "error"])
        return config, problems

    def _rebinding(self, config: Config) -> Rebinding:
        return Rebinding(
            self._server.bindings,
            client_addresses(config),
            [endpoints_of(each, config.server) for each in config.virtualhosts],
            new_listener=self._server.new_listener,
            new_router=lambda endpoints: self._assembly.router(endpoints, config.server),
        )

    def _build(self, draft: Draft, found: list[Problem]) -> Iterator[None]:
        """Virtualhosts that say the same as before keep their object, and with it whatever state it has."""
        before = {each.name: each for each in self._running() if not each.config.route}
        for config in draft.config.virtualhosts:
            table = draft.rebinding.routers[endpoints_of(config, draft.config.server)].table
            known = before.pop(config.name, None)
            if known is not None and known.table is table and known.config == config:
                draft.virtualhosts.append(known)
                yield
                continue
            if known is not None:
                draft.old += known.parts
            try:
                made = self._assembly.virtualhost(config, table)
            except ConfigError as error:
                found += error.problems
            else:
                draft.virtualhosts.append(made)
                draft.fresh += made.parts
            yield
        draft.old += (part for gone in before.values() for part in gone.parts)

    def _running(self) -> Sequence[VirtualHost]:
        assert self._server.wiring is not None
        return self._server.wiring.dispatcher.virtualhosts

    def _fill_hosts(self, draft: Draft, former: FormerListeners) -> Iterator[None]:
        server = self._server
        in_use = {each.listener for each in server.connections() if isinstance(each, ClientLink)}
        draft.former = former.after(
            server.config, draft.rebinding.gone_addresses, client_addresses(draft.config), in_use
        )
        draft.hosts = HostTable(
            shared=(*draft.config.server.bind, *draft.config.server.bind_ssl, *draft.former.shared)
        )
        for each in draft.virtualhosts:
            add_host(draft.hosts, each, draft.former.of(each.name))
            yield


def _stays_bound(endpoint: str) -> Problem:
    message = "stays bound until a restart: the nodes that came by it would be cut off"
    return Problem(message, "warning", key="zmq", value=endpoint)
