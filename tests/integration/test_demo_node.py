"""The demo's node process on a real ROUTER: the frames on the wire, and its way to end."""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from blastbeat.demo.site import BEATS

WAIT_MS = 10_000


class Stub:
    """A ROUTER that plays the server, and the node process connected to it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.router.setsockopt(zmq.LINGER, 0)
        self.router.bind(endpoint)
        self.node: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-m", "blastbeat.demo.node", endpoint, "demo"]
        )
        # Each process is an instance of its own: what sessions an earlier one had are not its own.
        self.identity = b"demo/%d" % self.node.pid

    def receive(self) -> tuple[bytes, bytes, bytes]:
        assert self.router.poll(WAIT_MS), "the node says nothing"
        identity, sid, type, body = self.router.recv_multipart()
        assert identity == self.identity
        return sid, type, body

    def send(self, sid: bytes, type: bytes, body: bytes = b"") -> None:
        self.router.send_multipart([self.identity, sid, type, body])

    def request(self, sid: bytes, path: bytes) -> None:
        pairs = (b"REQUEST_METHOD", b"GET", b"PATH_INFO", path)
        body = b"".join(struct.pack("<H", len(text)) + text for text in pairs)
        self.send(sid, b"uwsgi", struct.pack("<BHB", 0, len(body), 0) + body)

    def close(self) -> None:
        self.node.kill()
        self.node.wait()
        self.router.close()
        self.context.term()


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    stub = Stub(f"ipc://{tmp_path}/nodes")
    assert stub.receive() == (b"", b"pong", b"")
    yield stub
    stub.close()


def test_pings_are_answered(stub: Stub) -> None:
    stub.send(b"", b"ping")
    assert stub.receive() == (b"", b"pong", b"")


def test_a_page_comes_while_streams_are_under_way(stub: Stub) -> None:
    stub.request(b"one", b"/stream")
    stub.request(b"two", b"/stream")
    stub.request(b"three", b"/")
    said: dict[bytes, list[tuple[bytes, bytes]]] = {b"one": [], b"two": [], b"three": []}
    while not all(said[sid] and said[sid][-1] == (b"chunk", b"") for sid in (b"one", b"two")):
        sid, type, body = stub.receive()
        said[sid].append((type, body))
        if len(said[b"three"]) == 2:
            stub.send(b"three", b"end")
    assert [type for type, _ in said[b"three"]] == [b"headers", b"body"]
    for sid in (b"one", b"two"):
        assert [type for type, _ in said[sid]] == [b"headers"] + [b"chunk"] * (BEATS + 1)


def test_the_end_of_a_session_stops_its_stream(stub: Stub) -> None:
    stub.request(b"one", b"/stream")
    assert stub.receive()[1] == b"headers"
    assert stub.receive()[1] == b"chunk"
    stub.send(b"one", b"end")
    stub.request(b"two", b"/stream")
    said: list[tuple[bytes, bytes]] = []
    while not said or said[-1] != (b"two", b""):
        sid, _, body = stub.receive()
        said.append((sid, body))
    # A line of the first stream may cross the `end` on its way, no more.
    assert [sid for sid, _ in said].count(b"one") <= 1


def test_a_node_that_hears_nothing_comes_with_a_new_socket(stub: Stub) -> None:
    """The stub sends no ping: the greeting of a new socket arrives without one."""
    assert stub.receive() == (b"", b"pong", b"")


def test_sigterm_ends_the_node(stub: Stub) -> None:
    stub.node.send_signal(signal.SIGTERM)
    assert stub.node.wait(timeout=10) == 0


def test_a_node_ends_when_its_parent_was_killed(tmp_path: Path) -> None:
    """The parent is killed with no chance to tell anybody; its node, then an orphan, ends by itself."""
    endpoint = f"ipc://{tmp_path}/nodes"
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, endpoint], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "started\n"
        parent.kill()
        # The node holds the other end of this pipe too: end of file means that both have gone.
        assert parent.stdout.read() == ""


_PARENT = """
import os, subprocess, sys
node = subprocess.Popen([sys.executable, "-m", "blastbeat.demo.node", sys.argv[1], "demo", str(os.getpid())])
print("started", flush=True)
node.wait()
"""
