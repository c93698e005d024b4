"""Real worker processes, without a server: what they tell of their application, and that none outlives the
other side of its channel."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from blastbeat.node.options import Settings
from blastbeat.node.workers import WorkerProcess, start_worker

ASGI = "async def application(scope, receive, send):\n    raise NotImplementedError\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "app.py").write_text(ASGI)
    (tmp_path / "select.py").write_text("raise AssertionError('stands in for the standard library')\n")
    return Settings("app", (f"ipc://{tmp_path}/nobody",), "app", app_dir=str(tmp_path), graceful_timeout=0.1)


def play(settings: Settings, scenario: Callable[[WorkerProcess], Awaitable[None]]) -> None:
    async def main() -> None:
        with anyio.fail_after(15):
            worker = await start_worker(settings)
            try:
                await scenario(worker)
            finally:
                worker.signal(signal.SIGKILL)
                await worker.wait()
                worker.close()

    anyio.run(main)


async def first(worker: WorkerProcess) -> dict[str, Any]:
    message = await worker.receive()
    assert message is not None
    return message


def test_it_starts_answers_pings_and_stops(settings: Settings) -> None:
    async def scenario(worker: WorkerProcess) -> None:
        assert await first(worker) == {"type": "started"}
        worker.send("ping")
        assert await first(worker) == {"type": "pong"}
        os.kill(worker.pid, signal.SIGINT)  # of the terminal: not for it
        worker.send("ping")
        assert await first(worker) == {"type": "pong"}
        worker.send("stop")
        assert await worker.receive() is None
        assert await worker.wait() == 0

    play(settings, scenario)


def test_sigterm_stops_it_too(settings: Settings) -> None:
    async def scenario(worker: WorkerProcess) -> None:
        await first(worker)
        os.kill(worker.pid, signal.SIGTERM)
        assert await worker.wait() == 0

    play(settings, scenario)


def test_it_ends_with_the_other_side_of_its_channel(settings: Settings) -> None:
    async def scenario(worker: WorkerProcess) -> None:
        await first(worker)
        worker.close()
        assert await worker.wait() == 0

    play(settings, scenario)


def test_why_it_did_not_start_is_told(settings: Settings) -> None:
    async def scenario(worker: WorkerProcess) -> None:
        message = await first(worker)
        assert message["type"] == "failed"
        assert message["reason"].startswith("there is no module 'missing'")
        assert await worker.wait() == 3

    play(replace(settings, app="missing:app"), scenario)


def test_one_that_hangs_shows_where(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    module = Path(settings.app_dir) / "hanging.py"
    module.write_text(
        "import signal, threading\n"
        "class App:\n"
        "    async def __call__(self, scope, receive, send):\n"
        "        await receive()\n"
        "        print('stands still', flush=True)\n"
        "        threading.Event().wait()\n"
        "app = App()\n"
    )

    async def scenario(worker: WorkerProcess) -> None:
        said = ""
        while "stands still" not in said:
            await anyio.sleep(0.01)
            said += capfd.readouterr().out
        worker.signal(signal.SIGABRT)
        assert await worker.wait() == -signal.SIGABRT
        assert f'File "{module}", line 6' in capfd.readouterr().err

    play(replace(settings, app="hanging"), scenario)
