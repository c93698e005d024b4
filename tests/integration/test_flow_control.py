"""`design.md` §6: queues towards nodes are bounded, and what a stuck node costs is its own."""

from __future__ import annotations

import threading

from blastbeat.events import CloseReason
from tests.helpers.client import RawClient, request_head
from tests.helpers.node import ScriptedNode
from tests.helpers.settings import Table
from tests.helpers.stage import Stage

KIB = 1024
MIB = 1024 * KIB
BLOCK = b"x" * 65536
TIGHT: Table = {"node-queue": "256KiB", "session-share": "64KiB", "high-water-mark": 4}


def upload_until_held(client: RawClient, total: int = 512 * MIB) -> int:
    """Sends a body until nobody takes any more of it; returns how much went."""
    client.send_head("/up", method="PUT", headers=[("Content-Length", str(total))])
    sent = 0
    while client.can_send(0.2):
        sent += client.send_some(BLOCK)
        assert sent < total // 2, "the client is never held back"
    return sent


def fill(stage: Stage) -> list[RawClient]:
    """Uploads until the instance of the only node takes no further session."""
    uploaders: list[RawClient] = []
    while True:
        uploaders.append(stage.client())
        upload_until_held(uploaders[-1])
        probe = stage.client()
        probe.get("/probe")
        if probe.wait_input(0.1):
            assert probe.read_response().status == 503
            return uploaders
        probe.close()
        assert len(uploaders) < 20


def read_away(node: ScriptedNode) -> None:
    """Everything up to a moment of silence."""
    while node.maybe_receive(0.1):
        pass


def test_full_instance_is_offered_nothing(stage: Stage) -> None:
    """503 while it is full; as soon as it reads again, it is back."""
    server = stage.serve(TIGHT)
    node = stage.node(receive_queue=1)
    for uploader in fill(stage):
        uploader.close()
    read_away(node)
    client = stage.client()
    client.get("/after")
    assert node.expect_request()["REQUEST_URI"] == "/after"
    assert CloseReason.NO_INSTANCE in {view.reason for view in server.exchanges}


def test_another_instance_takes_over_from_a_full_one(stage: Stage) -> None:
    stage.serve(TIGHT)
    full = stage.node("app", receive_queue=1)
    uploaders = fill(stage)
    other = stage.node("app/2")
    for _ in range(5):
        stage.exchange(other, stage.client())
    for uploader in uploaders:
        uploader.close()
    read_away(full)


def test_end_overtakes_the_queue(stage: Stage) -> None:
    """What waits for a session that is over is discarded, its `end` is not."""
    stage.serve(TIGHT, {"response-timeout": 0.5})
    node, client = stage.node(receive_queue=1), stage.client()
    sent = upload_until_held(client)
    assert client.read_response().status == 504
    sid = node.expect_request().sid
    received = 0
    while (message := node.receive()).type == b"body":
        received += len(message.body)
    assert (message.type, message.sid) == (b"end", sid)
    assert received < sent
    stage.expect_nothing(node)


def test_uploads_share_a_slow_node(stage: Stage) -> None:
    """Many at once through narrow queues: every body arrives whole and under its own sid."""
    stage.serve({**TIGHT, "node-queue": "1MiB"})
    stage.app(handler=lambda request: bytes({*request.body}) + b" %d" % len(request.body))
    size = 2 * MIB
    clients = [stage.client() for _ in range(8)]
    for client in clients:
        client.send_head(method="POST", headers=[("Content-Length", str(size))])
    stage.server.wait_counter("sessions.opened", 8)
    threads = [
        threading.Thread(target=client.send, args=(bytes([65 + number]) * size,))
        for number, client in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    bodies = [client.read_response().body for client in clients]
    for thread in threads:
        thread.join()
    assert bodies == [b"%c %d" % (65 + number, size) for number in range(8)]


def test_batches_towards_a_node_that_can_read_them(stage: Stage) -> None:
    """What has piled up for one session goes in fewer messages; not a byte is lost."""
    stage.serve(TIGHT)
    node = stage.node("app/1", "batch", receive_queue=1)
    node.expect("ping")
    client = stage.client()
    total = 8 * MIB
    body = bytes(range(256)) * (total // 256)
    sender = threading.Thread(target=client.post, args=(body,))
    sender.start()
    sid = node.expect_request().sid
    received = node.expect_body(sid, total)
    sender.join()
    assert received == body
    node.respond(sid, b"ok")
    assert client.read_response().body == b"ok"


def test_pipelined_flood_is_held_back(stage: Stage) -> None:
    """While a response is awaited the server reads ahead only so much."""
    stage.serve()
    node, client = stage.node(), stage.client()
    raw = request_head("/again") * 1000
    client.get("/first")
    sid = node.expect_request().sid
    sent = 0
    while client.can_send(0.2):
        sent += client.send_some(raw)
        assert sent < 64 * MIB, "the client is never held back"
    client.close()
    node.respond(sid)  # there is no room to see that the client has left before this
    while (message := node.receive()).type == b"uwsgi":
        assert message.sid == sid
        node.respond(sid)
    assert (message.type, message.sid) == (b"end", sid)
    stage.expect_nothing(node)


def test_node_that_floods_and_never_reads(stage: Stage) -> None:
    """Its nonsense is dropped and counted; another node and its clients notice nothing."""
    server = stage.serve(vhosts={"app.test": {"node": "app"}, "flood.test": {"node": "flood"}})
    flood, node, client = stage.node("flood", receive_queue=1), stage.node(), stage.client()
    for number in range(20_000):
        flood.send(b"nobody's session", "body", b"x" * 100)
        if number % 2000 == 0:
            stage.exchange(node, client)
    server.wait_counter("messages.dropped.unknown-sid", 20_000)
    stage.exchange(node, client)
