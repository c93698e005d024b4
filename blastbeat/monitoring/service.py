"""Lets people look at a running server: the address of `stats-bind`, and the command `status` of the control
socket.

The address is served by an engine of its own, made of the parts that serve clients: the same gate, driver,
limits and timeouts, but other counters, no log, and no place taken from the customers' connections. Knows no
page: that is the site's business.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Protocol

import anyio
import anyio.lowlevel
import anyio.to_thread

from blastbeat.config.model import MIB, Address, ServerConfig
from blastbeat.counters import Counters
from blastbeat.dispatcher import Dispatcher
from blastbeat.events import CloseReason
from blastbeat.exchange import Exchange
from blastbeat.facts import TrustedProxies
from blastbeat.interfaces import Answer, Clock
from blastbeat.lifecycle import Lifecycle
from blastbeat.monitoring.metrics import MISSING_CLIENT, prepare, take_snapshot
from blastbeat.monitoring.site import StatusSite
from blastbeat.monitoring.status import Query, RunningServer, take_status, wiring_of
from blastbeat.sessions import Sessions
from blastbeat.stream import Stream
from blastbeat.transport.control import ControlSocket
from blastbeat.transport.listener import Listener
from blastbeat.transport.outputs import OutputAccount
from blastbeat.transport.preface import Accepted
from blastbeat.wiring import Wiring

log = logging.getLogger(__name__)

SETTINGS = ServerConfig(connections=64, header_timeout=10.0, memory=256 * MIB)
"""Of the status address, whatever is configured for customers."""


class MonitoredServer(RunningServer, Protocol):
    """Who is looked at, and has a control socket."""

    @property
    def control(self) -> ControlSocket: ...
    @property
    def warnings(self) -> list[str]: ...


class Monitoring:
    """`address`: where the status page really is, None while there is none."""

    def __init__(self, server: MonitoredServer, clock: Clock) -> None:
        self.address: Address | None = None
        self._server = server
        self._clock = clock
        self._open: set[Accepted] = set()
        self._listener: Listener | None = None
        self._thread: anyio.CapacityLimiter
        server.control.handle("status", self._answer_command)

    async def open(self) -> None:
        """Bind `stats-bind`, where it is set. Raises StartError."""
        address = self._server.config.server.stats_bind
        if address is None:
            return
        try:
            prepare("")  # loads what it needs now: it takes its time, and the rights to may be given up
        except ImportError:
            self._server.warnings.append(f"stats-bind: {MISSING_CLIENT}")
        self._thread = anyio.CapacityLimiter(1)
        wiring = wiring_of(self._server)
        names = frozenset({address.host.lower(), os.uname().nodename.lower()} - {""})
        site = StatusSite(self.take_status, self._prepare_metrics, self._is_stopping, self._in_thread, names)
        counters = Counters()
        dispatcher = _new_dispatcher(wiring, counters)
        dispatcher.admission = Desk(site, wiring.spawn, dispatcher.flush)
        context = replace(
            wiring.context,
            config=SETTINGS,
            dispatcher=dispatcher,
            counters=counters,
            account=OutputAccount(SETTINGS.memory),
            trusted_proxies=TrustedProxies(()),
        )
        self._listener = Listener(address, context, self._open)
        self.address = (await self._listener.open())[0]

    async def start(self) -> None:
        """Answer from here on."""
        if self._listener is not None:
            await self._listener.start()
            log.info("status page: http://%s/", self.address)

    async def close(self) -> None:
        """Whoever looks is cut off: the server has ended."""
        if self._listener is None:
            return
        self._listener.close()
        for connection in list(self._open):
            connection.stop(at_once=True)
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()  # lets the transports call connection_lost

    def take_status(self, query: Query) -> dict[str, Any]:
        """The server as it is now. In the event loop only."""
        return take_status(self._server, query, self._clock.monotonic(), self._clock.wall())

    async def _answer_command(self, arguments: Mapping[str, Any]) -> object:
        return self.take_status(Query.parse(arguments))

    def _prepare_metrics(self, accept: str) -> Callable[[], tuple[bytes, str]]:
        write = prepare(accept)
        snapshot = take_snapshot(self._server, self._clock.monotonic(), self._clock.wall())
        return lambda: write(snapshot)

    def _is_stopping(self) -> bool:
        return wiring_of(self._server).dispatcher.is_stopping

    async def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        return await anyio.to_thread.run_sync(work, limiter=self._thread)


class Desk:
    """Takes the requests of the status address (`dispatcher.Admits`): all are for the site."""

    def __init__(
        self,
        site: StatusSite,
        spawn: Callable[[Coroutine[Any, Any, None]], Callable[[], None]],
        flush: Callable[[], None],
    ) -> None:
        self._site = site
        self._spawn = spawn
        self._flush = flush

    def admit(self, stream: Stream, exchange: Exchange) -> None:
        exchange.cancel = self._spawn(self._answer(stream, exchange))

    async def _answer(self, stream: Stream, exchange: Exchange) -> None:
        try:
            answer = await self._site.answer(exchange.head)
        except Exception:
            log.exception("the status page failed at %r", exchange.head.target)
            if stream.exchange is exchange:
                stream.fail(500, CloseReason.PLUGIN_ERROR, "the status page failed; the log says more")
        else:
            if stream.exchange is exchange:
                stream.answer(answer, answer.reason, answer.detail)
        self._flush()


def _new_dispatcher(wiring: Wiring, counters: Counters) -> Dispatcher:
    """One that no node ever speaks to."""
    return Dispatcher(
        {},
        Sessions(0, bytes, counters),
        Lifecycle(),
        counters,
        wiring.context.clock,
        session_share=0,
        credit=0,
        flush=wiring.outputs.flush,
    )
