"""Long bodies through a server and a node of the library, each a process of its own: nothing is lost, and
neither holds more than its windows."""

from __future__ import annotations

import hashlib
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.blocks import MIB, blocks, digest
from tests.helpers.client import RawClient
from tests.helpers.printing import PrintingProcess
from tests.helpers.process import ServerProcess
from tests.helpers.stage import Stage

ROOT = Path(__file__).parents[2]
STEP = 64 * 1024
RATE = 20_000_000
"""Bytes per second of the slow ends in the long tests."""
ROOM = 16 * MIB
"""What either process may grow by, whatever the body's size: windows, pools and ZeroMQ's buffers."""


class Line:
    """A server and a node as processes, and the most memory that each has had when a first body of a MiB had
    gone each way."""

    def __init__(self, server: ServerProcess, port: int, node: PrintingProcess) -> None:
        self.port = port
        self._pids = (server.pid, node.pid)
        client = RawClient(port)
        client.get(f"/down?{MIB}")
        assert len(client.read_response().body) == MIB
        client.send_head("/up?rate=1000000000", method="PUT", headers=[("Content-Length", str(MIB))])
        client.send(bytes(MIB))
        assert client.read_response().status == 200
        client.close()
        self._before = [memory_peak(pid) for pid in self._pids]

    def assert_flat(self) -> None:
        grown = [memory_peak(pid) - before for pid, before in zip(self._pids, self._before, strict=True)]
        assert max(grown) < ROOM, f"server and node have grown by {grown} bytes"


def memory_peak(pid: int) -> int:
    """The highest resident size so far, bytes."""
    match = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


@pytest.fixture
def line(stage: Stage) -> Iterator[Line]:
    endpoint = f"ipc://{stage.folder}/nodes"
    server = stage.serve_process(stage.configure({"zmq": endpoint, "access-log": "off"}))
    port = server.wait_ready()
    with PrintingProcess([sys.executable, "-m", "tests.helpers.node_program", "app", endpoint], ROOT) as node:
        node.wait_line("up")
        yield Line(server, port, node)


def download(line: Line, total: int, rate: int = 0) -> None:
    """By a client that reads in steps; with a `rate` no faster than so many bytes per second."""
    client = RawClient(line.port, receive_buffer=STEP)
    client.get(f"/down?{total}")
    assert int(client.read_head()["Content-Length"]) == total
    received, count, begun = hashlib.sha256(), 0, time.monotonic()
    while count < total:
        piece = client.read_some(STEP)
        received.update(piece)
        count += len(piece)
        if rate:
            threading.Event().wait(begun + count / rate - time.monotonic())
    client.close()
    assert received.hexdigest() == digest(blocks(total))


def upload(line: Line, total: int, target: str, stalled: threading.Event) -> None:
    """`stalled` is set when the client is made to wait."""
    client = RawClient(line.port)
    client.send_head(target, method="PUT", headers=[("Content-Length", str(total))])
    for piece in blocks(total):
        view = memoryview(piece)
        while view:
            if not client.can_send(0.5):
                stalled.set()
                assert client.can_send(60)
            view = view[client.send_some(view) :]
    assert client.read_response().body.decode() == digest(blocks(total))
    client.close()


def test_download(line: Line) -> None:
    download(line, 20 * MIB)
    line.assert_flat()


def test_downloads_at_once(line: Line) -> None:
    """One is read, two wait for their clients meanwhile."""
    waiting = [RawClient(line.port, receive_buffer=STEP) for _ in range(2)]
    for client in waiting:
        client.get(f"/down?{20 * MIB}")
        client.read_head()
    download(line, 20 * MIB)
    for client in waiting:
        client.close()
    line.assert_flat()


def test_upload_that_is_not_read_for_a_while(line: Line) -> None:
    stalled = threading.Event()
    thread = threading.Thread(target=upload, args=(line, 20 * MIB, "/up", stalled))
    thread.start()
    assert stalled.wait(15), "the client was never made to wait"
    client = RawClient(line.port)
    client.get("/release")
    assert client.read_response().body == b"released"
    client.close()
    thread.join(15)
    assert not thread.is_alive()
    line.assert_flat()


@pytest.mark.soak
@pytest.mark.timeout(120)
def test_download_of_200_mebibytes_at_20_megabytes_per_second(line: Line) -> None:
    download(line, 200 * MIB, RATE)
    line.assert_flat()


@pytest.mark.soak
@pytest.mark.timeout(120)
def test_upload_of_200_mebibytes_to_a_slow_application(line: Line) -> None:
    upload(line, 200 * MIB, f"/up?rate={RATE}", threading.Event())
    line.assert_flat()
