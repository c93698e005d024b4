"""Credit, as a node keeps it."""

from __future__ import annotations

import anyio

from blastbeat.node.flow import Allowance, Debt


def test_an_allowance_is_used_up_and_given_back() -> None:
    async def run() -> None:
        allowance = Allowance(10)
        allowance.take(15)
        assert allowance.is_used_up
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(allowance.wait)
            await anyio.lowlevel.checkpoint()
            allowance.add(5)
            assert allowance.is_used_up
            allowance.add(1)
        assert not allowance.is_used_up

    anyio.run(run)


def test_without_credit_everything_goes() -> None:
    allowance = Allowance(None)
    allowance.take(10**9)
    allowance.add(1)
    assert not allowance.is_used_up


def test_a_debt_is_told_once_per_half_window() -> None:
    told: list[int] = []
    debt = Debt(100, told.append)
    for size in (20, 20, 20, 100, 10):
        debt.consumed(size)
    assert told == [60, 100]
    nothing = Debt(0, told.append)
    nothing.consumed(1000)
    assert told == [60, 100]
