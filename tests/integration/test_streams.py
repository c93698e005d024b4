"""Long bodies both ways: nothing is lost, nothing is held whole, and one slow end holds up nobody else."""

from __future__ import annotations

import hashlib
import threading

import pytest

from tests.helpers.blocks import BLOCK, MIB, blocks, digest
from tests.helpers.client import RawClient
from tests.helpers.node import ScriptedNode, head
from tests.helpers.process import ServerProcess
from tests.helpers.stage import Stage


class Line:
    """A server process with one node and one client, and its memory before anything flowed."""

    def __init__(self, stage: Stage, words: str = "", *, receive_buffer: int | None = None) -> None:
        endpoint = f"ipc://{stage.folder}/nodes"
        self.process: ServerProcess = stage.serve_process(stage.configure({"zmq": endpoint, "ping-freq": 5}))
        port = self.process.wait_ready()
        name = "app/1" if words else "app"
        self.node: ScriptedNode = stage.node(name, words, endpoint=endpoint, receive_queue=4)
        if words:
            self.node.expect("ping")
            self.node.expect("credit")
        self.client: RawClient = stage.client(address=("127.0.0.1", port), receive_buffer=receive_buffer)
        self.client.get("/warm-up")
        self.node.respond(self.node.expect_request().sid)
        assert self.client.read_response().status == 200
        self.memory = self.process.memory()

    def grown(self) -> int:
        """How far the resident size has ever been above the start."""
        return self.process.memory_peak() - self.memory


def upload(line: Line, total: int, pause_after: int) -> None:
    """Sends `total` bytes; the node stops reading after `pause_after` until the client can send no more."""
    client, node = line.client, line.node
    stalled = threading.Event()
    expected = hashlib.sha256()

    def send() -> None:
        client.send_head("/up", method="PUT", headers=[("Content-Length", str(total))])
        for piece in blocks(total):
            expected.update(piece)
            view = memoryview(piece)
            while view:
                if not client.can_send(0.5):
                    stalled.set()  # nothing moves any more: every buffer on the way is full
                    assert client.can_send(60)
                view = view[client.send_some(view) :]

    sender = threading.Thread(target=send)
    sender.start()
    sid = node.expect_request().sid
    received = hashlib.sha256()
    count = 0
    while count < total:
        piece = node.expect("body", sid).body
        received.update(piece)
        if count < pause_after <= count + len(piece):
            assert stalled.wait(15), "the client was never made to wait"
        count += len(piece)
    sender.join()
    assert (count, received.hexdigest()) == (total, expected.hexdigest())
    node.respond(sid, b"stored")
    assert client.read_response().body == b"stored"


def test_upload_is_held_back(stage: Stage) -> None:
    """64 MiB to a node that stops reading for a while: the client waits, the server stays small."""
    line = Line(stage)
    upload(line, 64 * MIB, 1 * MIB)
    assert line.grown() < 40 * MIB


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_upload_of_one_gibibyte(stage: Stage) -> None:
    line = Line(stage)
    upload(line, 1024 * MIB, 100 * MIB)
    assert line.grown() < 40 * MIB


def download(line: Line, total: int) -> None:
    """A node with credit sends `total` bytes as fast as it may to a client that reads in small steps."""
    client, node = line.client, line.node
    client.get("/down")
    sid = node.expect_request().sid
    failure: list[BaseException] = []

    def send() -> None:
        try:
            window = MIB
            node.send(sid, "headers", head(headers=[("Content-Length", str(total))]))
            for piece in blocks(total):
                while window <= 0:
                    window += int(node.expect("credit", sid).body)
                node.send(sid, "body", piece)
                window -= len(piece)
        except BaseException as error:
            failure.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    received = hashlib.sha256()
    count = 0
    assert client.read_head().status == 200
    while count < total:
        piece = client.read_some(8192)
        received.update(piece)
        count += len(piece)
    sender.join()
    assert not failure, failure
    assert received.hexdigest() == digest(blocks(total))


def test_download_with_credit(stage: Stage) -> None:
    line = Line(stage, "credit=1000000", receive_buffer=65536)
    download(line, 48 * MIB)
    assert line.grown() < 16 * MIB


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_download_of_200_mebibytes(stage: Stage) -> None:
    line = Line(stage, "credit=1000000", receive_buffer=65536)
    download(line, 200 * MIB)
    assert line.grown() < 16 * MIB


def test_echo_stream(stage: Stage) -> None:
    """Both directions of one exchange at once, 8 MiB each way."""
    stage.serve()
    node, client = stage.node(), stage.client()
    total = 8 * MIB

    def echo() -> None:
        sid = node.expect_request().sid
        node.send(sid, "headers", head())
        while piece := node.expect("body", sid).body:
            node.send(sid, "chunk", piece)
        node.send(sid, "chunk")

    def send() -> None:
        client.send_head(method="POST", headers=[("Transfer-Encoding", "chunked")])
        for piece in blocks(total):
            client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        client.send(b"0\r\n\r\n")

    threads = [threading.Thread(target=work) for work in (echo, send)]
    for thread in threads:
        thread.start()
    response = client.read_response()
    for thread in threads:
        thread.join()
    assert hashlib.sha256(response.body).hexdigest() == digest(blocks(total))


def test_held_upload_holds_up_nobody_else(stage: Stage) -> None:
    """A node that does not read costs its own sessions, not those of another node."""
    stage.serve(vhosts={"app.test": {"node": "app"}, "other.test": {"node": "other"}})
    stuck, other = stage.node("app", receive_queue=1), stage.node("other")
    uploader, client = stage.client(), stage.client()
    uploader.send_head(method="PUT", headers=[("Content-Length", str(256 * MIB))])
    sent = 0
    while uploader.can_send(0.3):
        sent += uploader.send_some(BLOCK)
    assert sent < 128 * MIB
    for _ in range(3):
        client.get(host="other.test")
        other.respond(other.expect_request().sid, b"fine")
        assert client.read_response().body == b"fine"
    sid = stuck.expect_request().sid
    uploader.close()
    while (message := stuck.receive()).type == b"body":
        assert message.sid == sid
    assert (message.type, message.sid) == (b"end", sid)
