"""Authenticators that nobody needs any more are closed: once each, and not while somebody is asked."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio
import pytest

from blastbeat import retirement
from blastbeat.authenticating import Authenticating
from blastbeat.interfaces import Allow, RequestAuthenticator, RequestView
from blastbeat.retirement import Retirement
from blastbeat.virtualhost import VirtualHost
from tests.helpers.engine import Engine


class Closing:
    """Counts how often it was closed; all of them compare equal."""

    def __init__(self, close: Callable[[], Awaitable[None]] | None = None) -> None:
        self.closed = 0
        self._close = close

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Closing)

    __hash__ = None  # type: ignore[assignment]

    async def authenticate(self, view: RequestView) -> Allow:
        return Allow()

    async def aclose(self) -> None:
        self.closed += 1
        if self._close is not None:
            await self._close()


class NothingToClose:
    async def authenticate(self, view: RequestView) -> Allow:
        return Allow()


class FakeAuthenticating(Authenticating):
    """Virtualhosts in `used` are asked about something."""

    def __init__(self) -> None:
        self.used: dict[VirtualHost, Callable[[], None] | None] = {}

    def when_unused(self, virtualhost: VirtualHost, callback: Callable[[], None]) -> None:
        if virtualhost in self.used:
            self.used[virtualhost] = callback
        else:
            callback()


class Stage:
    def __init__(self) -> None:
        self.engine = Engine()
        self.authenticating = FakeAuthenticating()
        self.hosts = 0

    def host(self, *authenticators: RequestAuthenticator) -> VirtualHost:
        self.hosts += 1
        return self.engine.add_virtualhost(f"{self.hosts}.test", ["app"], authenticators=authenticators)

    def run(self, work: Callable[[Retirement], Awaitable[None]]) -> None:
        async def main() -> None:
            with anyio.fail_after(5):
                async with anyio.create_task_group() as tasks:
                    await work(Retirement(self.authenticating, tasks))

        anyio.run(main)


def test_each_is_closed_once_when_its_last_virtualhost_is_gone() -> None:
    stage = Stage()
    shared, first, second, kept = Closing(), Closing(), Closing(), Closing()
    old = [stage.host(shared, first), stage.host(shared), stage.host(kept, second)]
    old.append(stage.host(NothingToClose()))
    running = [stage.host(kept)]

    async def work(subject: Retirement) -> None:
        subject.retire(old, [*running, old[1]])
        await anyio.wait_all_tasks_blocked()
        assert (shared.closed, first.closed, second.closed, kept.closed) == (0, 1, 1, 0)
        subject.retire([old[1]], running)
        subject.retire([old[1]], running)
        await anyio.wait_all_tasks_blocked()
        assert shared.closed == 1
        await subject.close_all(running)
        assert (shared.closed, first.closed, second.closed, kept.closed) == (1, 1, 1, 1)

    stage.run(work)


def test_not_while_a_request_is_looked_at() -> None:
    stage = Stage()
    shared = Closing()
    one, two = stage.host(shared), stage.host(shared)
    stage.authenticating.used = {one: None, two: None}

    async def work(subject: Retirement) -> None:
        subject.retire([one, two], [])
        for virtualhost in (one, two):
            await anyio.wait_all_tasks_blocked()
            assert shared.closed == 0
            callback = stage.authenticating.used[virtualhost]
            assert callback is not None
            callback()

    stage.run(work)
    assert shared.closed == 1


def test_a_stop_does_not_wait_for_requests() -> None:
    """Their clients are gone by then; and who waited to be closed is closed once."""
    stage = Stage()
    waiting, running = Closing(), Closing()
    old = stage.host(waiting)
    stage.authenticating.used = {old: None}

    async def work(subject: Retirement) -> None:
        subject.retire([old], [])
        await anyio.wait_all_tasks_blocked()
        await subject.close_all([stage.host(running)])
        assert (waiting.closed, running.closed) == (1, 1)
        callback = stage.authenticating.used[old]
        assert callback is not None
        callback()

    stage.run(work)
    assert (waiting.closed, running.closed) == (1, 1)


def test_a_stop_waits_for_one_that_is_closing() -> None:
    stage = Stage()
    is_closed = False
    gate: anyio.Event

    async def close() -> None:
        nonlocal is_closed
        await gate.wait()
        is_closed = True

    async def work(subject: Retirement) -> None:
        nonlocal gate
        gate = anyio.Event()
        subject.retire([stage.host(Closing(close))], [])
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(subject.close_all, [])
            await anyio.wait_all_tasks_blocked()
            gate.set()
        assert is_closed

    stage.run(work)


def test_requests_that_never_end_are_waited_for_no_longer_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retirement, "PATIENCE", 0.0)
    stage = Stage()
    closing = Closing()
    old = stage.host(closing)
    stage.authenticating.used = {old: None}

    async def work(subject: Retirement) -> None:
        subject.retire([old], [])

    stage.run(work)
    assert closing.closed == 1


def test_one_that_fails_or_hangs_is_logged_and_the_others_are_closed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retirement, "CLOSING_TIME", 0.0)

    async def fail() -> None:
        raise RuntimeError("no")

    stage = Stage()
    broken, hanging, last = Closing(fail), Closing(anyio.sleep_forever), Closing()

    async def work(subject: Retirement) -> None:
        await subject.close_all([stage.host(broken, hanging, last)])

    stage.run(work)
    assert (broken.closed, hanging.closed, last.closed) == (1, 1, 1)
    levels = sorted(record.levelno for record in caplog.records)
    assert levels == [logging.WARNING, logging.ERROR]
