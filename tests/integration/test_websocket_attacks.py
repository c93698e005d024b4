"""Clients that mean harm, or do not keep up: the right close code, bounded memory, nobody else notices."""

from __future__ import annotations

import struct
import threading
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.helpers.client import RawClient, request_head
from tests.helpers.node import ScriptedNode
from tests.helpers.process import ServerProcess
from tests.helpers.server import PATIENCE
from tests.helpers.stage import Stage
from tests.helpers.websocket import WebSocketClient, handshake_fields
from tests.helpers.websocket_frames import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Deflate,
    Frame,
    close,
    frame,
    frame_header,
)

MIB = 1024 * 1024
MILLION = 1_000_000
DEFLATE = "permessage-deflate; client_max_window_bits"


Opened: TypeAlias = tuple[WebSocketClient, bytes]
"""A WebSocket, and its sid."""


def opened(stage: Stage, node: ScriptedNode, client: WebSocketClient | None = None) -> Opened:
    """A WebSocket on `node`, and its sid."""
    client = client or stage.websocket()
    client.handshake()
    return client, node.expect_request().sid


class OwnProcess:
    """A server in a process of its own, whose memory can be looked at, and one node."""

    def __init__(self, stage: Stage, folder: Path, **options: object) -> None:
        endpoint = f"ipc://{folder}/nodes"
        server = {"zmq": endpoint, "ping-freq": 5, "websocket-ping": 0, **options}
        self._stage = stage
        self.process: ServerProcess = stage.serve_process(stage.configure(server))
        self.port = self.process.wait_ready()
        self.node = stage.node("app/1", "batch", endpoint=endpoint, receive_queue=1)
        self.node.expect("ping")  # a million messages take a node as long as its batches are few
        self._clients: list[RawClient] = []
        self.websocket()[0].finish()  # what a server makes once is not an attack's
        self.node.receive()
        self._before = self.process.memory()

    def websocket(self, *, extensions: str = "", receive_buffer: int | None = None) -> Opened:
        client = self._stage.websocket(address=("127.0.0.1", self.port), receive_buffer=receive_buffer)
        client.handshake(extensions=extensions)
        return client, self.node.expect_request().sid

    def growth(self) -> int:
        """Of the highest resident size, bytes."""
        return self.process.memory_peak() - self._before


@pytest.fixture
def own(stage: Stage, tmp_path: Path) -> OwnProcess:
    return OwnProcess(stage, tmp_path)


# ---------------------------------------------------------------- crafted lengths


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize(
    ("length", "code"),
    [
        (MIB + 1, 1009),
        (1 << 32, 1009),
        (1 << 62, 1009),
        ((1 << 63) - 1, 1009),
        (1 << 63, 1002),
        ((1 << 64) - 1, 1002),
    ],
)
def test_a_length_is_refused_as_it_is_announced(stage: Stage, opcode: int, length: int, code: int) -> None:
    """Nobody waits for the payload, or makes room for it."""
    stage.serve()
    node = stage.node()
    client, sid = opened(stage, node)
    client.send(frame_header(opcode, length))  # not even the mask
    client.expect_closed(code)
    assert node.expect_end(sid).body == b"%d" % code


def test_lengths_of_fragments_add_up(stage: Stage) -> None:
    stage.serve(vhost={"websocket-max-message": 1000})
    node = stage.node()
    client, sid = opened(stage, node)
    client.send(frame(TEXT, b"x" * 600, fin=False), frame(CONTINUATION, b"x" * 400))
    assert node.expect("websocket", sid).body == b"x" * 1000
    client.send(frame(TEXT, b"x" * 600, fin=False), frame_header(CONTINUATION, 401))
    client.expect_closed(1009)
    assert node.expect_end(sid).body == b"1009"


@pytest.mark.parametrize("length", [126, 65535, 1 << 62, (1 << 64) - 1])
def test_a_long_control_frame(stage: Stage, length: int) -> None:
    stage.serve()
    node = stage.node()
    client, sid = opened(stage, node)
    client.send(frame_header(PING, length))
    client.expect_closed(1002)
    node.expect_end(sid)


# ---------------------------------------------------------------- a million tiny frames


def flood(client: WebSocketClient, data: bytes) -> threading.Thread:
    """Sends `data` from a thread, as far as the server reads."""

    def send() -> None:
        try:
            for start in range(0, len(data), 65536):  # each may take its time
                client.raw.send(data[start : start + 65536])
        except OSError:
            pass  # the test is over, or the server had enough

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


@pytest.mark.timeout(90)
def test_a_million_messages_for_a_node_that_reads_nothing(own: OwnProcess) -> None:
    """The client is held back; what the server holds is bounded, and a neighbour's message gets through."""
    client, sid = own.websocket()
    other, other_sid = own.websocket()
    flood(client, frame(TEXT) * MILLION)
    other.send_text("is it my turn?")
    flooded = 0
    while (message := own.node.receive(4 * PATIENCE)).sid == sid:
        assert message == (sid, b"websocket", b"")
        flooded += 1
    assert message == (other_sid, b"websocket", b"is it my turn?") and flooded < MILLION
    client.raw.reset()
    while (message := own.node.receive()).type == b"websocket":
        flooded += 1
    assert message == (sid, b"end", b"1006") and flooded < MILLION
    assert own.growth() < 64 * MIB


@pytest.mark.timeout(90)
def test_a_million_empty_fragments(own: OwnProcess) -> None:
    """They are one message, and an empty one."""
    client, sid = own.websocket()
    first, last = frame(TEXT, fin=False), frame(CONTINUATION, b"end")
    flood(client, first + frame(CONTINUATION, fin=False) * MILLION + last)
    assert own.node.receive(12 * PATIENCE) == (sid, b"websocket", b"end")
    client.finish()
    assert own.growth() < 24 * MIB


@pytest.mark.timeout(90)
def test_a_million_pings_from_a_client_that_reads_nothing(own: OwnProcess) -> None:
    """Only the newest is owed a pong (RFC 6455 §5.5.3), so that pongs do not pile up."""
    client, sid = own.websocket(receive_buffer=4096)
    thread = flood(client, frame(PING, b"x") * MILLION + frame(TEXT, b"alive") + frame(PING, b"last"))
    assert own.node.receive(16 * PATIENCE) == (sid, b"websocket", b"alive")
    thread.join(PATIENCE)
    assert own.growth() < 24 * MIB
    while (got := client.read()).payload != b"last":
        assert got == Frame(PONG, b"x")
    client.finish()


@pytest.mark.timeout(60)
def test_a_million_messages_for_a_client_that_reads_nothing(own: OwnProcess) -> None:
    """It is given up by its own limit; the other client of the node gets what is sent meanwhile, in order."""
    _, slow_sid = own.websocket(receive_buffer=4096)
    other, other_sid = own.websocket()
    batch = [b"websocket", b"x" * 16] * 64
    for number in range(MILLION // 64):
        own.node.send_frames(slow_sid, *batch)
        if number % 100 == 0:
            own.node.send(other_sid, "websocket", b"%d" % number)
    for number in range(0, MILLION // 64, 100):
        other.expect_text(b"%d" % number)
    assert own.node.receive() == (slow_sid, b"end", b"1008")
    other.finish()
    assert own.growth() < 64 * MIB


# ---------------------------------------------------------------- compression


def test_a_message_that_inflates_to_a_gigabyte(stage: Stage, tmp_path: Path) -> None:
    own = OwnProcess(stage, tmp_path, **{"websocket-compression": "deflate"})
    client, sid = own.websocket(extensions=DEFLATE)
    assert client.deflate is not None
    mebibyte = client.deflate.compress(bytes(MIB))  # what each further one is, as it has seen zeros before
    again = client.deflate.compress(bytes(MIB)) + b"\x00\x00\xff\xff"
    packed = mebibyte + b"\x00\x00\xff\xff" + again * 900
    assert len(packed) < MIB
    flood(client, frame(BINARY, packed, rsv=4))
    client.expect_close(1009)
    assert own.node.expect_end(sid).body == b"1009"
    assert own.growth() < 16 * MIB


def test_many_messages_that_inflate_for_a_node_that_reads_nothing(stage: Stage, tmp_path: Path) -> None:
    """Each is as large as it may be: what one read of the client brings is not inflated all at once."""
    own = OwnProcess(stage, tmp_path, **{"websocket-compression": "deflate"})
    client, sid = own.websocket(extensions=DEFLATE)
    assert client.deflate is not None
    messages = [client.deflate.message(BINARY, bytes(MIB)) for _ in range(300)]
    flood(client, b"".join(messages))
    for _ in range(300):
        message = own.node.receive()
        assert message[:2] == (sid, b"websocket") and len(message.body) == MIB
    assert own.growth() < 120 * MIB


def test_what_is_not_deflated(stage: Stage) -> None:
    stage.serve(vhost={"websocket-compression": "deflate"})
    node = stage.node()
    client = stage.websocket()
    client.handshake(extensions=DEFLATE)
    sid = node.expect_request().sid
    client.send(frame(TEXT, b"\xff" * 50, rsv=4))
    client.expect_closed(1007)
    assert node.expect_end(sid).body == b"1007"


def test_rsv1_where_nothing_was_agreed(stage: Stage) -> None:
    stage.serve()
    node = stage.node()
    client, sid = opened(stage, node)
    client.send(Deflate().message(TEXT, b"hello"))
    client.expect_closed(1002)
    node.expect_end(sid)


# ---------------------------------------------------------------- clients that stop in the middle


def test_half_a_frame_and_then_silence(stage: Stage) -> None:
    """Nothing that comes is a pong either: found by the ping, and the node hears that it vanished."""
    stage.serve(vhost={"websocket-ping": 0.1})
    node = stage.node()
    client, sid = opened(stage, node)
    client.send(frame(TEXT, b"x" * 100)[:50])
    client.expect_ping()
    client.expect_close(1001)
    assert node.expect_end(sid).body == b"1006"
    client.expect_eof()
    stage.server.wait_counter("websockets.silent")


@pytest.mark.parametrize("how", ["reset", "close"])
def test_it_leaves_in_the_middle_of_a_frame(stage: Stage, how: str) -> None:
    stage.serve()
    node = stage.node()
    client, sid = opened(stage, node)
    client.send(frame(TEXT, b"whole") + frame(TEXT, b"x" * 100)[:50])
    node.expect("websocket", sid)
    client.raw.reset() if how == "reset" else client.close()
    assert node.expect_end(sid).body == b"1006"


def test_a_close_frame_that_is_not_answered(stage: Stage) -> None:
    """The node is done at once; the connection ends after `linger-time`, whatever the client sends."""
    server = stage.serve(vhost={"linger-time": 0.3})
    node = stage.node()
    client, sid = opened(stage, node)
    node.send(sid, "end", b"4000 enough")
    client.expect_close(4000, "enough")
    assert node.expect_end(sid).body == b"4000 enough"
    client.send_text("I did not hear that")
    client.expect_eof()
    client.close()
    server.wait_idle()
    stage.expect_nothing(node)


def test_half_the_close_frame(stage: Stage) -> None:
    server = stage.serve(vhost={"websocket-ping": 0.1})
    node = stage.node()
    client, sid = opened(stage, node)
    client.send(close(1000, "bye")[:4])
    client.expect_ping()
    client.expect_close(1001)
    assert node.expect_end(sid).body == b"1006"
    client.close()
    server.wait_idle()


# ---------------------------------------------------------------- many at once


def test_many_half_handshakes(stage: Stage) -> None:
    """They end by `header-timeout`, and others are served meanwhile."""
    server = stage.serve({"header-timeout": 0.5})
    node = stage.node()
    whole = request_head(headers=handshake_fields())
    crowd = [stage.client() for _ in range(200)]
    for number, client in enumerate(crowd):
        client.send(whole[: 1 + number * (len(whole) - 2) // 200])
    good, sid = opened(stage, node)
    good.send_text("hello")
    assert node.expect("websocket", sid).body == b"hello"
    for client in crowd:
        client.read_to_eof()
        client.close()
    good.finish()
    good.close()
    assert node.expect_end(sid).body == b"1000"
    server.wait_idle()
    stage.expect_nothing(node)


@pytest.mark.parametrize("who", ["clients", "node", "both"])
def test_a_storm_of_closes(stage: Stage, who: str) -> None:
    """Each session ends exactly once, whoever was first."""
    server = stage.serve()
    node = stage.node()
    crowd = [opened(stage, node) for _ in range(150)]
    for client, sid in crowd:
        if who != "node":
            client.send(close(4001) + close(4002))
        if who != "clients":
            node.send(sid, "end", b"4003")
            node.send(sid, "end", b"4004")
    codes = set()
    for client, _ in crowd:
        codes.add(client.expect(8).close_code)
        client.send_close() if who == "node" else None
        client.expect_eof()
        client.close()
    assert codes <= {"clients": {4001}, "node": {4003}, "both": {4001, 4003}}[who]
    ends = [node.expect("end") for _ in crowd]
    assert {end.sid for end in ends} == {sid for _, sid in crowd}
    assert {end.body for end in ends} <= {b"4001", b"4003"}
    server.wait_idle()
    stage.expect_nothing(node)
    assert server.counters["websockets.opened"] == server.counters["websockets.closed"] == 150


def test_a_flooded_client_and_its_neighbour(stage: Stage) -> None:
    """A client over its limit is closed with 1008; its neighbour's messages are whole and in order."""
    server = stage.serve({"writequeue-buffer": 200_000})
    node = stage.node()
    slow, slow_sid = opened(stage, node, WebSocketClient(stage.client(receive_buffer=4096)))
    other, other_sid = opened(stage, node)
    sent = 0
    while not server.counters["connections.given-up.slow-client"]:
        node.send(slow_sid, "websocket", struct.pack("!I", sent) * 5000)
        node.send(other_sid, "websocket-binary", struct.pack("!I", sent))
        got = other.read()
        assert got.payload == struct.pack("!I", sent)
        sent += 1
        assert sent < 2000
    assert node.expect_end(slow_sid).body == b"1008"
    for number in range(sent):  # what it had been given before, whole, and then why
        got = slow.read()
        if got.opcode == 8:
            assert got.close_code == 1008
            break
        assert got.payload == struct.pack("!I", number) * 5000
    other.finish()
