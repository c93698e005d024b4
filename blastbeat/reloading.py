"""Reads the configuration again while the server runs, and puts it into force in one step.

Everything new is read, built and bound first; whatever fails until then changes nothing. Then requests are
led by the new virtualhosts, at once and all together. What did not change keeps its objects; what runs goes
on by the rules it began with. One reload at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from blastbeat.assembly import Assembly
from blastbeat.background import spread, undisturbed
from blastbeat.bindings import Rebinding
from blastbeat.config.difference import Difference
from blastbeat.config.model import Config
from blastbeat.errors import BlastBeatError, ConfigError, Problem, ReloadError
from blastbeat.events import CloseReason
from blastbeat.former_listeners import FormerListeners
from blastbeat.plugin_config import NO_PLUGINS, PluginConfig
from blastbeat.registry import Registry
from blastbeat.reload_draft import Draft, Drafter, Load
from blastbeat.secure_access import access_rule
from blastbeat.server_logs import new_access_log
from blastbeat.system.descriptors import allow_descriptors
from blastbeat.transport.router import Router
from blastbeat.virtualhost import VirtualHost
from blastbeat.wiring import Wiring

if TYPE_CHECKING:
    from blastbeat.server import Server

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Reload:
    """What became of one. `problems` are warnings and notes; `generation` counts the configurations that this
    server has had. `is_applied`: False where it was only compared."""

    difference: Difference
    problems: Sequence[Problem]
    generation: int
    is_applied: bool = False

    def as_json(self) -> dict[str, Any]:
        """For the control socket."""
        return {
            **self.difference.as_json(),
            "lines": self.difference.lines(),
            "problems": [str(problem) for problem in self.problems],
            "generation": self.generation,
            "applied": self.is_applied,
        }


class Reloader:
    """Made when the server runs. `load` reads the configuration, None where nobody knows how to."""

    def __init__(
        self,
        server: Server,
        assembly: Assembly,
        registry: Registry,
        load: Load | None,
        plugins: PluginConfig = NO_PLUGINS,
    ) -> None:
        self._server = server
        self._plugins = plugins
        self.drafter = Drafter(server, assembly, registry, load, plugins)
        self._lock = anyio.Lock()
        self._is_asked = False
        self._tasks: TaskGroup | None = None
        self._former = FormerListeners()

    def start(self, tasks: TaskGroup) -> None:
        """`ask` works from here on."""
        self._tasks = tasks

    # ------------------------------------------------------------ asked for

    def ask(self) -> None:
        """What SIGHUP does. However many come during a reload, one more follows it."""
        if not self._is_asked and self._tasks is not None:
            self._is_asked = True
            self._tasks.start_soon(self._reload_when_asked)

    async def _reload_when_asked(self) -> None:
        async with self._lock:
            self._is_asked = False
            with contextlib.suppress(BlastBeatError):  # it is in the log
                await self._reload(None)

    async def reload(self, config: Config | None = None) -> Reload:
        """Put `config`, or what is read now, into force. Raises ConfigError, PluginError, StartError or
        ReloadError: then nothing has changed."""
        async with self._lock:
            return await self._reload(config)

    async def compare(self, config: Config | None = None) -> Reload:
        """What `reload` would do. Raises what it would, but for what only binding can tell."""
        async with self._lock:
            with undisturbed():
                draft = await self.drafter.draft(config, self._former)
            self.drafter.discard(draft)
            return Reload(draft.difference, draft.problems, self._server.generation)

    async def answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The command `reload` of the control socket; with `dry-run` it only compares. A bad configuration is
        an answer, too; whatever else keeps the server from it is raised."""
        try:
            done = await (self.compare() if arguments.get("dry-run") else self.reload())
        except ConfigError as error:
            return {"applied": False, "refused": [str(problem) for problem in error.problems]}
        return done.as_json()

    async def _reload(self, config: Config | None) -> Reload:
        server = self._server
        self._refuse_while_stopping()
        server.notifier.reloading()
        try:
            draft = await self._change(config)
        except BlastBeatError as error:
            server.counters.add("config.reloads-refused")
            _tell_why_not(error)
            server.notifier.ready("serves on; the configuration read last was not taken over, see the log")
            raise
        server.counters.add("config.reloads")
        server.notifier.ready(f"serves {', '.join(map(str, server.addresses))}")
        for problem in draft.problems:
            if problem.severity == "warning":
                log.warning("%s", problem)
        warning = allow_descriptors(draft.config)
        if warning:
            log.warning("%s", warning)
        log.info("configuration read again: %s", draft.difference.summary())
        if draft.difference.restart:
            log.warning("changed, but only a restart takes it over: %s", ", ".join(draft.difference.restart))
        await spread(self._let_go(draft))
        return Reload(draft.difference, draft.problems, server.generation, is_applied=True)

    async def _change(self, config: Config | None) -> Draft:
        try:
            with undisturbed():
                draft = await self.drafter.draft(config, self._former)
                try:
                    await self._put_into_force(draft)
                except BaseException:
                    self.drafter.discard(draft)
                    raise
            return draft
        except BlastBeatError:
            raise
        except Exception as error:  # a fault of ours, or of a plugin's object, must not end the server
            log.exception("the reload broke")
            raise ReloadError("an error in the server, see its log") from error

    def _wiring(self) -> Wiring:
        assert self._server.wiring is not None
        return self._server.wiring

    def _refuse_while_stopping(self) -> None:
        if self._wiring().dispatcher.is_stopping:
            raise ReloadError("the server stops: it reads no configuration any more")

    # ------------------------------------------------------------ put into force

    async def _put_into_force(self, draft: Draft) -> None:
        server, dispatcher = self._server, self._wiring().dispatcher
        before, running = server.logs.access, dispatcher.virtualhosts
        if draft.config.server.access_log != server.config.server.access_log:
            access_log = new_access_log(draft.config.server)
        else:
            access_log = before
        try:
            await draft.rebinding.bind()
            self._refuse_while_stopping()
            await self._prepare_nodes(draft)
            self._plugins.hand_tables(draft.config, server.config)
        except BaseException:
            dispatcher.virtualhosts = running
            draft.rebinding.abort()
            if access_log is not None and access_log is not before:
                access_log.close()
            raise
        self._swap(draft)
        server.take_over(draft.config, draft.driver_name, access_log)
        await self._open_to_clients(draft.rebinding)
        if before is not None and before is not access_log:
            await anyio.to_thread.run_sync(before.close)

    async def _prepare_nodes(self, draft: Draft) -> None:
        """So that the new virtualhosts have their nodes from their first request on."""
        wiring = self._wiring()
        for router in draft.rebinding.new_routers:
            wiring.connect(router)
            router.start(asyncio.get_running_loop())
        await spread(self._expect_new(draft.rebinding.routers, draft.rules))
        wiring.dispatcher.virtualhosts = tuple(part for each in draft.virtualhosts for part in each.parts)
        await spread(self._ask_about_nodes(draft.fresh))

    def _swap(self, draft: Draft) -> None:
        """One step: nobody else has a turn before it is done, and nothing in it fails."""
        wiring, rebinding = self._wiring(), draft.rebinding
        for virtualhost in wiring.dispatcher.virtualhosts:
            virtualhost.pages = draft.pages.of(virtualhost.config)
            virtualhost.access_rule = access_rule(
                virtualhost.config, virtualhost.whole.config, draft.config.server
            )
        for virtualhost in draft.old:
            virtualhost.is_former = True
        wiring.adapt(draft.config, draft.driver, draft.websocket_driver, draft.hosts, draft.pages, draft.tls)
        retired = rebinding.commit()
        now = time.monotonic()
        for endpoints, router in rebinding.routers.items():
            router.adapt(draft.config.server)
            router.table.on_empty = None  # it may have been on its way out
            router.table.expect_only(draft.rules.get(endpoints, {}), now)
        for router in retired:
            router.table.on_empty = partial(self._nobody_left, router)
            router.table.expect_only({}, now)
        self._former = draft.former

    def _nobody_left(self, router: Router) -> None:
        """The last session of a ROUTER that nobody uses is over."""
        assert self._tasks is not None
        self._tasks.start_soon(self._close_router, router)

    async def _close_router(self, router: Router) -> None:
        # Not beside a reload: one on its way may have taken it back, and the next one may want its endpoints
        # bound anew, which others listen on until ZeroMQ has closed them.
        async with self._lock:
            leaving = self._server.bindings.leaving
            if router in leaving and not any(router.table):
                leaving.remove(router)
                del self._wiring().dispatcher.tables[router]
                await anyio.to_thread.run_sync(router.detach())

    async def _open_to_clients(self, rebinding: Rebinding) -> None:
        wiring = self._wiring()
        for listener in self._server.bindings.listeners:
            listener.adapt(rebinding.configured(listener), wiring.context)
        for listener in rebinding.new_listeners:
            if wiring.dispatcher.is_stopping:
                listener.close()
            else:
                await listener.start()

    @staticmethod
    def _expect_new(routers: Mapping[Any, Router], rules: Mapping[Any, Mapping[str, Any]]) -> Iterator[None]:
        """Names that were added, so that their nodes are available by the time the first request comes."""
        now = time.monotonic()
        for endpoints, router in routers.items():
            for name, rule in rules.get(endpoints, {}).items():
                if not router.table.instances(name):
                    router.table.expect(name, rule.grace, rule.max_instances, rule.options)
                    router.table.greet(name, now)
                yield

    def _ask_about_nodes(self, fresh: Iterable[VirtualHost]) -> Iterator[None]:
        dispatcher = self._wiring().dispatcher
        for virtualhost in fresh:
            for instance in dispatcher.users.ask(virtualhost):
                dispatcher.holding.instance_ready(instance)
            yield

    def _let_go(self, draft: Draft) -> Iterator[None]:
        """Those that gave way: what runs goes on, what is idle ends; their clients stay connected. What waits
        for a node waits for those of the virtualhost in its place."""
        dispatcher, gone = self._wiring().dispatcher, set(draft.old)
        fresh = {each.key: each for each in draft.fresh}
        for virtualhost in draft.old:
            dispatcher.users.forget(virtualhost)
            heir = fresh.get(virtualhost.key)
            if heir is not None:
                dispatcher.holding.move(virtualhost, heir)
            else:
                dispatcher.holding.give_up(CloseReason.NO_INSTANCE, "removed by a reload", virtualhost)
            yield
        for session in list(dispatcher.sessions.by_sid.values()) if gone else ():
            if session.virtualhost in gone and not session.is_closed:
                session.owner.drop_idle_session(CloseReason.OTHER_VIRTUALHOST)
            yield
        self._wiring().retirement.retire(draft.old, dispatcher.virtualhosts)
        dispatcher.flush()


def _tell_why_not(error: BlastBeatError) -> None:
    problems = error.problems if isinstance(error, ConfigError) else ()
    for problem in problems:
        log.error("%s", problem)
    what = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}" if problems else str(error)
    log.error("configuration not taken over, nothing has changed: %s", what)
