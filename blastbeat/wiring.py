"""Connects the parts of a server with each other: sessions, dispatcher, admission, timers, outputs.

Made once per server, when its event loop runs. Binds nothing; what is configured is read here, and may be
read again by `new_context`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
from anyio.abc import TaskGroup

from blastbeat.admission import Admission
from blastbeat.assembly import Parts
from blastbeat.config.model import Address, Config, VirtualHostConfig
from blastbeat.counters import Counters
from blastbeat.dispatcher import Dispatcher
from blastbeat.facts import TrustedProxies
from blastbeat.interfaces import Clock, DriverFactory, HttpLimits, WebSocketDriverFactory
from blastbeat.lifecycle import Lifecycle
from blastbeat.pages import PageTable
from blastbeat.retirement import Retirement
from blastbeat.sessions import Sessions
from blastbeat.transport.clock import DateField
from blastbeat.transport.context import ConnectionContext
from blastbeat.transport.outputs import OutputAccount, Outputs
from blastbeat.transport.randomness import Randomness
from blastbeat.transport.router import Router
from blastbeat.transport.timers import TimerWheel
from blastbeat.transport.tls_contexts import TlsTable
from blastbeat.transport.tls_preface import HandshakeTurns
from blastbeat.vhosts import HostTable
from blastbeat.virtualhost import VirtualHost

log = logging.getLogger(__name__)


class Wiring:
    """`context` is what new client connections share; those that are open keep the one they began with."""

    def __init__(
        self,
        config: Config,
        parts: Parts,
        lifecycle: Lifecycle,
        counters: Counters,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        tasks: TaskGroup,
        tls: TlsTable | None = None,
    ) -> None:
        randomness = Randomness()
        self.timers = TimerWheel(loop, clock, shortest_timeout(config))
        self.sessions = Sessions(config.server.sessions, randomness.take, counters)
        self.outputs = Outputs(loop)
        self.handshakes = HandshakeTurns(loop)
        self.account = OutputAccount(config.server.memory)
        self.dispatcher = Dispatcher(
            parts.decoders,
            self.sessions,
            lifecycle,
            counters,
            clock,
            session_share=config.server.session_share,
            credit=config.server.credit,
            flush=self.outputs.flush,
        )
        self._clock, self._counters, self._loop, self._tasks = clock, counters, loop, tasks
        self._date = DateField()
        self.admission = self.dispatcher.admission = Admission(
            parts.hosts, self.sessions, self.dispatcher, self.spawn, randomness.hex_id
        )
        self.retirement = Retirement(self.admission.authenticating, tasks)
        self.dispatcher.virtualhosts = parts.virtualhosts
        self.dispatcher.pages = parts.pages.of(config.defaults)
        for router in parts.routers.values():
            self.connect(router)
        self.context = self.new_context(config, parts.driver, parts.websocket_driver, tls)

    def adapt(
        self,
        config: Config,
        driver: DriverFactory,
        websocket_driver: WebSocketDriverFactory,
        hosts: HostTable[VirtualHost],
        pages: PageTable,
        tls: TlsTable | None,
    ) -> None:
        """Requests and client connections that begin from now on follow `config`."""
        server = config.server
        self.sessions.limit = server.sessions
        self.account.limit = server.memory
        self.dispatcher.placement.session_share = server.session_share
        self.timers.set_shortest(shortest_timeout(config))
        self.admission.hosts = hosts
        self.dispatcher.pages = pages.of(config.defaults)
        self.context = self.new_context(config, driver, websocket_driver, tls)

    def connect(self, router: Router) -> None:
        """What comes from this ROUTER's nodes goes to the dispatcher."""
        router.sink = self.dispatcher
        self.dispatcher.tables[router] = router.table

    def new_context(
        self,
        config: Config,
        driver: DriverFactory,
        websocket_driver: WebSocketDriverFactory,
        tls: TlsTable | None,
    ) -> ConnectionContext:
        """What client connections share, as `config` wants it."""
        server = config.server
        return ConnectionContext(
            config=server,
            limits=HttpLimits(server.max_head, server.max_uri, server.max_headers),
            driver=driver,
            websocket_driver=websocket_driver,
            dispatcher=self.dispatcher,
            clock=self._clock,
            counters=self._counters,
            timers=self.timers,
            outputs=self.outputs,
            account=self.account,
            trusted_proxies=TrustedProxies(server.trusted_proxies),
            date_now=self._date.now,
            loop=self._loop,
            handshakes=self.handshakes,
            tls=tls,
        )

    def spawn(self, work: Coroutine[Any, Any, None]) -> Callable[[], None]:
        """Run what is awaited for one request; what is returned cancels it."""
        scope = anyio.CancelScope()
        self._tasks.start_soon(_isolated, work, scope)
        return scope.cancel


def client_addresses(config: Config) -> list[Address]:
    """Every address that clients are accepted on, once."""
    own = [address for each in config.virtualhosts for address in (*each.bind, *each.bind_ssl)]
    return list(dict.fromkeys((*config.server.bind, *config.server.bind_ssl, *own)))


async def _isolated(work: Coroutine[Any, Any, None], scope: anyio.CancelScope) -> None:
    """A fault in what is done for one request must not end the task group, and the server with it."""
    try:
        with scope:
            await work
    except Exception:
        log.exception("a request broke while it was looked at")
    finally:
        work.close()  # where it was cancelled before it began


def shortest_timeout(config: Config) -> float:
    """The shortest timeout any deadline of a connection may be made of, seconds."""
    timeouts = [config.server.header_timeout, config.server.handshake_timeout]
    policies = (policy for each in config.virtualhosts for policy in each.parts)
    for each in (VirtualHostConfig(""), *policies):
        timeouts.append(each.websocket_ping)
        timeouts += (each.keep_alive, each.body_timeout, each.response_timeout)
        timeouts += (each.idle_timeout, each.write_timeout, each.linger_time, each.hold, each.websocket_ping)
    return min((timeout for timeout in timeouts if timeout), default=1.0)
