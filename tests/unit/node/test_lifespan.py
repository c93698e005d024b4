"""The lifespan of ASGI applications: modes, state, and whatever can go wrong at either end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from blastbeat.node import NodeUsageError
from blastbeat.node.errors import LifespanFailed
from blastbeat.node.lifespan import Lifespan

Application = Callable[[Any, Any, Any], Awaitable[None]]


def run(lifespan: Callable[[], Lifespan], within: Callable[[Lifespan], None] = lambda lifespan: None) -> None:
    async def main() -> None:
        async with lifespan() as entered:
            within(entered)

    anyio.run(main)


def speaker(*messages: dict[str, Any], seen: list[str]) -> Application:
    """Answers each message it receives with the next of `messages`."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan" and scope["asgi"] == {"version": "3.0", "spec_version": "2.0"}
        for message in messages:
            seen.append((await receive())["type"])
            await send(message)

    return application


STARTED = {"type": "lifespan.startup.complete"}
STOPPED = {"type": "lifespan.shutdown.complete"}


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_startup_shutdown_and_state(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["pool"] = 1
        await speaker(STARTED, STOPPED, seen=seen)(scope, receive, send)
        seen.append("returned")

    def within(lifespan: Lifespan) -> None:
        assert seen == ["lifespan.startup"] and lifespan.state == {"pool": 1}

    run(lambda: Lifespan(application, mode), within)
    assert seen == ["lifespan.startup", "lifespan.shutdown", "returned"] and not caplog.records


def test_an_application_that_asks_on_after_its_shutdown() -> None:
    seen: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while True:
            seen.append((await receive())["type"])
            await send({"type": seen[-1] + ".complete"})

    run(lambda: Lifespan(application))
    assert seen == ["lifespan.startup", "lifespan.shutdown"]


def test_off_asks_nobody() -> None:
    run(lambda: Lifespan(lambda *_: pytest.fail("asked"), "off"), lambda lifespan: None)


def test_a_mode_that_is_none() -> None:
    with pytest.raises(NodeUsageError, match="auto, on, off, got 'maybe'"):
        Lifespan(speaker(seen=[]), "maybe")


async def raises(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http", "what applications without a lifespan say"


async def returns(scope: Any, receive: Any, send: Any) -> None: ...


async def exits(scope: Any, receive: Any, send: Any) -> None:
    raise SystemExit(1)


async def is_cancelled(scope: Any, receive: Any, send: Any) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("application", [raises, returns, exits, is_cancelled])
def test_an_application_without_a_lifespan(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    served: list[Lifespan] = []
    run(lambda: Lifespan(application), served.append)
    assert served and not caplog.records
    with pytest.raises(LifespanFailed):
        run(lambda: Lifespan(application, "on"))


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_startup_that_failed(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        raise ValueError  # as Starlette does

    with pytest.raises(LifespanFailed):
        run(lambda: Lifespan(application, mode))
    assert [record.getMessage() for record in caplog.records] == [
        "the application's startup failed: no database"
    ]


def test_a_shutdown_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    failed = {"type": "lifespan.shutdown.failed"}
    run(lambda: Lifespan(speaker(STARTED, failed, seen=[])))
    assert "shutdown failed: it does not say why" in caplog.text


@pytest.mark.parametrize("is_over", [False, True])
def test_a_lifespan_that_raises_later(is_over: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await speaker(STARTED, *([STOPPED] if is_over else []), seen=[])(scope, receive, send)
        raise ValueError("later")

    run(lambda: Lifespan(application))
    assert "lifespan failed" in caplog.text and "ValueError: later" in caplog.text


def test_a_shutdown_that_takes_too_long(caplog: pytest.LogCaptureFixture) -> None:
    cancelled: list[bool] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await speaker(STARTED, seen=[])(scope, receive, send)
        try:
            await asyncio.Future()
        finally:
            cancelled.append(True)

    run(lambda: Lifespan(application, shutdown_timeout=0.0))
    assert cancelled and "took longer than 0 seconds" in caplog.text


def test_a_worker_that_is_cancelled_shuts_the_application_down() -> None:
    seen: list[str] = []

    async def main() -> None:
        with anyio.CancelScope() as scope:
            async with Lifespan(speaker(STARTED, STOPPED, seen=seen)):
                scope.cancel()
                await anyio.sleep_forever()

    anyio.run(main)
    assert seen == ["lifespan.startup", "lifespan.shutdown"]


def test_a_worker_that_is_cancelled_while_the_application_starts() -> None:
    seen: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scopes[0].cancel()
        try:
            await asyncio.Future()
        finally:
            seen.append("cancelled")

    scopes: list[anyio.CancelScope] = []

    async def main() -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            async with Lifespan(application):
                seen.append("served")

    anyio.run(main)
    assert seen == ["cancelled"]


@pytest.mark.parametrize(
    "messages", [(STARTED, STARTED), ({"type": "lifespan.shutdown.complete"},), ({"type": "http.x"},)]
)
def test_messages_that_are_not_due(messages: Any) -> None:
    caught: list[NodeUsageError] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        try:
            for message in messages:
                await send(message)
        except NodeUsageError as error:
            caught.append(error)

    run(lambda: Lifespan(application))
    assert len(caught) == 1 and "when it was not due" in str(caught[0])
