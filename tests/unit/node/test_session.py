"""A session of the node library: its request in pieces, its answer, and what it must not do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest

from blastbeat.node import Disconnected, NodeUsageError
from blastbeat.node.session import MAX_PIECE
from tests.helpers.node_link import FakeLink, names, request, session_of


def run(test: Callable[[], Awaitable[None]]) -> None:
    anyio.run(test)


def test_a_whole_response() -> None:
    async def test() -> None:
        link = FakeLink()
        session = session_of(link)
        await session.respond(200, [("X-A", "1"), ("content-length", "3")], "h\u00e9")
        (_, head), body = link.sent
        assert head == b"HTTP/1.1 200 OK\r\nX-A: 1\r\ncontent-length: 3\r\n\r\n"
        assert body == (b"body", "h\u00e9".encode()) and session.is_complete
        with pytest.raises(NodeUsageError):
            await session.respond()
        session = session_of(link)
        with pytest.raises(NodeUsageError, match="3 bytes, Content-Length says 99"):
            await session.respond(200, [("content-length", "99")], "abc")

    run(test)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_response_without_body(method: str, status: int) -> None:
    async def test() -> None:
        link = FakeLink()
        await session_of(link, request(method)).respond(status, (), b"ignored")
        assert names(link.sent) == ["headers"]

    run(test)


def test_a_response_in_pieces() -> None:
    async def test() -> None:
        link = FakeLink()
        session = session_of(link)
        await session.start(200, [("Content-Type", "text/plain")])
        await session.send(b"a")
        await session.send(b"")
        await session.end()
        assert link.take_sent()[1:] == [(b"chunk", b"a"), (b"chunk", b"")]
        session = session_of(link)
        await session.start(200, [("content-length", "1")])
        await session.send(b"a")
        await session.end()
        assert link.take_sent()[1:] == [(b"body", b"a")]
        with pytest.raises(NodeUsageError):
            await session.send(b"b")

    run(test)


def test_a_large_body_goes_in_several_messages() -> None:
    async def test() -> None:
        data = bytes(2 * MAX_PIECE + 1)
        link = FakeLink()
        await session_of(link).respond(200, (), data)
        (_, head), *pieces = link.take_sent()
        assert b"content-length: %d\r\n" % len(data) in head
        assert [(type, len(piece)) for type, piece in pieces] == [(b"body", MAX_PIECE)] * 2 + [(b"body", 1)]
        session = session_of(link)
        await session.start()
        await session.send(data)
        assert [len(piece) for type, piece in link.take_sent() if type == b"chunk"] == [
            MAX_PIECE,
            MAX_PIECE,
            1,
        ]

    run(test)


def test_a_whole_response_to_head_tells_the_length_it_knows() -> None:
    async def test() -> None:
        link = FakeLink()
        await session_of(link, request("HEAD")).respond(200, (), b"hello")
        await session_of(link, request("HEAD")).respond(200, (), b"")
        assert [b"content-length: 5" in head for _, head in link.sent] == [True, False]

    run(test)


def test_the_body_in_pieces() -> None:
    async def test() -> None:
        link = FakeLink(own_window=4)
        session = session_of(link, request("POST", "/", "Content-Length: 5"))
        session.body_received(b"ab")
        session.body_received(memoryview(b"cde"))
        assert await session.body() == b"abcde" and session.is_body_read
        assert link.sent == [(b"credit", b"5")]  # small pieces are put together
        session = session_of(link, request("POST", "/", "Transfer-Encoding: chunked"))
        async with anyio.create_task_group() as tasks:
            pieces: list[bytes] = []

            async def read() -> None:
                while piece := await session.read():
                    pieces.append(piece)

            tasks.start_soon(read)
            await anyio.lowlevel.checkpoint()
            session.body_received(b"ab")
            session.body_received(b"")
        assert pieces == [b"ab"]
        with pytest.raises(NodeUsageError):
            session = session_of(link, request("POST", "/", "Content-Length: 5"))
            session.body_received(b"abcde")
            await session.body(limit=4)

    run(test)


def test_a_client_that_leaves() -> None:
    async def test() -> None:
        link = FakeLink(window=1)
        session = session_of(link, request("POST", "/", "Content-Length: 5"))
        await session.start()
        await session.send(b"ab")

        async def send() -> None:
            with pytest.raises(Disconnected):
                await session.send(b"c")

        async def read() -> None:
            with pytest.raises(Disconnected):
                await session.read()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            tasks.start_soon(read)
            await anyio.lowlevel.checkpoint()
            session.session_ended("client-left")
        session.abort("too late")
        assert names(link.sent) == ["headers", "chunk"]

    run(test)


def test_retry_and_abort_and_interim() -> None:
    async def test() -> None:
        link = FakeLink()
        session = session_of(link)
        await session.inform(103, [("Link", "</a>")])
        await session.retry()
        assert names(link.take_sent()) == ["headers", "retry"]
        with pytest.raises(NodeUsageError):
            await session.retry()
        session = session_of(link)
        session.abort("broken")
        session.abort("twice")
        assert link.take_sent() == [(b"abort", b"broken")]
        with pytest.raises(NodeUsageError):
            await session.inform(200)

    run(test)
