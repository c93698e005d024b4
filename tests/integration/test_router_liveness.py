"""Nodes that come, hang, leave and come back, on real sockets (`protocol.md` §1)."""

from __future__ import annotations

import asyncio

from tests.helpers.router_stage import on_loop, serve

A, B = b"a" * 16, b"b" * 16
PING = [b"", b"ping", b""]
SPAWN = [b"", b"spawn", b""]


@on_loop
async def test_a_node_that_waits_to_be_pinged() -> None:
    async with serve(ping_freq=0.1) as stage:
        node = stage.dealer()
        assert await node.receive() == PING
        assert await node.receive() == SPAWN
        await stage.until(lambda: stage.sink.states(b"app") == ["up"])
        assert stage.sink.admitted == [(b"app", None)]
        assert await node.receive() == PING
        await node.pong()
        await stage.until(lambda: stage.sink.admitted[1:] == [(b"app", "127.0.0.1")])


@on_loop
async def test_a_node_that_stops_answering() -> None:
    """Silent, not gone; its sessions go on, and it is back with its first word."""
    async with serve(ping_freq=0.05, grace=0.1) as stage:
        node, instance = await stage.node()
        await stage.until(lambda: stage.sink.states(b"app") == ["up", "silent"])
        stage.router.send(instance, A, b"body", b"still")
        assert await node.receive_for() == [A, b"body", b"still"]
        await node.send(A, b"body", b"here")
        await stage.until(lambda: stage.sink.states(b"app") == ["up", "silent", "up"])
        assert instance is stage.instance()


@on_loop
async def test_a_node_that_leaves_is_missed_at_once() -> None:
    """Long before the next ping would be due."""
    async with serve(ping_freq=60.0, grace=0.1) as stage:
        node, instance = await stage.node()
        other, _ = await stage.node(b"app/2")
        node.close()
        await stage.until(lambda: stage.sink.states(b"app") == ["up", "silent", "gone"])
        assert instance.is_gone
        assert not stage.router.offer(instance, A, b"uwsgi", b"")
        stage.router.send(instance, A, b"body", b"")
        await stage.until(lambda: stage.counters["messages.dropped.no-route"] == 1)
        assert await other.receive_type(b"ping") == PING
        assert stage.sink.states(b"app/2") == ["up"]


@on_loop
async def test_many_disconnects_are_few_pings() -> None:
    """One round per 100 ms at most, the last of them after the last disconnect."""
    async with serve(ping_freq=60.0) as stage:
        node, _ = await stage.node()
        assert await node.receive_type(b"spawn") == SPAWN
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for number in range(50):
            passer_by = stage.dealer(b"app/%d" % number)
            await passer_by.pong()
            passer_by.close()
        assert await node.receive() == PING
        await stage.settled()
        rounds = 1
        while True:
            try:
                assert await asyncio.wait_for(node.receive(), 1.0) == PING
            except TimeoutError:
                break
            rounds += 1
        assert rounds <= 3 + (loop.time() - begin) / 0.1


@on_loop
async def test_who_comes_back_within_the_grace_finds_all_in_order() -> None:
    async with serve(ping_freq=0.1, grace=30.0) as stage:
        node, instance = await stage.node(b"app/1")
        instance.sessions[A] = object()
        node.close()
        await stage.until(lambda: instance.unreachable_since is not None)
        assert not stage.router.offer(instance, B, b"uwsgi", b"new ones go elsewhere")
        for number in range(100):
            stage.router.send(instance, A, b"body", b"%d" % number)
        await stage.until(lambda: stage.router.queued(instance, A) > 0)
        node = stage.dealer(b"app/1")
        for number in range(100):
            assert await node.receive_for() == [A, b"body", b"%d" % number]
        assert stage.instance(b"app/1") is instance
        assert not instance.is_gone
        await node.pong()
        await stage.until(lambda: instance.is_available)
        stage.router.send(instance, A, b"body", b"after")
        assert await node.receive_for() == [A, b"body", b"after"]


@on_loop
async def test_an_end_is_kept_for_who_may_come_back() -> None:
    async with serve(ping_freq=0.1, grace=30.0) as stage:
        node, instance = await stage.node(b"app/1")
        node.close()
        await stage.until(lambda: instance.unreachable_since is not None)
        stage.router.send(instance, A, b"body", b"in vain")
        stage.router.send(instance, A, b"end", b"the client left")
        node = stage.dealer(b"app/1")
        assert await node.receive_for() == [A, b"end", b"the client left"]


@on_loop
async def test_who_comes_back_after_the_grace_is_new() -> None:
    async with serve(ping_freq=0.1, grace=0.1) as stage:
        node, before = await stage.node(b"app/1", b"batch")
        assert await node.receive() == SPAWN
        stage.router.send(before, A, b"body", b"")
        node.close()
        await stage.until(lambda: before.is_gone)
        node, after = await stage.node(b"app/1")
        assert after is not before
        assert after.capabilities == frozenset()
        stage.router.send(before, A, b"body", b"to the one that is gone")
        stage.router.send(after, B, b"body", b"to the new one")
        assert await node.receive_for() == [B, b"body", b"to the new one"]


@on_loop
async def test_capabilities() -> None:
    async with serve() as stage:
        node, instance = await stage.node(b"app/1", b"batch credit=65536 nonsense")
        assert await node.receive() == SPAWN
        assert await node.receive() == [b"", b"ping", b"batch credit=65536"]
        assert await node.receive() == [b"", b"credit", b"1048576"]
        assert instance.view.capabilities == {"batch"}
        await node.pong(b"exchange")
        assert await node.receive() == [b"", b"ping", b"exchange"]
        await node.pong()
        assert await node.receive() == PING
        await stage.until(lambda: instance.view.capabilities == frozenset())


@on_loop
async def test_drain() -> None:
    async with serve(ping_freq=0.1) as stage:
        node, instance = await stage.node(b"app/1")
        instance.sessions[A] = object()
        await node.send(b"", b"drain", b"")
        await stage.until(lambda: stage.sink.states(b"app/1") == ["up", "silent"])
        stage.router.send(instance, A, b"end", b"")
        del instance.sessions[A]
        stage.router.table.session_over(instance)
        assert await node.receive_for() == [A, b"end", b""]
        assert await node.receive() == [b"", b"drain", b""]
        await stage.until(lambda: stage.sink.states(b"app/1") == ["up", "silent", "gone"])


@on_loop
async def test_a_drained_name_that_restarts() -> None:
    """Its new process may be one that waits to be pinged."""
    async with serve(ping_freq=0.1) as stage:
        node, before = await stage.node()
        await node.send(b"", b"drain", b"")
        assert await node.receive_type(b"drain") == [b"", b"drain", b""]
        bystander, _ = await stage.node(b"app/2")
        bystander.close()  # whose end says nothing about the drained one
        await stage.until(lambda: "silent" in stage.sink.states(b"app/2"))
        assert not await node.socket.poll(300)
        node.close()
        await stage.until(lambda: stage.instance() is not before)
        node = stage.dealer()
        assert await node.receive() == PING
        await stage.until(lambda: stage.instance().is_available)
