"""The way to a service over real sockets: connections, limits, time."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator

import anyio
import httpx
import pytest

from blastbeat_forward_auth.service import Overloaded, Service, Unavailable, new_transport
from forward_auth_case import Mock, RealService, Said

QUESTION = [(b"x-forwarded-uri", b"/")]


@pytest.fixture
def real() -> Iterator[RealService]:
    service = RealService()
    yield service
    service.close()


def run(main: Callable[[], Awaitable[None]]) -> None:
    anyio.run(main)


def connect(url: str, connections: int = 4, timeout: float = 5, waiting: int = 100) -> Service:
    return Service(
        url, new_transport(connections, False), timeout=timeout, most=connections + waiting, max_body=1000
    )


def test_connections_are_used_again_and_bounded(real: RealService) -> None:
    async def main() -> None:
        service = connect(real.url, connections=3)
        for _ in range(5):
            assert (await service.ask(QUESTION)).status == 200
        assert real.connections == 1
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(service.ask, QUESTION)
        assert real.connections <= 3 and len(real.asked) == 35
        await service.aclose()

    run(main)


def test_no_cookie_of_one_client_goes_along_with_another(real: RealService) -> None:
    async def main() -> None:
        service = connect(real.url)
        real.default = (200, [("Set-Cookie", "sid=anna; Path=/")], b"")
        for _ in range(2):
            assert (await service.ask(QUESTION)).headers
        assert not any("cookie" in asked for asked in real.asked)
        await service.aclose()

    run(main)


def test_redirects_are_answers(real: RealService) -> None:
    async def main() -> None:
        service = connect(real.url)
        real.default = (302, [("Location", real.url)], b"")
        assert (await service.ask(QUESTION)).status == 302 and len(real.asked) == 1
        await service.aclose()

    run(main)


def test_a_body_is_passed_as_it_came(real: RealService) -> None:
    async def main() -> None:
        service = connect(real.url)
        real.default = (403, [("Content-Encoding", "gzip")], b"\x1f\x8bnot really")
        reply = await service.ask(QUESTION)
        assert reply.body == b"\x1f\x8bnot really" and (b"content-encoding", b"gzip") in reply.headers
        real.default = (403, [], b"x" * 1001)
        with pytest.raises(Unavailable, match="longer than 1000"):
            await service.ask(QUESTION)
        real.default = (200, [], b"x" * 1001)
        assert (await service.ask(QUESTION)).body == b""
        await service.aclose()

    run(main)


def test_one_that_is_silent_and_one_that_is_not_there(real: RealService) -> None:
    async def main() -> None:
        real.hold = threading.Event()
        slow = connect(real.url, timeout=0.05)
        with pytest.raises(Unavailable, match="no answer within"):
            await slow.ask(QUESTION)
        gone = connect("http://127.0.0.1:1/")
        with pytest.raises(Unavailable):
            await gone.ask(QUESTION)
        await slow.aclose()
        await gone.aclose()

    run(main)


def test_questions_are_bounded_and_given_up_ones_give_their_place_back(real: RealService) -> None:
    async def main() -> None:
        real.hold = threading.Event()
        service = connect(real.url, connections=1, waiting=1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(service.ask, QUESTION)
            tasks.start_soon(service.ask, QUESTION)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(Overloaded, match="2 questions wait"):
                await service.ask(QUESTION)
            tasks.cancel_scope.cancel()
        real.hold.set()
        assert (await service.ask(QUESTION)).status == 200
        await service.aclose()

    run(main)


def test_a_connection_that_was_closed_is_asked_again_once() -> None:
    asked = 0

    def close_first(request: httpx.Request) -> Said:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return 200, [], b""

    def close_all(request: httpx.Request) -> Said:
        raise httpx.ReadError("reset")

    async def main() -> None:
        service = Service("http://a.test/", Mock(close_first), timeout=5, most=1, max_body=10)
        assert (await service.ask(QUESTION)).status == 200 and asked == 2
        mock = Mock(close_all)
        service = Service("http://a.test/", mock, timeout=5, most=1, max_body=10)
        with pytest.raises(Unavailable, match="reset"):
            await service.ask(QUESTION)
        assert len(mock.asked) == 2

    run(main)
