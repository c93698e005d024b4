"""Long work that nobody feels."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import anyio
import anyio.lowlevel
import pytest

from blastbeat import background
from blastbeat.background import SWITCH_INTERVAL, spread, undisturbed


def test_everybody_else_has_a_turn_between_two_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "SLICE", 0.0)
    turns: list[str] = []

    def steps() -> Iterator[None]:
        for _ in range(3):
            turns.append("work")
            yield

    async def other() -> None:
        for _ in range(3):
            turns.append("other")
            await anyio.lowlevel.checkpoint()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            await spread(steps())

    anyio.run(main)
    assert turns[:4] == ["work", "other", "work", "other"]


def test_short_work_is_done_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "SLICE", 3600.0)
    done: list[int] = []

    def steps() -> Iterator[None]:
        for number in range(5):
            done.append(number)
            yield

    async def main() -> None:
        work = spread(steps())
        with pytest.raises(StopIteration):
            work.send(None)  # it never waits

    anyio.run(main)
    assert done == [0, 1, 2, 3, 4]


def test_the_process_is_left_as_it_was() -> None:
    before = gc.isenabled(), sys.getswitchinterval()
    with pytest.raises(ValueError), undisturbed():
        assert (gc.isenabled(), round(sys.getswitchinterval(), 4)) == (False, SWITCH_INTERVAL)
        raise ValueError
    assert (gc.isenabled(), sys.getswitchinterval()) == before
    gc.disable()
    try:
        with undisturbed():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
