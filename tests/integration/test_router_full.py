"""Nodes that do not read, and what waits for them (`design.md` §6)."""

from __future__ import annotations

import zmq

from blastbeat.instance import Instance
from tests.helpers.router_stage import Dealer, RouterStage, on_loop, serve

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16
PIECE = b"x" * 60_000
FILLER = b"f" * 250_000
SHARE = 256 * 1024


async def stuck_node(stage: RouterStage, words: bytes = b"") -> tuple[Dealer, Instance]:
    """A node that reads nothing, and for whom already something waits (of no session of the test)."""
    node, instance = await stage.node(b"app/stuck", words, RCVHWM=1, RCVBUF=4096)
    filler = b"f" * 16
    while True:
        while not stage.router.queued(instance, filler):
            stage.router.send(instance, filler, b"body", FILLER)
            await stage.settled()
        try:  # refused for a moment only, while ZeroMQ's thread was behind?
            await stage.until(lambda: not instance.outbox, patience=0.1)
        except TimeoutError:
            return node, instance


async def read_all(stage: RouterStage, node: Dealer, instance: Instance) -> list[list[bytes]]:
    """Reads until nothing waits any more and a last word has come; without the filler."""
    messages = []
    await stage.settled()
    while instance.outbox:
        messages.append(await node.receive_for())
    stage.router.send(instance, b"z" * 16, b"body", b"last")
    while (message := await node.receive_for())[0] != b"z" * 16:
        messages.append(message)
    return [message for message in messages if message[0] != b"f" * 16]


@on_loop
async def test_a_node_that_does_not_read_delays_nobody() -> None:
    async with serve(high_water_mark=4) as stage:
        await stuck_node(stage)
        node, instance = await stage.node()
        for number in range(500):
            stage.router.send(instance, A, b"body", b"%d" % number)
            assert await node.receive_for() == [A, b"body", b"%d" % number]


@on_loop
async def test_what_waits_goes_in_order_once_the_node_reads() -> None:
    async with serve(high_water_mark=4) as stage:
        node, instance = await stuck_node(stage)
        for number in range(300):
            stage.router.send(instance, A, b"body", b"%d" % number)
            stage.router.send(instance, B, b"body", b"%d" % number)
        messages = await read_all(stage, node, instance)
        for sid in (A, B):
            assert [body for to, _, body in messages if to == sid] == [b"%d" % n for n in range(300)]
        assert instance.view.queued_bytes == 0
        assert stage.counters["messages.queued"] >= 600


@on_loop
async def test_what_goes_first() -> None:
    async with serve(high_water_mark=4) as stage:
        node, instance = await stuck_node(stage)
        stage.router.send(instance, A, b"body", b"1")
        assert stage.router.offer(instance, B, b"uwsgi", b"head")
        stage.router.send(instance, C, b"end", b"")
        stage.router.send(instance, A, b"uwsgi", b"next request")
        assert [each[:2] for each in await read_all(stage, node, instance)] == [
            [C, b"end"],
            [B, b"uwsgi"],
            [A, b"body"],
            [A, b"uwsgi"],
        ]


@on_loop
async def test_an_end_discards_what_waits() -> None:
    async with serve(high_water_mark=4) as stage:
        node, instance = await stuck_node(stage)
        stage.router.send(instance, A, b"body", PIECE)
        stage.router.send(instance, A, b"end", b"left")
        assert stage.router.offer(instance, B, b"uwsgi", b"")
        stage.router.send(instance, B, b"end", b"left before the node heard of it")
        assert await read_all(stage, node, instance) == [[A, b"end", b"left"]]


@on_loop
async def test_a_full_instance_is_offered_no_new_session() -> None:
    async with serve(high_water_mark=4, node_queue=1_000_000) as stage:
        node, instance = await stuck_node(stage)
        offers = 0
        while stage.router.offer(instance, b"%16d" % offers, b"uwsgi", b"x" * 50_000):
            offers += 1
        assert instance.view.queued_bytes <= 1_000_000 + 51_000
        assert stage.sink.crowded == [b"app/stuck"]
        before = instance.view.queued_bytes
        assert not stage.router.offer(instance, A, b"uwsgi", b"")
        assert instance.view.queued_bytes == before
        messages = await read_all(stage, node, instance)
        assert len(messages) == offers
        assert stage.router.offer(instance, A, b"uwsgi", b"")


@on_loop
async def test_a_session_over_its_share_is_told_when_it_may_go_on() -> None:
    async with serve(high_water_mark=4, session_share=SHARE) as stage:
        node, instance = await stuck_node(stage)
        while stage.router.queued(instance, A) <= SHARE:
            stage.router.send(instance, A, b"body", PIECE)
            await stage.settled()
        stage.router.send(instance, B, b"body", PIECE)
        assert stage.sink.writable == []
        messages = await read_all(stage, node, instance)
        assert stage.sink.writable == [(b"app/stuck", A)]
        assert sum(len(body) for sid, _, body in messages if sid == A) >= SHARE


@on_loop
async def test_over_its_bound_the_queue_stops_growing() -> None:
    """Many sessions within their shares: all are held, and all are told when there is room."""
    async with serve(high_water_mark=4, node_queue=2_000_000, session_share=SHARE) as stage:
        node, instance = await stuck_node(stage)
        sids = [b"%16d" % number for number in range(100)]
        instance.sessions.update(dict.fromkeys(sids))
        for sid in sids:
            if not stage.sink.crowded:  # what instance_crowded asks of the dispatcher
                stage.router.send(instance, sid, b"body", PIECE)
                await stage.settled()
        assert 2_000_000 < instance.view.queued_bytes < 2_000_000 + 2 * len(PIECE)
        await read_all(stage, node, instance)
        assert {sid for _, sid in stage.sink.writable} == set(sids)


@on_loop
async def test_batches_only_to_who_announced_them() -> None:
    async with serve(high_water_mark=4) as stage:
        node, instance = await stuck_node(stage, b"batch")
        for number in range(100):
            stage.router.send(instance, A, b"body", b"%d" % number)
        messages = await read_all(stage, node, instance)
        assert [len(message) for message in messages] == [1 + 2 * 64, 1 + 2 * 36]
        bodies = [body for message in messages for body in message[2::2]]
        assert bodies == [b"%d" % number for number in range(100)]


@on_loop
async def test_a_node_that_reads_nothing_and_asks_for_much() -> None:
    """The answers to its words do not pile up."""
    async with serve(high_water_mark=4) as stage:
        node, instance = await stuck_node(stage)
        for number in range(2000):
            await node.pong(b"credit=%d" % (number + 1))
        await stage.until(lambda: instance.credit == 2000)
        pings = 0
        while (await node.receive())[2] != b"credit=2000":
            pings += 1
        assert pings < 1000


@on_loop
async def test_the_retry_needs_no_message_from_any_node() -> None:
    """The node begins to read and says nothing: the timer finds out."""
    async with serve(high_water_mark=4) as stage:
        node, instance = await stuck_node(stage)
        node.socket.setsockopt(zmq.RCVHWM, 1000)
        stage.router.send(instance, A, b"body", b"at last")
        assert await node.receive_for(A) == [A, b"body", b"at last"]
        await stage.until(lambda: not instance.is_blocked)
