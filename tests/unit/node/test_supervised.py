"""One worker under supervision: what it says, its end, and what becomes of one that hangs or stays."""

from __future__ import annotations

import signal

import anyio

from blastbeat.node import supervised
from blastbeat.node.supervised import Supervised
from tests.helpers.supervised_fakes import SERVER, FakeWorker


def test_what_it_says_is_kept() -> None:
    async def scenario() -> None:
        process, changes = FakeWorker(7), list[int]()
        worker = Supervised(process, lambda: changes.append(1))
        process.starts(SERVER, "tcp://other:1")
        process.says("lost", endpoint="tcp://other:1")
        process.says("retire")
        process.says("pong")
        process.ends()
        assert not worker.is_started
        await worker.follow(0)
        assert worker.started_at is not None and worker.served >= 0
        assert (worker.up, worker.wants_successor, worker.code) == ({SERVER}, True, 0)
        assert len(changes) == 6  # a pong is no news
        assert process.is_closed

    anyio.run(scenario)


def test_the_reason_of_an_end() -> None:
    async def end(code: int, **failure: str) -> str:
        process = FakeWorker(7)
        worker = Supervised(process, lambda: None)
        if failure:
            process.says("failed", **failure)
        process.ends(code)
        await worker.follow(0)
        return worker.why()

    async def scenario() -> None:
        assert await end(-signal.SIGKILL) == "a worker (process 7) died of SIGKILL"
        assert await end(4) == "a worker (process 7) ended with exit code 4"
        assert await end(3, reason="no such module", trace="") == "no such module"

    anyio.run(scenario)


def test_one_that_answers_no_ping_is_made_to_say_where_it_hangs() -> None:
    async def scenario() -> None:
        process = FakeWorker(7)
        worker = Supervised(process, lambda: None)
        process.starts()
        await worker.follow(0.02)
        assert process.told[0] == "ping"
        assert process.signals == [signal.SIGABRT]

    anyio.run(scenario)


def test_one_that_does_not_end_is_killed() -> None:
    async def scenario() -> None:
        process = FakeWorker(7, obeys=False)
        worker = Supervised(process, lambda: None)
        process.starts()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker.follow, 0)
            await worker.leave(0.01)
            await worker.leave(0.01)  # it is leaving already
        assert process.told == ["stop"]
        assert worker.code == -signal.SIGKILL

    before, supervised.FAREWELL = supervised.FAREWELL, 0.0
    try:
        anyio.run(scenario)
    finally:
        supervised.FAREWELL = before
