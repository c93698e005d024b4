"""A key set at a URL: fetched once, kept, rotated; and what happens while the issuer is not there."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from auth_jwt_case import Issuer, ec_key, jwk
from blastbeat.testing import FakeClock
from blastbeat_auth_jwt.remote import DISTANCE, MAX_SIZE, RemoteKeys
from blastbeat_auth_jwt.verifying import KeysUnavailable


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


def run(main: Callable[[], Awaitable[None]]) -> None:
    anyio.run(main)


def make(issuer: Issuer, clock: FakeClock, **options: Any) -> RemoteKeys:
    return RemoteKeys(issuer.url, now=clock, **options)


async def settled(source: RemoteKeys) -> None:
    """Returns once nothing is fetched any more."""
    while source._fetch is not None:
        await anyio.wait_all_tasks_blocked() if False else await anyio.lowlevel.checkpoint()


async def names(source: RemoteKeys, kid: str | None = None) -> list[str | None]:
    return [key.kid for key in await source.keys(kid)]


def test_it_is_fetched_once_for_all_who_wait(issuer: Issuer, blastbeat_clock: FakeClock) -> None:
    async def main() -> None:
        issuer.offer(jwk(ec_key(), kid="a"))
        source, found = make(issuer, blastbeat_clock), list[list[str | None]]()

        async def ask() -> None:
            found.append(await names(source, "a"))

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask)
        assert found == [["a"]] * 20 and issuer.requests == 1
        blastbeat_clock.advance(299)
        assert await names(source, "a") == ["a"] and issuer.requests == 1

    run(main)


def test_a_new_key_is_fetched_when_a_token_names_it(issuer: Issuer, blastbeat_clock: FakeClock) -> None:
    async def main() -> None:
        issuer.offer(jwk(ec_key(), kid="a"))
        source = make(issuer, blastbeat_clock)
        assert await names(source, "a") == ["a"]
        issuer.offer(jwk(ec_key(), kid="b"))
        blastbeat_clock.advance(DISTANCE)
        assert await names(source, "b") == ["b"], "the old one is taken back with it"
        assert issuer.requests == 2

    run(main)


def test_made_up_names_cost_the_issuer_nothing(issuer: Issuer, blastbeat_clock: FakeClock) -> None:
    async def main() -> None:
        issuer.offer(jwk(ec_key(), kid="a"))
        source = make(issuer, blastbeat_clock)
        for number in range(50):
            await source.keys(f"x{number}")
        assert issuer.requests == 1
        blastbeat_clock.advance(DISTANCE)
        for number in range(50):
            await source.keys(f"x{number}")
        assert issuer.requests == 2

    run(main)


def test_an_old_set_is_fetched_again_while_it_serves(issuer: Issuer, blastbeat_clock: FakeClock) -> None:
    async def main() -> None:
        issuer.offer(jwk(ec_key(), kid="a"))
        source = make(issuer, blastbeat_clock)
        await source.keys("a")
        issuer.offer(jwk(ec_key(), kid="a"), jwk(ec_key("new"), kid="b"))
        issuer.hold = threading.Event()
        blastbeat_clock.advance(300)
        assert await names(source, "a") == ["a"], "nobody waits for it"
        issuer.hold.set()
        await settled(source)
        assert await names(source, "b") == ["a", "b"] and issuer.requests == 2

    run(main)


def test_without_the_issuer_keys_serve_for_a_while_and_then_nobody_gets_in(
    issuer: Issuer, blastbeat_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        issuer.offer(jwk(ec_key(), kid="a"))
        source = make(issuer, blastbeat_clock)
        await source.keys("a")
        issuer.answer = (500, b"down")
        blastbeat_clock.advance(3599)
        assert await names(source, "a") == ["a"]
        await settled(source)
        blastbeat_clock.advance(1)
        for _ in range(10):
            with pytest.raises(KeysUnavailable):
                await source.keys("a")
        assert "answered with 500" in caplog.text and issuer.requests == 2
        issuer.offer(jwk(ec_key(), kid="a"))
        blastbeat_clock.advance(DISTANCE)
        assert await names(source, "a") == ["a"]

    run(main)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((200, b"not json"), "no JSON"),
        ((200, b'{"keys": []}'), "without a key"),
        ((200, b" " * (MAX_SIZE + 1)), "longer than"),
        ((302, b""), "answered with 302"),
        ((404, b""), "answered with 404"),
    ],
)
def test_what_is_no_set_lets_nobody_in(
    issuer: Issuer,
    blastbeat_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    answer: tuple[int, bytes],
    why: str,
) -> None:
    async def main() -> None:
        issuer.answer = answer
        with pytest.raises(KeysUnavailable):
            await make(issuer, blastbeat_clock).keys("a")
        assert why in caplog.text

    run(main)


def test_nobody_there_and_nobody_who_answers(
    issuer: Issuer, blastbeat_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        issuer.hold = threading.Event()
        slow = make(issuer, blastbeat_clock, timeout=0.05)
        with pytest.raises(KeysUnavailable):
            await slow.keys("a")
        closed = RemoteKeys("http://127.0.0.1:1/", now=blastbeat_clock)
        with pytest.raises(KeysUnavailable):
            await closed.keys("a")
        assert caplog.text.count("could not be fetched") == 2

    run(main)


def test_who_leaves_does_not_end_the_fetch_of_the_others(issuer: Issuer, blastbeat_clock: FakeClock) -> None:
    async def main() -> None:
        issuer.offer(jwk(ec_key(), kid="a"))
        issuer.hold = threading.Event()
        source, found = make(issuer, blastbeat_clock), list[list[str | None]]()

        async def ask() -> None:
            found.append(await names(source, "a"))

        async with anyio.create_task_group() as tasks:
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(ask)
                await anyio.lowlevel.checkpoint()
                tasks.start_soon(ask)
                await anyio.lowlevel.checkpoint()
                leaving.cancel_scope.cancel()
            issuer.hold.set()
        assert found == [["a"]] and issuer.requests == 1

    run(main)


def test_closing_ends_a_fetch(issuer: Issuer, blastbeat_clock: FakeClock) -> None:
    async def main() -> None:
        issuer.hold = threading.Event()
        source = make(issuer, blastbeat_clock)
        refused: list[bool] = []

        async def ask() -> None:
            with pytest.raises(KeysUnavailable):
                await source.keys("a")
            refused.append(True)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            await source.aclose()
        assert refused == [True]

    run(main)
