"""Between the thread and the loop: order, room, the body, and an end for both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from blastbeat.node.errors import ClientGone
from blastbeat.node.session import MAX_PIECE, Session
from blastbeat.node.wsgi.channel import (
    RESPONSE_BUFFER,
    RESPONSE_BUFFERS,
    SMALL_BUFFER,
    Budget,
    Channel,
    Piece,
)
from tests.helpers.node_link import FakeLink, request, session_of


class Side:
    """A thread with one function; `returned` is set when it has returned or raised."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.result: object = None
        self.returned = threading.Event()

        def main() -> None:
            try:
                self.result = function()
            except ClientGone as error:
                self.result = error
            self.returned.set()

        threading.Thread(target=main, daemon=True).start()

    async def join(self) -> object:
        assert await anyio.to_thread.run_sync(self.returned.wait, 5)
        return self.result


def put_all(channel: Channel, blocks: list[bytes]) -> None:
    for block in blocks:
        channel.put(Piece(None, block))


def run(test: Callable[[Session, Channel, Budget], Coroutine[Any, Any, None]], *fields: str) -> None:
    async def main() -> None:
        session = session_of(FakeLink(own_window=100), request("POST", "/", *fields))
        budget = Budget()
        channel = Channel(session, budget)
        try:
            await test(session, channel, budget)
        finally:
            channel.close()
        assert budget.used == 0

    anyio.run(main)


def test_pieces_come_in_order() -> None:
    async def test(session: Session, channel: Channel, budget: Budget) -> None:
        side = Side(lambda: put_all(channel, [b"%d" % number for number in range(100)]))
        expected = b"".join(b"%d" % number for number in range(100))
        got = b""
        while len(got) < len(expected):
            got += b"".join([piece.data for piece in await channel.get()])
        assert got == expected
        await side.join()
        assert budget.used == len(got)

    run(test)


def test_a_thread_waits_while_its_client_does_not_keep_up() -> None:
    async def test(session: Session, channel: Channel, budget: Budget) -> None:
        half = bytes(RESPONSE_BUFFER // 2)
        side = Side(lambda: put_all(channel, [half] * 3))
        got = 0
        while got < 3 * len(half):
            got += sum(len(piece.data) for piece in await channel.get())
        assert not side.returned.is_set()  # the third is over the bound
        channel.sent(len(half))
        await side.join()

    run(test)


def test_a_complete_response_holds_no_thread_unless_memory_is_scarce() -> None:
    async def test(session: Session, channel: Channel, budget: Budget) -> None:
        data = bytes(2 * RESPONSE_BUFFER)
        await Side(lambda: channel.put(Piece(None, data, is_last=True))).join()
        channel.sent(len(data))
        budget.add(RESPONSE_BUFFERS)
        side = Side(lambda: channel.put(Piece(None, data, is_last=True)))
        while len(await channel.get()) == 0:
            pass
        assert not side.returned.is_set()
        channel.sent(len(data) - SMALL_BUFFER)
        assert await side.join() is None
        channel.sent(SMALL_BUFFER)
        budget.add(-RESPONSE_BUFFERS)

    run(test)


@pytest.mark.parametrize("is_ended", [True, False])
def test_a_client_that_has_left(is_ended: bool) -> None:
    async def test(session: Session, channel: Channel, budget: Budget) -> None:
        waiting = Side(lambda: channel.put(Piece(None, bytes(RESPONSE_BUFFER + 1))))
        while not await channel.get():
            pass
        if is_ended:
            session.session_ended("client-left")
            assert isinstance(await Side(lambda: channel.put(Piece(None, b"a"))).join(), ClientGone)
        channel.close()
        assert isinstance(await waiting.join(), ClientGone)
        assert isinstance(await Side(lambda: channel.put(Piece(None, b"a"))).join(), ClientGone)
        assert isinstance(await Side(channel.read).join(), ClientGone)

    run(test)


def test_small_pieces_that_wait_go_together() -> None:
    async def test(session: Session, channel: Channel, budget: Budget) -> None:
        def put() -> None:
            channel.put(Piece(b"head", b"a"))
            channel.put(Piece(None, b"b"))
            channel.put(Piece(None, bytes(MAX_PIECE)))
            channel.put(Piece(None, b"c", is_last=True))
            channel.put(Piece(None, is_failed=True))

        await Side(put).join()
        assert await channel.get() == [
            Piece(b"head", b"ab"),
            Piece(None, bytes(MAX_PIECE)),
            Piece(None, b"c", is_last=True),
            Piece(None, is_failed=True),
        ]

    run(test)


def test_a_client_that_takes_nothing_loses_its_thread_only_to_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        link = FakeLink()
        session, others = session_of(link, request("GET", "/big")), threading.Event()
        asked = threading.Event()

        def is_short() -> bool:
            asked.set()
            return others.is_set()

        channel = Channel(session, Budget(), is_short, held_seconds=0.01)
        side = Side(lambda: channel.put(Piece(b"HTTP/1.1 200 OK\r\n\r\n", bytes(RESPONSE_BUFFER + 1))))
        (piece,) = await channel.get()
        assert piece.head is not None
        session.write_head(piece.head, is_sized=False)
        assert await anyio.to_thread.run_sync(asked.wait, 5)
        assert not side.returned.is_set()
        others.set()
        assert isinstance(await side.join(), ClientGone)
        await anyio.lowlevel.checkpoint()
        assert link.sent[1:] == [(b"abort", b"the client is too slow")]
        channel.close()

    anyio.run(main)
    assert "GET /big: cut, its client takes nothing and others wait" in caplog.text


def test_a_client_that_sends_next_to_nothing_loses_its_thread_to_others() -> None:
    async def main() -> None:
        link = FakeLink()
        session = session_of(link, request("POST", "/slow", "Content-Length: 100"))
        asked, others = threading.Event(), threading.Event()

        def is_short() -> bool:
            asked.set()
            return others.is_set()

        channel = Channel(session, Budget(), is_short, held_seconds=0.01)
        side = Side(channel.read)
        assert await anyio.to_thread.run_sync(asked.wait, 5)
        session.body_received(b"a")
        assert await side.join() == b"a"
        others.set()  # one byte is no progress
        assert isinstance(await Side(channel.read).join(), ClientGone)
        await anyio.lowlevel.checkpoint()
        assert link.sent[0][1].startswith(b"HTTP/1.1 408 ") and session.is_complete
        channel.close()

    anyio.run(main)


@pytest.mark.parametrize("is_left", [True, False])
def test_what_goes_on_when_there_is_room(is_left: bool) -> None:
    async def test(session: Session, channel: Channel, budget: Budget) -> None:
        called = []
        await Side(lambda: channel.put(Piece(None, bytes(RESPONSE_BUFFER + 1)), waits=False)).join()
        assert not channel.has_room()
        channel.when_room(lambda: called.append(1))
        channel.sent(1)
        assert called == [] and channel.has_room()  # only with room worth while
        if is_left:
            channel.close()
        else:
            channel.sent(RESPONSE_BUFFER // 2)
        assert called == [1]
        channel.when_room(lambda: called.append(2))
        assert called == [1, 2]

    run(test)


def test_the_body_is_read_as_it_comes_and_credit_given_back() -> None:
    async def test(session: Session, channel: Channel, budget: Budget) -> None:
        link = session.link
        assert isinstance(link, FakeLink)
        session.body_received(b"x" * 60)
        assert await Side(channel.read).join() == b"x" * 60
        assert link.take_sent() == [(b"credit", b"60")]
        side = Side(channel.read)
        await anyio.lowlevel.checkpoint()
        session.body_received(b"y" * 40)
        assert await side.join() == b"y" * 40
        assert await Side(channel.read).join() == b""

    run(test, "Content-Length: 100")


@pytest.mark.parametrize("is_ended", [True, False])
def test_who_waits_for_a_body_that_never_comes(is_ended: bool) -> None:
    async def test(session: Session, channel: Channel, budget: Budget) -> None:
        side = Side(channel.read)
        for _ in range(10):
            await anyio.sleep(0.001)
        if is_ended:
            session.session_ended("client-left")
        else:
            channel.close()
        assert isinstance(await side.join(), ClientGone)

    run(test, "Content-Length: 100")


def test_who_waits_for_pieces_is_told_that_none_come() -> None:
    async def test(session: Session, channel: Channel, budget: Budget) -> None:
        side = Side(channel.finish)
        assert await channel.get() == []
        await side.join()

    run(test)


def test_a_loop_that_has_ended() -> None:
    channels: list[Channel] = []

    async def main() -> None:
        channels.append(Channel(session_of(FakeLink(), request("POST", "/", "Content-Length: 1")), Budget()))

    anyio.run(main)
    with pytest.raises(ClientGone):
        channels[0].read()
    channels[0].finish()
