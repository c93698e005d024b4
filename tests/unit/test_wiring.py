"""What connects the parts: timeouts that the wheel must keep, and work for a request that may break."""

from __future__ import annotations

import logging
from dataclasses import replace

import anyio
import pytest

from blastbeat.config.model import Config, RouteConfig, ServerConfig, VirtualHostConfig
from blastbeat.wiring import _isolated, shortest_timeout


def test_a_broken_request_does_not_end_the_server(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("oops")

    anyio.run(lambda: _isolated(fail(), anyio.CancelScope()))
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_cancellation_passes() -> None:
    reached: list[str] = []

    async def wait() -> None:
        await anyio.sleep_forever()

    async def main() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await _isolated(wait(), anyio.CancelScope())
            reached.append("past it")

    anyio.run(main)
    assert not reached


def test_what_is_awaited_for_a_request_can_be_cancelled_alone() -> None:
    async def wait() -> None:
        await anyio.sleep_forever()

    async def main() -> None:
        scope = anyio.CancelScope()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_isolated, wait(), scope)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()

    anyio.run(main)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, 5.0),
        ({"write_timeout": 0.3}, 0.3),
        ({"websocket_ping": 0.2}, 0.2),
        ({"linger_time": 0.0, "keep_alive": 2.0}, 2.0),
    ],
)
def test_the_shortest_timeout(values: dict[str, float], expected: float) -> None:
    """The wheel looks as often as the shortest one wants; none at all is not short."""
    assert shortest_timeout(Config(virtualhosts=(VirtualHostConfig("a", **values),))) == expected  # type: ignore[arg-type]


def test_the_header_timeout_counts_too() -> None:
    assert shortest_timeout(Config(ServerConfig(header_timeout=0.2))) == 0.2


def test_routes_have_timeouts_too() -> None:
    host = VirtualHostConfig("a")
    route = RouteConfig("/x", replace(host, route="/x", response_timeout=0.4))
    assert shortest_timeout(Config(virtualhosts=(replace(host, routes=(route,)),))) == 0.4
