"""What surrounds a reload: one at a time, undisturbed, and what is told of it. What it does to requests is in
tests/integration/test_reload.py."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace

import anyio
import anyio.lowlevel
import pytest

from blastbeat import hookimpl
from blastbeat.background import SWITCH_INTERVAL
from blastbeat.config.model import Config, NodeRef, PluginRef, ServerConfig, VirtualHostConfig
from blastbeat.errors import BlastBeatError, ConfigError, Problem, ReloadError
from blastbeat.interfaces import ServerView
from blastbeat.reload_draft import Load
from blastbeat.server import Server

HOST = VirtualHostConfig("a.test", nodes=(NodeRef("app"),))
RUNNING = Config(ServerConfig(stats_freq=0), (HOST,))
NOBODY = replace(HOST, selector=PluginRef("nobody"), file="x.toml", line=7)


class Loader:
    """Returns these one after the other, the last one again and again; notes how it found the process."""

    def __init__(self, *configs: Config | None, problems: Sequence[Problem] = ()) -> None:
        self.configs = list(configs)
        self.problems = problems
        self.calls = 0
        self.settings: set[tuple[bool, float]] = set()

    def __call__(self, known: object) -> tuple[Config | None, Sequence[Problem]]:
        self.calls += 1
        self.settings.add((gc.isenabled(), round(sys.getswitchinterval(), 4)))
        return (self.configs.pop(0) if len(self.configs) > 1 else self.configs[0]), self.problems


class Notices:
    def __init__(self) -> None:
        self.views: list[ServerView] = []

    @hookimpl
    def blastbeat_config_reloaded(self, view: ServerView) -> None:
        self.views.append(view)


def run(load: Load | None, test: object, *plugins: object) -> Server:
    """A server without an address; `test` is awaited with it in its loop."""
    server = Server(RUNNING, plugins=plugins, load=load)

    async def main() -> None:
        failure: list[BaseException] = []

        async def drive(running: Server) -> None:
            try:
                await test(running)  # type: ignore[operator]
            except BaseException as error:
                failure.append(error)
            finally:
                running.stop()

        driver: list[asyncio.Task[None]] = []

        def ready(running: Server) -> None:
            driver.append(asyncio.get_running_loop().create_task(drive(running)))

        with anyio.fail_after(5):
            await server.run(ready, handle_signals=False)
        await driver[0]
        if failure:
            raise failure[0]

    anyio.run(main)
    return server


def test_another_configuration_takes_effect(caplog: pytest.LogCaptureFixture) -> None:
    later = replace(RUNNING, virtualhosts=(HOST, VirtualHostConfig("b.test", nodes=(NodeRef("app"),))))
    loader, notices = Loader(later), Notices()

    async def test(server: Server) -> None:
        with caplog.at_level(logging.INFO):
            done = await server.reload()
        assert done.is_applied and done.generation == server.generation == 2
        assert server.config == later
        assert json.loads(json.dumps(done.as_json()))["lines"] == ["+ virtualhost b.test"]

    server = run(loader, test, notices)
    assert server.counters["config.reloads"] == 1
    assert [view.virtualhosts for view in notices.views] == [("a.test", "b.test")]
    assert "configuration read again: 1 virtualhost added (b.test)" in caplog.text


def test_what_says_the_same_is_not_touched() -> None:
    changed = replace(HOST, max_hops=3)
    other = VirtualHostConfig("b.test", nodes=(NodeRef("app"),))
    loader = Loader(replace(RUNNING, virtualhosts=(changed, other)))

    async def test(server: Server) -> None:
        await server.reload(replace(RUNNING, virtualhosts=(HOST, other)))
        assert server.wiring is not None
        before = server.wiring.dispatcher.virtualhosts
        count = before[0].count
        await server.reload()
        after = server.wiring.dispatcher.virtualhosts
        assert after[0] is not before[0] and after[1] is before[1]
        assert after[0].count is count  # sessions of both count together

    run(loader, test)


def test_what_only_a_restart_takes_over_stays_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    loader = Loader(replace(RUNNING, server=replace(RUNNING.server, uid="nobody", sessions=7)))

    async def test(server: Server) -> None:
        done = await server.reload()
        assert done.difference.restart == ("[blastbeat] uid",)
        assert (server.config.server.uid, server.config.server.sessions) == ("", 7)
        assert (await server.reload()).difference.restart == ("[blastbeat] uid",)  # told each time

    run(loader, test)
    assert "only a restart takes it over: [blastbeat] uid" in caplog.text


@pytest.mark.parametrize(
    ("config", "problems", "told"),
    [
        (None, [Problem("is wrong", file="x.toml", line=3)], "x.toml:3: error: is wrong"),
        (
            replace(
                RUNNING, virtualhosts=(replace(HOST, selector=PluginRef("nobody"), file="x.toml", line=7),)
            ),
            [],
            "x.toml:7: error: [a.test] selector = 'nobody': there is no selector of this name",
        ),
        (replace(RUNNING, server=replace(RUNNING.server, driver="nobody")), [], "there is no driver"),
    ],
    ids=["text", "pick", "driver"],
)
def test_a_bad_one_changes_nothing(
    config: Config | None, problems: Sequence[Problem], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And is told as `check` would."""
    notices = Notices()

    async def test(server: Server) -> None:
        assert server.wiring is not None
        before = server.wiring.dispatcher.virtualhosts, server.wiring.context
        with pytest.raises(ConfigError):
            await server.reload()
        assert (server.wiring.dispatcher.virtualhosts, server.wiring.context) == before
        assert (server.config, server.generation) == (RUNNING, 1)

    server = run(Loader(config, problems=problems), test, notices)
    assert told in caplog.text and "nothing has changed" in caplog.text
    assert (server.counters["config.reloads"], server.counters["config.reloads-refused"]) == (0, 1)
    assert not notices.views


def test_all_that_is_wrong_is_told() -> None:
    bad = tuple(VirtualHostConfig(name, selector=PluginRef("nobody")) for name in ("b.test", "c.test"))
    page = VirtualHostConfig("d.test", offline="/nowhere/page.html")

    async def test(server: Server) -> None:
        with pytest.raises(ConfigError) as caught:
            await server.reload(replace(RUNNING, virtualhosts=(*bad, page)))
        assert len(caught.value.problems) == 3

    run(None, test)


def test_comparing_changes_nothing() -> None:
    loader = Loader(replace(RUNNING, virtualhosts=()))

    async def test(server: Server) -> None:
        found = await server.reloader.compare()
        assert found.difference.lines() == ["- virtualhost a.test"] and not found.is_applied
        assert (server.config, server.generation, server.counters["config.reloads"]) == (RUNNING, 1, 0)

    run(loader, test)


def test_nobody_knows_where_it_comes_from() -> None:
    async def test(server: Server) -> None:
        with pytest.raises(ReloadError, match="not told where"):
            await server.reload()
        assert (await server.reload(RUNNING)).is_applied  # but one can be handed over

    run(None, test)


def test_one_at_a_time_and_one_more_for_all_that_ask_meanwhile() -> None:
    loader = Loader(RUNNING)

    async def test(server: Server) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.reload)
            await anyio.lowlevel.checkpoint()
            for _ in range(100):
                server.reloader.ask()
        while server.counters["config.reloads"] < 2:
            await anyio.lowlevel.checkpoint()
        assert loader.calls == 2

    run(loader, test)


def test_a_refused_one_does_not_end_the_server_that_was_asked_by_a_signal() -> None:
    async def test(server: Server) -> None:
        server.reloader.ask()
        while not server.counters["config.reloads-refused"]:
            await anyio.lowlevel.checkpoint()

    run(Loader(None), test)


def test_a_server_that_stops_reads_nothing_any_more() -> None:
    async def test(server: Server) -> None:
        assert server.wiring is not None
        server.wiring.dispatcher.is_stopping = True
        with pytest.raises(BlastBeatError, match="stops"):
            await server.reload()

    assert run(Loader(RUNNING), test).counters["config.reloads"] == 0


def test_a_server_that_stops_meanwhile_takes_nothing_over() -> None:
    """Also where it was asked before; the stop does not wait for more than what is being read."""
    later = replace(RUNNING, virtualhosts=())
    is_reading, may_go_on = threading.Event(), threading.Event()

    def load(known: object) -> tuple[Config, Sequence[Problem]]:
        is_reading.set()
        assert may_go_on.wait(5)
        return later, ()

    async def test(server: Server) -> None:
        server.reloader.ask()
        await anyio.to_thread.run_sync(is_reading.wait)
        server.stop()

    class Stopping:
        @hookimpl
        def blastbeat_server_stopping(self) -> None:
            may_go_on.set()

    server = run(load, test, Stopping())
    assert server.config is RUNNING and server.counters["config.reloads"] == 0


def test_the_driver_stays_where_it_is_the_same() -> None:
    async def test(server: Server) -> None:
        assert server.wiring is not None
        driver = server.wiring.context.driver
        await server.reload(replace(RUNNING, server=replace(RUNNING.server, max_uri=100)))
        assert server.wiring.context.driver is driver and server.wiring.context.limits.max_uri == 100

    run(None, test)


def test_a_fault_of_ours_is_told_and_the_server_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(server: Server) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(server.reloader.drafter, "draft", None)
            with pytest.raises(ReloadError, match="an error in the server"):
                await server.reload()
        assert (await server.reload()).is_applied

    server = run(Loader(RUNNING), test)
    assert "the reload broke" in caplog.text and server.counters["config.reloads-refused"] == 1


def test_it_is_undisturbed_and_leaves_the_process_as_it_was() -> None:
    loader = Loader(RUNNING)
    before = gc.isenabled(), sys.getswitchinterval()

    async def test(server: Server) -> None:
        await server.reload()

    run(loader, test)
    assert loader.settings == {(False, SWITCH_INTERVAL)}
    assert (gc.isenabled(), sys.getswitchinterval()) == before
