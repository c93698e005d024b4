"""The router and real DEALERs: endpoints, frames, order (`protocol.md` §1)."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from blastbeat.config.model import ServerConfig
from blastbeat.counters import Counters
from blastbeat.errors import StartError
from blastbeat.events import Buffer
from blastbeat.instance import Instance
from blastbeat.transport.clock import SystemClock
from blastbeat.transport.router import Router
from tests.helpers.router_stage import on_loop, serve
from tests.helpers.zmtp import RawPeer

A, B = b"a" * 16, b"b" * 16


def new_router(*endpoints: str) -> Router:
    return Router("main", endpoints, ServerConfig(), Counters(), SystemClock())


# ---------------------------------------------------------------- endpoints


@on_loop
async def test_all_endpoints_are_one_router(tmp_path: Path) -> None:
    async with serve("tcp://127.0.0.1:*", f"ipc://{tmp_path}/nodes", "tcp://[::1]:0") as stage:
        first, second, third = stage.endpoints
        assert first.startswith("tcp://127.0.0.1:") and not first.endswith(("*", ":0"))
        assert second == f"ipc://{tmp_path}/nodes"
        assert third.startswith("tcp://[::1]:")
        for number, endpoint in enumerate(stage.endpoints):
            name = b"app/%d" % number
            dealer = stage.dealer(name, endpoint, IPV6=1)
            await dealer.pong()
            assert await dealer.receive() == [b"", b"spawn", b""]
        assert stage.sink.admitted == [(b"app/0", "127.0.0.1"), (b"app/1", ""), (b"app/2", "::1")]


def test_an_address_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        router = new_router("tcp://127.0.0.1:0", f"tcp://127.0.0.1:{port}")
        with pytest.raises(StartError, match=rf"zmq tcp://127\.0\.0\.1:{port}: .*in use"):
            router.open()
        router.close()


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("tcp://127.0.0.1:99999", "no port 99999"),
        ("tcp://192.0.2.1:5000", "no such"),
        ("tcp://127.0.0.1", "not a valid endpoint"),
        ("127.0.0.1:5000", "say tcp://"),
        ("inproc://x", "say tcp://"),
        ("ipc:///nonexistent/directory/nodes", "No such file or directory"),
    ],
)
def test_an_endpoint_that_cannot_be_bound(endpoint: str, why: str) -> None:
    router = new_router(endpoint)
    with pytest.raises(StartError, match=why) as error:
        router.open()
    router.close()
    assert endpoint in str(error.value)


def test_a_path_where_another_server_listens(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/nodes"
    first, second = new_router(endpoint), new_router(endpoint)
    first.open()
    with pytest.raises(StartError, match="another server"):
        second.open()
    first.close()


def test_a_path_left_over_from_a_server_that_was_killed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(f"{tmp_path}/nodes")
    router = new_router(f"ipc://{tmp_path}/nodes")
    router.open()
    router.close()


def test_a_path_that_is_another_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text("precious")
    with pytest.raises(StartError, match="another kind"):
        new_router(f"ipc://{tmp_path}/nodes").open()
    assert (tmp_path / "nodes").read_text() == "precious"


def test_open_and_close_without_a_loop() -> None:
    router = new_router("tcp://127.0.0.1:0")
    router.open()
    router.close()
    router.close()


# ---------------------------------------------------------------- frames


@on_loop
async def test_messages_both_ways() -> None:
    async with serve() as stage:
        node, instance = await stage.node()
        assert stage.router.offer(instance, A, b"uwsgi", b"head")
        stage.router.send(instance, A, b"body", b"")
        assert await node.receive_for() == [A, b"uwsgi", b"head"]
        assert await node.receive_for() == [A, b"body", b""]
        await node.send(A, b"headers", b"head")
        await node.send(A, b"group:msg", b"")
        assert await stage.received(2) == [(b"app", A, b"headers", b"head"), (b"app", A, b"group:msg", b"")]
        assert stage.counters["messages.sent"] >= 3  # spawn, too, and a ping when it came before the pong
        assert stage.sink.flushes >= 1


@pytest.mark.parametrize("size", [0, 1, 8191, 8192, 65536, 1_000_000])
@on_loop
async def test_bodies_of_any_size(size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with serve() as stage:
        node, instance = await stage.node()
        for kind in (bytes, bytearray, memoryview):
            sent: Buffer = kind(body)
            stage.router.send(instance, A, b"body", sent)
            assert await node.receive_for() == [A, b"body", body]
        await node.send(A, b"body", body)
        assert await stage.received(1) == [(b"app", A, b"body", body)]
        assert isinstance(stage.sink.buffers[0], memoryview) == (size >= 8192)


@pytest.mark.parametrize("frames", [1, 2, 4, 6, 130, 131, 3000])
@on_loop
async def test_a_wrong_number_of_frames(frames: int) -> None:
    """Dropped whole and counted; what comes before and after is as it was."""
    async with serve() as stage:
        node, _ = await stage.node()
        other, _ = await stage.node(b"app/2")
        await node.send(A, b"body", b"before")
        await node.send(*[A, *[b"end", b""] * frames][:frames])
        await node.send(A, b"body", b"after")
        await other.send(B, b"body", b"other")
        received = await stage.received(3)
        assert [each for each in received if each[0] == b"app"] == [
            (b"app", A, b"body", b"before"),
            (b"app", A, b"body", b"after"),
        ]
        assert len(received) == 3
        assert stage.counters["messages.dropped.frames"] == 1


@on_loop
async def test_wrong_messages_are_no_sign_of_life() -> None:
    async with serve() as stage:
        stranger = stage.dealer(b"app/1")
        await stranger.send(b"", b"pong")
        await stage.until(lambda: stage.counters["messages.dropped.frames"])
        assert stage.instance(b"app/1") is None


@on_loop
async def test_a_batch_from_a_node() -> None:
    async with serve() as stage:
        node, _ = await stage.node()
        await node.send(A, b"headers", b"h", b"body", b"b", b"end", b"", b"body", b"late")
        await node.send(A, *[b"body", b"x"] * 64)
        received = await stage.received(67)
        assert [each[2:] for each in received[:3]] == [(b"headers", b"h"), (b"body", b"b"), (b"end", b"")]
        assert received[3:] == [(b"app", A, b"body", b"x")] * 64


@on_loop
async def test_frames_too_long_for_their_place() -> None:
    async with serve() as stage:
        node, _ = await stage.node()
        await node.send(b"s" * 100_000, b"body", b"")
        await node.send(A, b"t" * 100_000, b"")
        await node.send(A, b"body", b"after")
        assert await stage.received(1) == [(b"app", A, b"body", b"after")]
        assert stage.counters["messages.dropped.frames"] == 2


@on_loop
async def test_unknown_routing_ids() -> None:
    async with serve(instances=1) as stage:
        node, _ = await stage.node(b"app/1")
        for name in (b"other", b"app/", b"app/a/b", b"\xff\xfe"):
            await stage.dealer(name).pong()
        await stage.dealer(b"app/2").pong()
        await stage.until(lambda: stage.counters["messages.dropped.unknown-node"] == 4)
        await stage.until(lambda: stage.counters["messages.dropped.instances"] == 1)
        await node.send(A, b"body", b"")
        await stage.received(1)
        assert stage.sink.admitted == [(b"app/1", "127.0.0.1")]


@on_loop
async def test_a_frame_over_max_message_costs_its_sender_the_connection() -> None:
    async with serve(max_message=100_000) as stage:
        node, _ = await stage.node()
        other, _ = await stage.node(b"app/2")
        await node.send(A, b"body", b"x" * 100_001)
        await other.send(B, b"body", b"x" * 100_000)
        assert (await stage.received(1))[0][0] == b"app/2"


# ---------------------------------------------------------------- two sockets, one name


@on_loop
async def test_the_second_socket_of_a_name_is_ignored() -> None:
    """For ever, also after the first has gone; a new socket is heard again."""
    async with serve(grace=0.1, ping_freq=0.5) as stage:
        first, _ = await stage.node()
        second = await asyncio.to_thread(RawPeer, stage.endpoints[0], "app")  # its handshake is done
        for _ in range(5):
            second.send_bytes(b"\x01\x10" + A + b"\x01\x04body\x00\x08impostor")
        await first.send(A, b"body", b"genuine")
        await stage.received(1)
        first.close()
        await stage.until(lambda: stage.sink.states(b"app") == ["up", "silent", "gone"])
        second.close()
        third = stage.dealer()
        assert await third.receive() == [b"", b"ping", b""]
        await third.send(A, b"body", b"third")
        await stage.received(2)
        assert [body for *_, body in stage.sink.received] == [b"genuine", b"third"]


# ---------------------------------------------------------------- reading


@on_loop
async def test_after_drain_calls_once_and_never_at_once() -> None:
    async with serve() as stage:
        node, _ = await stage.node()
        for number in range(1000):
            await node.send(A, b"body", b"%d" % number)
        await stage.received(1)
        calls: list[str] = []
        stage.router.after_drain(lambda: calls.append("drained"))
        assert calls == []
        await stage.received(1000)
        await stage.settled()
        assert calls == ["drained"]


@on_loop
async def test_after_drain_asked_for_while_reading() -> None:
    async with serve() as stage:
        node, _ = await stage.node()
        calls: list[str] = []

        def receive(instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
            calls.append("message")
            stage.router.after_drain(lambda: calls.append("drained"))

        stage.sink.on_message = receive
        await node.send(A, b"body", b"")
        await stage.until(lambda: len(calls) == 2)
        await stage.settled()
        assert calls == ["message", "drained"]


@on_loop
async def test_a_fault_in_the_sink_does_not_end_the_reading(caplog: pytest.LogCaptureFixture) -> None:
    async with serve() as stage:
        node, _ = await stage.node()
        seen: list[bytes] = []

        def receive(instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
            seen.append(bytes(body))
            if body == b"bad":
                raise RuntimeError("a fault")

        stage.sink.on_message = receive
        for body in (b"bad", b"good", b"bad", b"good"):
            await node.send(A, b"body", body)
        await stage.until(lambda: len(seen) == 4)
        assert "a fault" in caplog.text


# ---------------------------------------------------------------- closing


@on_loop
async def test_what_was_sent_before_the_close_arrives() -> None:
    async with serve() as stage:
        node, instance = await stage.node()
        for _ in range(1000):
            stage.router.send(instance, A, b"body", b"x" * 100)
        stage.router.close()
        stage.router.send(instance, A, b"body", b"too late")
        for _ in range(1000):  # more than ZeroMQ takes at once
            assert (await node.receive_for())[2] == b"x" * 100


# ---------------------------------------------------------------- another configuration while it runs


@pytest.mark.parametrize("scheme", ["ipc", "tcp"])
def test_more_endpoints(tmp_path: Path, scheme: str) -> None:
    """A node that comes by a new one is heard. With one that is taken none is bound; then it can be tried
    again at once."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    more_endpoints(tmp_path, f"ipc://{tmp_path}/new" if scheme == "ipc" else f"tcp://127.0.0.1:{port}")


@on_loop
async def more_endpoints(tmp_path: Path, new: str) -> None:
    async with serve(f"ipc://{tmp_path}/nodes") as stage:
        router = stage.router
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = f"tcp://127.0.0.1:{other.getsockname()[1]}"
            with pytest.raises(StartError, match="in use"):
                router.extend([new, taken])
        assert list(router.bound) == [f"ipc://{tmp_path}/nodes"]
        router.extend([new])
        router.rename((*router.endpoints, new))
        assert router.bound[new] == new and router.name == ", ".join(router.endpoints)
        dealer = stage.dealer(b"app/1", new)
        await dealer.pong()
        assert await dealer.receive() == [b"", b"spawn", b""]


@on_loop
async def test_other_settings(tmp_path: Path) -> None:
    async with serve(f"ipc://{tmp_path}/nodes") as stage:
        dealer = stage.dealer(b"app/1", stage.endpoints[0])
        await dealer.pong()
        assert await dealer.receive() == [b"", b"spawn", b""]
        instance = stage.router.table.find(b"app/1")
        assert instance is not None
        stage.router.adapt(ServerConfig(ping_freq=0.05, node_queue=1, session_share=1))
        instance.outbox.put(A, b"body", b"xx")
        assert instance.outbox.is_full() and stage.router.new_outbox().is_full() is False
        instance.outbox.clear()
        assert await dealer.receive() == [b"", b"ping", b""]  # not heard from for so long


@on_loop
async def test_it_ends_in_two_steps(tmp_path: Path) -> None:
    """The second, which waits for ZeroMQ, in any thread."""
    async with serve(f"ipc://{tmp_path}/nodes") as stage:
        finish = stage.router.detach()
        assert not stage.router.bound
        await asyncio.get_running_loop().run_in_executor(None, finish)
        stage.router.close()  # again
