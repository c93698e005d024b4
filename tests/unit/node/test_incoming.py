"""What comes of a session and waits to be read: how much may wait, and what is given back."""

from __future__ import annotations

import anyio
import pytest

from blastbeat.node import Disconnected, WebSocketClosed
from blastbeat.node.incoming import MAX_MERGED, MAX_UNREAD, PER_MESSAGE, SMALL
from tests.helpers.node_link import FakeLink, handshake, request, session_of

UNKNOWN_LENGTH = request("POST", "/", "Transfer-Encoding: chunked")


def test_small_pieces_are_put_together() -> None:
    """Each alone takes hundreds of bytes, for which nobody gave credit."""

    async def test() -> None:
        session = session_of(FakeLink(), UNKNOWN_LENGTH)
        for _ in range(MAX_MERGED + 10):
            session.body_received(b"x")
        session.body_received(b"y" * SMALL)
        session.body_received(b"")
        assert [len(piece) async for piece in session] == [MAX_MERGED, 10, SMALL]

    anyio.run(test)


def test_more_than_the_declared_length_is_not_read() -> None:
    async def test() -> None:
        session = session_of(FakeLink(), request("POST", "/", "Content-Length: 3"))
        session.body_received(b"abcd")
        session.body_received(b"efgh")
        assert await session.body() == b"abc"

    anyio.run(test)


def test_a_server_that_can_not_be_told_to_wait_is_broken_off() -> None:
    async def test() -> None:
        link = FakeLink()
        session = session_of(link, UNKNOWN_LENGTH)
        for _ in range(MAX_UNREAD // 1024 // 1024 + 1):
            session.body_received(bytes(1024 * 1024))
        assert link.sent == [(b"abort", b"more came than was read")]
        for _ in range(MAX_UNREAD // 1024 // 1024):
            await session.read()
        with pytest.raises(Disconnected):
            await session.read()

    anyio.run(test)


def test_messages_of_a_websocket_that_nobody_reads_are_bounded_empty_ones_too() -> None:
    async def test() -> None:
        link = FakeLink("accept")
        websocket = session_of(link, handshake()).websocket
        assert websocket is not None
        await websocket.accept()
        link.take_sent()
        for _ in range(MAX_UNREAD // PER_MESSAGE + 1):
            websocket.message_received(b"", False)
        assert link.sent == [(b"end", b"1012 more came than was read")]
        for _ in range(MAX_UNREAD // PER_MESSAGE):
            await websocket.receive()
        with pytest.raises(WebSocketClosed):
            await websocket.receive()

    anyio.run(test)


def test_what_is_discarded_is_given_back() -> None:
    link = FakeLink(own_window=10)
    session = session_of(link, UNKNOWN_LENGTH)
    session.body_received(b"abc")
    session.discard_body()
    session.body_received(b"defgh")
    assert link.sent == [(b"credit", b"8")] and not session.is_body_read
    session.body_received(b"")
    assert session.is_body_read
