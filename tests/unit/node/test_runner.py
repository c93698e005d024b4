"""One worker's serving life, without a server: what the supervisor is told, and when it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from blastbeat.node.errors import LifespanFailed
from blastbeat.node.loading import ASGI
from blastbeat.node.options import Settings
from blastbeat.node.runner import Runner, why_silent
from blastbeat.node.session import Session
from tests.helpers.node_link import FakeLink, session_of

SETTINGS = Settings("app:application", ("ipc:///nowhere/at/all",), "app")


class Application:
    """Notes what it was told of its life."""

    def __init__(self, startup: str = "complete") -> None:
        self.startup = startup
        self.heard: list[str] = []

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        assert scope["type"] == "lifespan"
        for answer in (self.startup, "complete"):
            kind = (await receive())["type"]
            self.heard.append(kind)
            await send({"type": f"{kind}.{answer}"})


def run(runner: Runner) -> None:
    async def main() -> None:
        with anyio.fail_after(5):
            await runner.run()

    anyio.run(main)


def test_the_application_starts_before_and_ends_after_it_serves() -> None:
    application, told = Application(), list[str]()

    def report(type: str, /, **values: Any) -> None:
        told.append(type)
        assert application.heard == ["lifespan.startup"]

    runner = Runner(SETTINGS, application, ASGI, report)

    async def main() -> None:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(runner.run)
                while not told:
                    await anyio.lowlevel.checkpoint()
                await anyio.wait_all_tasks_blocked()
                runner.stop()

    anyio.run(main)
    assert told == ["started"]
    assert application.heard == ["lifespan.startup", "lifespan.shutdown"]


def test_one_that_does_not_start_is_told() -> None:
    runner = Runner(SETTINGS, Application("failed"), ASGI, lambda type, /, **values: None)
    with pytest.raises(LifespanFailed):
        run(runner)


def test_a_stop_before_it_has_started_serves_nothing() -> None:
    told: list[str] = []
    runner = Runner(SETTINGS, Application(), ASGI, lambda type, /, **values: told.append(type))
    runner.stop()
    run(runner)
    assert not told


@pytest.mark.parametrize(("drawn", "requests"), [(0.0, 9), (0.5, 10), (1.0, 11)])
def test_it_retires_after_its_requests_give_or_take_a_tenth(drawn: float, requests: int) -> None:
    told: list[str] = []
    settings = replace(SETTINGS, max_requests=10)
    runner = Runner(settings, None, ASGI, lambda type, /, **values: told.append(type), draw=lambda: drawn)
    served: list[Session] = []

    async def handler(session: Session) -> None:
        served.append(session)

    async def main() -> None:
        counting = runner._counting(handler)
        for _ in range(requests - 1):
            await counting(session_of(FakeLink()))
        assert not told
        await counting(session_of(FakeLink()))
        assert told == ["retire"]
        await counting(session_of(FakeLink()))
        assert told == ["retire"] and len(served) == requests + 1

    anyio.run(main)


def test_a_server_that_does_not_answer_is_explained() -> None:
    link = SimpleNamespace(endpoint="tcp://a:1", name="shop", is_connected=False)
    assert why_silent(cast(Any, link)) == "nobody answers at tcp://a:1; it is tried for ever"
    link.is_connected = True
    assert "must have node = 'shop', and `instances` that allow one more" in why_silent(cast(Any, link))
