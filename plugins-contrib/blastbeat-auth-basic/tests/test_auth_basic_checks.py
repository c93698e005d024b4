"""Checks beside the event loop: what is remembered, who waits, what bounds it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Awaitable, Callable

import anyio
import pytest

from blastbeat.buckets import Buckets
from blastbeat_auth_basic import checks as checks_module
from blastbeat_auth_basic.checks import Busy, Checks

HASH = b"$2b$04$CRe.BhstLHjQH3M4DRqHB.6UBm3cSMow88TjmPiSOAohgBveGX9UO"
PASSWORD = b"sesame"


class Gate:
    """Stands in for the hash: counts, and holds every check until it is opened."""

    def __init__(self) -> None:
        self.calls = 0
        self.opened = threading.Event()

    def fits(self, password: bytes, hashed: bytes) -> bool:
        self.calls += 1
        assert self.opened.wait(5)
        return password == PASSWORD


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr(checks_module, "fits", gate.fits)
    return gate


def make(threads: int = 1, waiting: int = 7, remember: float = 60, remembered: int = 2) -> Checks:
    return Checks(threads=threads, waiting=waiting, remember=remember, remembered=remembered)


def run(what: Callable[[], Awaitable[None]]) -> None:
    anyio.run(what)


def test_what_was_right_is_not_checked_again_until_it_is_forgotten(gate: Gate) -> None:
    async def main() -> None:
        checks = make()
        gate.opened.set()
        for now in (0, 59.9):
            assert await checks.check(PASSWORD, HASH, b"c", now)
        assert gate.calls == 1
        assert await checks.check(PASSWORD, HASH, b"c", 60)
        assert gate.calls == 2

    run(main)


def test_another_hash_or_password_is_checked(gate: Gate) -> None:
    async def main() -> None:
        checks = make()
        gate.opened.set()
        assert await checks.check(PASSWORD, HASH, b"c", 0)
        assert await checks.check(PASSWORD, HASH + b"x", b"c", 0)
        assert not await checks.check(b"wrong", HASH, b"c", 0)
        assert not await checks.check(b"wrong", HASH, b"c", 0)
        assert gate.calls == 4 and len(checks) == 2

    run(main)


def test_no_more_than_so_many_are_remembered(gate: Gate) -> None:
    async def main() -> None:
        checks = make(remembered=2)
        gate.opened.set()
        for number in range(5):
            assert await checks.check(PASSWORD, b"%d" % number, b"c", 0)
        assert len(checks) == 2
        forgetful = make(remember=0)
        assert await forgetful.check(PASSWORD, HASH, b"c", 0)
        assert len(forgetful) == 0

    run(main)


def test_no_password_stays_in_memory() -> None:
    async def main() -> None:
        checks = make()
        assert await checks.check(bytes(bytearray(PASSWORD)), HASH, b"c", 0)
        gc.collect()
        held = gc.get_referents(*[value for value in vars(checks).values() if isinstance(value, dict)])
        assert not any(PASSWORD in each for each in held if isinstance(each, bytes))
        assert len(checks) == 1

    run(main)


def test_the_same_question_is_asked_once(gate: Gate) -> None:
    async def main() -> None:
        checks, verdicts = make(waiting=100), list[bool]()

        async def ask() -> None:
            verdicts.append(await checks.check(PASSWORD, HASH, b"c", 0))

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            gate.opened.set()
        assert verdicts == [True] * 6 and gate.calls == 1

    run(main)


def test_and_counts_as_one_failure(gate: Gate) -> None:
    async def main() -> None:
        failures = Buckets(rate=1, ahead=2.0, limit=10)
        checks = Checks(threads=1, waiting=100, remember=60, remembered=9, failures=failures)
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(checks.check, b"wrong", HASH, b"c", 0)
            await anyio.wait_all_tasks_blocked()
            gate.opened.set()
        assert failures.wait(b"c", 0) == 0 and failures.wait(b"c", -1.5) > 0

    run(main)


def test_who_is_given_up_takes_nobody_along(gate: Gate) -> None:
    """The first one waits for a thread and leaves; those who waited for its verdict ask themselves."""

    async def main() -> None:
        checks, verdicts = make(threads=1, waiting=99), list[bool]()

        async def ask(password: bytes) -> None:
            verdicts.append(await checks.check(password, HASH, b"c", 0))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, b"wrong")  # has the only thread
            await anyio.wait_all_tasks_blocked()
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(ask, PASSWORD)
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(ask, PASSWORD)
                await anyio.wait_all_tasks_blocked()
                leaving.cancel_scope.cancel()
            gate.opened.set()
        assert sorted(verdicts) == [False, True]
        assert not checks._running and not checks._asking

    run(main)


def test_the_queue_is_bounded_and_no_client_has_all_of_it(gate: Gate) -> None:
    async def main() -> None:
        checks, refused = make(threads=1, waiting=7), list[bool]()

        async def ask(client: bytes, number: int) -> None:
            try:
                await checks.check(b"%d" % number, HASH, client, 0)
            except Busy as busy:
                refused.append(busy.client)

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(ask, b"greedy", number)
            await anyio.wait_all_tasks_blocked()
            assert refused == [True] * 8
            for number in range(10, 20):
                tasks.start_soon(ask, b"%d" % number, number)
            await anyio.wait_all_tasks_blocked()
            assert refused == [True] * 8 + [False] * 4
            gate.opened.set()
        assert not checks._asking

    run(main)


def test_who_is_wrong_too_often_has_to_wait_unless_the_password_is_known(gate: Gate) -> None:
    async def main() -> None:
        failures = Buckets(rate=0.5, ahead=4.0, limit=10)
        checks = Checks(threads=1, waiting=7, remember=60, remembered=9, failures=failures)
        gate.opened.set()
        assert await checks.check(PASSWORD, HASH, b"c", 0)
        wrong = 0
        with pytest.raises(Busy) as raised:
            while True:
                assert not await checks.check(b"%d" % wrong, HASH, b"c", 0)
                wrong += 1
        assert wrong == 3 and raised.value.client and raised.value.wait == 2
        assert await checks.check(PASSWORD, HASH, b"c", 0)
        with pytest.raises(Busy):
            await checks.check(PASSWORD, HASH + b"x", b"c", 0)
        assert await checks.check(PASSWORD, HASH + b"x", b"d", 0), "other clients don't feel it"
        assert await checks.check(PASSWORD, HASH + b"y", b"c", 2)

    run(main)
