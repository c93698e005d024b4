"""Worker processes that are none: what a supervisor asks of them, and what they say when a test wants it.

Knows the interface of `blastbeat.node.workers`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import anyio

from blastbeat.node.options import Settings

SERVER = "tcp://server:1"
SETTINGS = Settings("app:application", (SERVER,), "app")


class FakeWorker:
    """See `WorkerHandle`. Ends when it is told to stop, and at once by a signal."""

    def __init__(self, pid: int, *, obeys: bool = True) -> None:
        self.pid = pid
        self.told: list[str] = []
        self.signals: list[signal.Signals] = []
        self.is_closed = False
        self._obeys = obeys
        self._say, self._said = anyio.create_memory_object_stream[dict[str, Any]](100)
        self._ended = anyio.Event()
        self._code = 0

    def says(self, type: str, **values: Any) -> None:
        self._say.send_nowait({"type": type, **values})

    def starts(self, *up: str) -> None:
        """Its application does, and these servers know it."""
        self.says("started")
        for endpoint in up:
            self.says("up", endpoint=endpoint)

    def ends(self, code: int = 0) -> None:
        self._code = code
        self._say.close()
        self._ended.set()

    async def receive(self) -> dict[str, Any] | None:
        try:
            return await self._said.receive()
        except anyio.EndOfStream:
            return None

    def send(self, type: str) -> None:
        self.told.append(type)
        if type == "stop" and self._obeys:
            self.ends()

    def signal(self, number: signal.Signals) -> None:
        self.signals.append(number)
        self.ends(-number)

    async def wait(self) -> int:
        await self._ended.wait()
        return self._code

    def close(self) -> None:
        self._say.close()
        self._said.close()
        self.is_closed = True


class FakeStarter:
    """Starts them; `behave` is called with each new one."""

    def __init__(self, behave: Callable[[FakeWorker], object] = lambda worker: worker.starts(SERVER)) -> None:
        self.behave = behave
        self.workers: list[FakeWorker] = []
        self._changed = anyio.Event()

    async def __call__(self, settings: Settings) -> FakeWorker:
        worker = FakeWorker(len(self.workers) + 1)
        self.workers.append(worker)
        self.behave(worker)
        self._changed.set()
        self._changed = anyio.Event()
        return worker

    async def wait_for(self, count: int) -> FakeWorker:
        """The worker that was started as the so many-th."""
        while len(self.workers) < count:
            await self._changed.wait()
        return self.workers[count - 1]
