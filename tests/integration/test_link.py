"""What a node of the library says to a server, seen from the server's socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from blastbeat.node import Node, Session
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
