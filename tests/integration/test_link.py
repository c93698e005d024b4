"""What a node of the library says to a server, seen from the server's socket."""

from __future__ import annotations

import errno
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import anyio
import pytest
import zmq

from blastbeat.node import Node, Session
from blastbeat.node.dealer import Dealer
from tests.helpers.uwsgi import write_packet
from tests.integration.test_node import running

SID = b"0123456789abcdef"
HEAD = write_packet([(b"REQUEST_METHOD", b"GET"), (b"REQUEST_URI", b"/"), (b"PATH_INFO", b"/")])


class FakeServer:
    """A ROUTER that one node has dialled."""

    def __init__(self) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.rcvtimeo = 5000
        self.endpoint = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        self.identity = b""

    def rebind(self) -> None:
        """Every connection is lost, and can be made anew."""
        self.socket.close(0)
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.rcvtimeo = 5000
        while True:
            with suppress(zmq.ZMQError):  # libzmq gives up an address a moment after `close`
                self.socket.bind(self.endpoint)
                return

    def receive(self) -> list[bytes]:
        self.identity, *frames = self.socket.recv_multipart()
        return frames

    def send(self, *frames: bytes) -> None:
        self.socket.send_multipart([self.identity, *frames])


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.context.destroy(0)


async def hello(session: Session) -> None:
    await session.respond(200, (), b"hello")


def test_it_announces_itself_and_uses_what_is_in_force(server: FakeServer) -> None:
    with running(Node(server.endpoint, "app", hello, credit=1000)):
        assert server.receive() == [b"", b"pong", b"batch binary accept exchange credit=1000"]
        assert server.identity.startswith(b"app/")
        server.send(SID, b"uwsgi", HEAD)
        assert [server.receive()[1] for _ in range(2)] == [b"headers", b"body"]
        server.send(b"", b"ping", b"batch")
        assert server.receive()[1] == b"pong"
        server.send(SID, b"uwsgi", HEAD)
        sid, type, _, second, body = server.receive()
        assert (sid, type, second, body) == (SID, b"headers", b"body", b"hello")


def test_a_stop_asks_to_drain_and_waits_for_the_answer(server: FakeServer) -> None:
    with running(Node(server.endpoint, "app", hello)) as stop:
        server.receive()
        server.send(b"", b"ping", b"exchange")
        server.receive()
        stop()
        assert server.receive() == [b"", b"drain", b""]
        server.send(SID, b"uwsgi", HEAD)
        assert server.receive()[1] == b"headers"
        server.send(b"", b"drain", b"")


def test_what_is_no_message_is_passed_over(server: FakeServer) -> None:
    with running(Node(server.endpoint, "app", hello)):
        server.receive()
        bad_head = b"\0\0\0\0\x05"
        no_messages = (
            [b"x"],
            [b"x", b"y"],
            [SID, b"uwsgi", bad_head],
            [SID, b"future", b""],
            [SID, b"end", b""],
        )
        for frames in no_messages:
            server.send(*frames)
        assert server.receive()[1] == b"abort"
        server.send(b"", b"ping", b"")
        assert server.receive()[1] == b"pong"


def test_servers_that_are_found_and_lost_are_told(server: FakeServer) -> None:
    changes: queue.SimpleQueue[bool] = queue.SimpleQueue()
    with running(Node(server.endpoint, "app", hello, changed=lambda link: changes.put(link.is_up))):
        server.receive()
        server.send(b"", b"spawn", b"")
        assert changes.get(timeout=5)
        server.socket.close(0)
        assert not changes.get(timeout=5)


def test_a_stop_waits_for_what_a_handler_does_behind_its_response(server: FakeServer) -> None:
    going_on, went_on = threading.Event(), threading.Event()

    async def linger(session: Session) -> None:
        await session.respond()
        while not going_on.is_set():  # noqa: ASYNC110
            await anyio.sleep(0.001)
        went_on.set()

    with running(Node(server.endpoint, "app", linger)) as stop:
        server.receive()
        server.send(SID, b"uwsgi", HEAD)
        assert server.receive()[1] == b"headers"
        stop()
        assert server.receive() == [b"", b"drain", b""]
        server.send(b"", b"drain", b"")
        going_on.set()
    assert went_on.is_set()


def test_a_socket_that_can_not_be_opened_is_tried_again(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Too many open files, for example: the node comes back as soon as there is room."""
    tries: list[str] = []

    class Scarce(Dealer):
        def __init__(self, *arguments: Any) -> None:
            tries.append("")
            if 2 <= len(tries) <= 3:
                raise zmq.ZMQError(errno.EMFILE)
            super().__init__(*arguments)

    monkeypatch.setattr("blastbeat.node.link.Dealer", Scarce)
    with running(Node(server.endpoint, "app", hello)):
        assert server.receive()[1] == b"pong"
        before = server.identity
        server.rebind()
        assert server.receive()[1] == b"pong"
        assert server.identity != before
        assert len(tries) >= 4 and "cannot connect" in caplog.text
