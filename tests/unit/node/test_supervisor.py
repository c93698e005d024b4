"""The supervisor with workers that are none: starts, deaths, replacements, ends."""

from __future__ import annotations

import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import anyio
import pytest

from blastbeat.errors import StartError
from blastbeat.node import supervised
from blastbeat.node.options import Settings
from blastbeat.node.supervisor import Supervisor
from tests.helpers.supervised_fakes import SERVER, SETTINGS, FakeStarter, FakeWorker


class Scene:
    """A running supervisor."""

    def __init__(self, settings: Settings, start: FakeStarter, patience: float) -> None:
        self.start = start
        self.ready = anyio.Event()
        self.silent: Sequence[str] = ()
        self.supervisor = Supervisor(settings, start=start, ready=self._ready, patience=patience)

    def _ready(self, silent: Sequence[str]) -> None:
        self.silent = silent
        self.ready.set()


def play(
    scenario: Callable[[Scene], Awaitable[None]],
    settings: Settings = SETTINGS,
    start: FakeStarter | None = None,
    patience: float = 5.0,
) -> None:
    """The scenario, and then a stop."""

    async def main() -> None:
        scene = Scene(settings, start or FakeStarter(), patience)
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(scene.supervisor.run)
                await scenario(scene)
                scene.supervisor.stop()

    try:
        anyio.run(main)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


def test_it_is_ready_when_all_workers_are_known_and_ends_when_they_have() -> None:
    start = FakeStarter()

    async def scenario(scene: Scene) -> None:
        await scene.ready.wait()
        assert len(start.workers) == 3 and not scene.silent

    play(scenario, replace(SETTINGS, workers=3), start)
    assert [worker.told for worker in start.workers] == [["stop"]] * 3
    assert all(worker.is_closed for worker in start.workers)


def test_a_server_that_says_nothing_is_named() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.ready.wait()
        assert scene.silent == ["tcp://gone:1"]

    play(scenario, replace(SETTINGS, connect=(SERVER, "tcp://gone:1")), patience=0.01)


def test_a_worker_that_dies_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.ready.wait()
        scene.start.workers[0].ends(-signal.SIGKILL)
        await scene.start.wait_for(2)

    with caplog.at_level(logging.WARNING):
        play(scenario)
    assert "a worker (process 1) died of SIGKILL" in caplog.text
    assert "another worker starts in 0.5 s" in caplog.text


def fails(worker: FakeWorker) -> None:
    worker.says("failed", reason="app:application can't be loaded: KeyError", trace="in their code")
    worker.ends(3)


def test_one_that_can_not_start_at_first_ends_it_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(scene: Scene) -> None:
        await anyio.sleep_forever()

    with pytest.raises(StartError, match="app:application can't be loaded: KeyError"):

        async def main() -> None:
            with anyio.fail_after(5):
                await Supervisor(replace(SETTINGS, workers=2), start=FakeStarter(fails)).run()

        anyio.run(main)
    assert capsys.readouterr().err == "in their code\n"


def test_one_that_dies_before_it_has_started_ends_it_too() -> None:
    async def main() -> None:
        with anyio.fail_after(5):
            start = FakeStarter(lambda worker: worker.ends(-signal.SIGSEGV))
            await Supervisor(SETTINGS, start=start).run()

    with pytest.raises(StartError, match="died of SIGSEGV"):
        anyio.run(main)


def test_one_that_does_not_start_in_time_ends_it() -> None:
    async def main() -> None:
        with anyio.fail_after(5):
            start = FakeStarter(lambda worker: None)
            await Supervisor(replace(SETTINGS, start_timeout=0.01), start=start).run()

    with pytest.raises(StartError, match="has not started within 0.01 s"):
        anyio.run(main)


def test_with_reload_a_failure_waits_for_the_next_change() -> None:
    start = FakeStarter(fails)

    async def scenario(scene: Scene) -> None:
        await start.wait_for(1)
        await anyio.wait_all_tasks_blocked()
        start.behave = lambda worker: worker.starts(SERVER)
        scene.supervisor.replace()
        await scene.ready.wait()
        assert len(start.workers) == 2

    play(scenario, replace(SETTINGS, reload=True), start)


def test_a_replacement_comes_before_the_old_one_goes_and_one_after_the_other() -> None:
    start = FakeStarter()

    async def scenario(scene: Scene) -> None:
        await scene.ready.wait()
        start.behave = lambda worker: worker.says("started")
        scene.supervisor.replace()
        third = await start.wait_for(3)
        await anyio.wait_all_tasks_blocked()
        assert len(start.workers) == 3, "the second place waits for the first"
        assert not any(worker.told for worker in start.workers[:2]), "servers do not know the new one yet"
        third.says("up", endpoint=SERVER)
        fourth = await start.wait_for(4)
        assert sorted(worker.told for worker in start.workers[:2]) == [[], ["stop"]]
        fourth.says("up", endpoint=SERVER)
        while start.workers[0].told + start.workers[1].told != ["stop"] * 2:
            await anyio.lowlevel.checkpoint()
        assert not third.told and not fourth.told

    play(scenario, replace(SETTINGS, workers=2), start)


def test_where_the_new_one_fails_what_ran_before_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    start = FakeStarter()

    async def scenario(scene: Scene) -> None:
        await scene.ready.wait()
        start.behave = fails
        scene.supervisor.replace()
        await start.wait_for(3)
        await anyio.wait_all_tasks_blocked()
        assert len(start.workers) == 3, "the second place does not try the same"
        assert not start.workers[0].told and not start.workers[1].told

    play(scenario, replace(SETTINGS, workers=2), start)
    assert "what ran before goes on" in caplog.text


def test_a_worker_that_retires_has_a_successor_first() -> None:
    start = FakeStarter()

    async def scenario(scene: Scene) -> None:
        await scene.ready.wait()
        start.workers[0].says("retire")
        await start.wait_for(2)
        while start.workers[0].told != ["stop"]:
            await anyio.lowlevel.checkpoint()

    play(scenario, start=start)


def test_a_second_stop_ends_at_once() -> None:
    start = FakeStarter()

    async def scenario(scene: Scene) -> None:
        await scene.ready.wait()
        start.workers[0]._obeys = False
        scene.supervisor.stop()
        await anyio.wait_all_tasks_blocked()
        assert start.workers[0].told == ["stop"] and not start.workers[0].signals

    play(scenario, start=start)
    assert start.workers[0].signals == [signal.SIGKILL]


def test_a_process_that_can_not_be_had_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(FakeStarter):
        has_failed = False

        async def __call__(self, settings: Settings) -> FakeWorker:
            if not self.has_failed:
                self.has_failed = True
                raise OSError("out of processes")
            return await super().__call__(settings)

    async def scenario(scene: Scene) -> None:
        await scene.ready.wait()

    play(scenario, start=Failing())
    assert "no process can be started: out of processes" in caplog.text


def test_one_that_retires_without_a_successor_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    start = FakeStarter()
    monkeypatch.setattr(supervised, "RETRY", 0.0)

    async def scenario(scene: Scene) -> None:
        await scene.ready.wait()
        start.behave = fails
        start.workers[0].says("retire")
        await start.wait_for(2)
        start.behave = lambda worker: worker.starts(SERVER)
        while start.workers[0].told != ["stop"]:
            await anyio.lowlevel.checkpoint()

    play(scenario, start=start)
