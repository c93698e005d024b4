"""One server's life: build, bind, run, drain, stop.

The composition root: it alone knows all the parts. It decides nothing about requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable, Sequence

import anyio
import anyio.lowlevel
import anyio.to_thread
from anyio.abc import TaskGroup

from blastbeat.assembly import Assembly, Parts
from blastbeat.bindings import Bindings
from blastbeat.config.model import Address, Config
from blastbeat.counters import Counters
from blastbeat.dispatcher import Dispatcher
from blastbeat.errors import BlastBeatError
from blastbeat.events import CloseReason
from blastbeat.figures import Figures, FiguresLog, take_figures
from blastbeat.interfaces import ServerView
from blastbeat.lifecycle import Lifecycle
from blastbeat.log_writer import LogWriter
from blastbeat.monitoring.service import Monitoring
from blastbeat.plugin_config import refuse
from blastbeat.plugin_manager import PluginManager
from blastbeat.plugin_profile import PluginProfile
from blastbeat.reload_draft import Load
from blastbeat.reloading import Reload, Reloader
from blastbeat.server_logs import ServerLogs, change_log_level
from blastbeat.system.descriptors import allow_descriptors
from blastbeat.system.handover import hand_over, whom_to_become
from blastbeat.transport.activation import PassedSockets
from blastbeat.transport.clock import SystemClock
from blastbeat.transport.control import ControlSocket
from blastbeat.transport.listener import Listener
from blastbeat.transport.preface import Accepted
from blastbeat.transport.stopping import stop_gradually
from blastbeat.transport.systemd import Notifier
from blastbeat.transport.tls_contexts import load_table
from blastbeat.wiring import Wiring, client_addresses

log = logging.getLogger(__name__)


class Server:
    """Built from a configuration; `run` once. `plugins` are further plugin objects beside the configured
    ones; `load` reads the configuration again for a reload; `manager` has loaded the plugins already that
    were asked when the configuration was read.

    `notifier` tells a service manager, `passed` are the sockets it has bound; the server closes both.
    `profile_plugins`: measure what plugins cost, for the status. After `ready`: `addresses` and `endpoints`
    are what was really bound, `counters` the figures. Who can do something for the operator tells `control`.
    """

    def __init__(
        self,
        config: Config,
        *,
        plugins: Sequence[object] = (),
        load: Load | None = None,
        notifier: Notifier | None = None,
        passed: PassedSockets | None = None,
        manager: PluginManager | None = None,
        profile_plugins: bool = False,
    ) -> None:
        self.config = config
        self.notifier = notifier or Notifier()
        self.passed = passed or PassedSockets()
        self.counters = Counters()
        self.addresses: list[Address] = []
        self.endpoints: list[str] = []
        self.warnings: list[str] = []
        self.driver_name = ""
        self.generation = 1
        self.loaded_at = 0.0
        self.profile = PluginProfile(time.perf_counter) if profile_plugins else None
        self._plugins = tuple(plugins)
        self._load = load
        self._manager = manager
        self._clock = SystemClock()
        self._lifecycle = Lifecycle()
        self.started_at = 0.0
        self._listeners: list[Listener] = []
        self._open: set[Accepted] = set()
        self.wiring: Wiring | None = None
        self.control = ControlSocket(config.server.control)
        self.monitoring = Monitoring(self, self._clock)
        self.figures_log: FiguresLog
        self.logs = ServerLogs()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked: anyio.Event | None = None
        self._abort_asked: anyio.Event | None = None

    @property
    def session_count(self) -> int:
        """Sessions open now."""
        return len(self.wiring.sessions.by_sid) if self.wiring is not None else 0

    @property
    def connection_count(self) -> int:
        """Client connections open now."""
        return len(self._open)

    def figures(self) -> Figures:
        """What there is and was counted, now. Call it in the server's loop."""
        wiring = self.wiring
        return take_figures(
            self._clock.monotonic(),
            self.counters,
            wiring.dispatcher.tables.values() if wiring is not None else (),
            connections=self.connection_count,
            sessions=self.session_count,
            client_bytes=wiring.account.total if wiring is not None else 0,
        )

    def stop(self) -> None:
        """Finish what runs and end; called again, end at once. Safe from any thread."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended meanwhile
                loop.call_soon_threadsafe(self._ask_to_stop)

    def _ask_to_stop(self) -> None:
        assert self._stop_asked is not None and self._abort_asked is not None
        if self._stop_asked.is_set():
            self._abort_asked.set()
        self._stop_asked.set()

    async def run(
        self, ready: Callable[[Server], None] | None = None, *, handle_signals: bool = True
    ) -> None:
        """Until `stop`, or SIGTERM or SIGINT. `ready` is called when everything is bound.

        Raises ConfigError, PluginError or StartError when it does not come to that.
        """
        self._loop = asyncio.get_running_loop()
        self._stop_asked, self._abort_asked = anyio.Event(), anyio.Event()
        manager = self._manager
        if manager is None:
            manager = PluginManager.for_config(self.config, plugins=self._plugins)
            for problem in manager.load():
                log.warning("%s", problem)
        self.counters.declare(manager.counters)
        registry = manager.build_registry()
        registry.profile = self.profile
        self._lifecycle = manager.lifecycle(self.profile)
        plugins = manager.config()
        for problem in refuse(plugins.examine(self.config)):
            log.log(logging.WARNING if problem.severity == "warning" else logging.INFO, "%s", problem)
        plugins.hand_tables(self.config)
        assembly = Assembly(registry, self.counters, self._clock, plugins.declared)
        parts = assembly.parts(self.config)
        self.driver_name = parts.driver_name
        self.bindings = Bindings(self._listeners, parts.routers)
        self.reloader = Reloader(self, assembly, registry, self._load, plugins)
        self.loaded_at = self._clock.wall()
        try:
            async with anyio.create_task_group() as tasks:
                await self._live(parts, tasks, ready, handle_signals)
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1 and isinstance(group.exceptions[0], BlastBeatError):
                raise group.exceptions[0] from None  # what the caller can name
            raise

    async def _live(
        self, parts: Parts, tasks: TaskGroup, ready: Callable[[Server], None] | None, handle_signals: bool
    ) -> None:
        assert self._loop is not None
        self.figures_log = FiguresLog(self._loop.call_later, self.figures)
        tls = await anyio.to_thread.run_sync(load_table, self.config, parts.driver.protocols)
        wiring = self.wiring = Wiring(
            self.config, parts, self._lifecycle, self.counters, self._clock, self._loop, tasks, tls
        )
        self._listeners += map(self.new_listener, client_addresses(self.config))
        try:
            parts.let_go()  # they are the wiring's, and others may take their place
            await self._serve(wiring.dispatcher, tasks, ready, handle_signals)
        finally:
            self.figures_log.set_period(0)
            wiring.timers.close()
            self.bindings.close()
            self.control.close()
            await wiring.retirement.close_all(wiring.dispatcher.virtualhosts)
            await self.monitoring.close()
            self.passed.close()
            self.notifier.close()
            if self.started_at:
                self._tell(self._lifecycle.server_stopped)
            self.logs.close_access_log()
            tasks.cancel_scope.cancel()

    async def _serve(
        self,
        dispatcher: Dispatcher,
        tasks: TaskGroup,
        ready: Callable[[Server], None] | None,
        handle_signals: bool,
    ) -> None:
        assert self._loop is not None and self._stop_asked is not None
        account = whom_to_become(self.config.server)
        self._warn(allow_descriptors(self.config))
        self.passed.check(client_addresses(self.config))
        self.logs.open_access_log(self.config.server)
        self.logs.count_lost(self._count_lost)
        self.control.open()
        self.addresses += await self.bindings.open_listeners()
        await self.monitoring.open()
        self.endpoints += self.bindings.open_routers(self._loop)
        if account is not None:
            self._warn(*hand_over(self.config, account, self.endpoints, self.control.give_to))
        await self.bindings.start_listeners()
        self.reloader.start(tasks)
        self.control.handle("reload", self.reloader.answer)
        if handle_signals:
            await tasks.start(self._watch_signals)
        await self.control.start(tasks)
        await self.monitoring.start()
        self.started_at = self._clock.wall()
        self._tell(self._lifecycle.server_started)
        self.figures_log.set_period(self.config.server.stats_freq)
        if ready is not None:
            ready(self)
        self.notifier.ready(f"serves {', '.join(map(str, self.addresses))}")
        self.notifier.start_watchdog(self._loop)
        await self._stop_asked.wait()
        self.notifier.stopping(self.config.server.drain)
        self._tell(self._lifecycle.server_stopping)
        await self._drain(dispatcher)

    async def _watch_signals(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        handlers = {
            signal.SIGTERM: self._ask_to_stop,
            signal.SIGINT: self._ask_to_stop,
            signal.SIGUSR1: self.reopen_logs,
            signal.SIGHUP: self.reloader.ask,
        }
        with anyio.open_signal_receiver(*handlers) as signals:
            task_status.started()
            async for received in signals:
                handlers[received]()

    def new_listener(self, address: Address) -> Listener:
        """For a client address; not bound yet."""
        assert self.wiring is not None
        return Listener(address, self.wiring.context, self._open, self.passed)

    async def reload(self, config: Config | None = None) -> Reload:
        """Read the configuration again, or take `config`, and put it into force; in the server's loop. Raises
        ConfigError, PluginError, StartError or ReloadError: then nothing has changed."""
        return await self.reloader.reload(config)

    def take_over(self, config: Config, driver_name: str, access_log: LogWriter | None) -> None:
        """Another configuration is in force from here on, and this is the access log."""
        self.logs.access = access_log
        self.logs.count_lost(self._count_lost)
        before, self.config = self.config.server, config
        self.driver_name = driver_name
        self.generation += 1
        self.loaded_at = self._clock.wall()
        self.addresses, self.endpoints = self.bindings.addresses, self.bindings.endpoints
        if config.server.log_level != before.log_level:
            change_log_level(config.server.log_level)
        if config.server.stats_freq != before.stats_freq:
            self.figures_log.set_period(config.server.stats_freq)
        self._tell(self._lifecycle.config_reloaded)

    def connections(self) -> Sequence[Accepted]:
        """Those of clients that are open now."""
        return list(self._open)

    def reopen_logs(self) -> None:
        """Log files were moved away: whoever writes one opens it anew."""
        self.logs.reopen()
        self._tell(self._lifecycle.logs_reopened)

    def _count_lost(self, name: str, lines: int) -> None:
        """Called in a thread that writes a log."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop has ended, nobody asks any more
            self._loop.call_soon_threadsafe(self.counters.add, name, lines)

    async def _drain(self, dispatcher: Dispatcher) -> None:
        """Accept nothing, let exchanges finish for `drain` seconds, then end the rest."""
        assert self._loop is not None
        dispatcher.is_stopping = True
        for listener in self._listeners:
            listener.close()
        stop_gradually(self.connections(), self._loop, self.config.server.drain)
        dispatcher.holding.give_up(CloseReason.SERVER_STOP, "the server stops")
        dispatcher.flush()
        with anyio.move_on_after(self.config.server.drain):
            await self._until_empty()
        for _ in range(2):  # what does not go by a word of farewell goes then
            for connection in self.connections():
                connection.stop(at_once=True)
            await anyio.lowlevel.checkpoint()  # lets the transports call connection_lost

    async def _until_empty(self) -> None:
        assert self._abort_asked is not None
        while self.connection_count and not self._abort_asked.is_set():
            with anyio.move_on_after(0.05):
                await self._abort_asked.wait()

    def _warn(self, *warnings: str) -> None:
        self.warnings += filter(None, warnings)

    def _tell(self, notice: Callable[[ServerView], None] | None) -> None:
        if notice is not None:
            notice(
                ServerView(
                    self.started_at,
                    tuple(map(str, self.addresses)),
                    tuple(self.endpoints),
                    tuple(each.name for each in self.config.virtualhosts),
                    self.config.server.log_format,
                    self.logs.access,
                )
            )
