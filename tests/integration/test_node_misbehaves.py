"""`protocol.md` §1, §4: whatever a node sends, it disturbs no session but its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blastbeat.events import CloseReason
from tests.helpers.node import head
from tests.helpers.stage import Stage
from tests.helpers.uwsgi import write_packet
from tests.helpers.zmtp import MORE, RawPeer

# ---------------------------------------------------------------- messages that are no messages

WRONG_FRAMES: dict[str, list[bytes]] = {
    "one frame": [b""],
    "one frame with bytes": [b"pong"],
    "two frames": [b"", b"pong"],
    "four frames": [b"", b"pong", b"", b"pong"],
    "six frames": [b"", b"pong", b"", b"pong", b"", b"pong"],
    "65 pairs": [b"", *[b"pong", b""] * 65],
    "a thousand frames": [b"x"] * 1000,
}


@pytest.mark.parametrize("name", WRONG_FRAMES)
def test_wrong_number_of_frames(stage: Stage, name: str) -> None:
    """Dropped whole and counted; what follows is understood again."""
    server = stage.serve()
    node, client = stage.node(), stage.client()
    node.send_frames(*WRONG_FRAMES[name])
    stage.exchange(node, client)
    assert server.counters["messages.dropped.frames"] == 1


@pytest.mark.parametrize("number", [1, 3, 5])
def test_wrong_frames_never_speak_for_a_session(stage: Stage, number: int) -> None:
    """The first three of four frames are a message the original would have acted on."""
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send_frames(sid, b"headers", head(headers=[("Content-Length", "5")]) + b"wrong", *[b"x"] * number)
    node.respond(sid, b"right")
    assert client.read_response().body == b"right"
    assert server.counters["messages.dropped.frames"] == 1


GARBAGE_TYPES = [
    b"",
    b"frobnicate",
    b"x" * 33,
    b"\xff\xfe",
    b"\0",
    b"HEADERS",
    b"head ers",
    b"headers\n",
    b":",
    b"a:",
]


@pytest.mark.parametrize("type", GARBAGE_TYPES, ids=repr)
def test_garbage_types(stage: Stage, type: bytes) -> None:
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send(sid, type, b"nonsense")
    node.respond(sid, b"fine")
    assert client.read_response().body == b"fine"
    assert server.counters["messages.dropped.type"] == 1


def test_unknown_routing_ids(stage: Stage) -> None:
    server = stage.serve()
    stage.node()
    names = ["stranger", "app/", "app/a b", "app/" + "x" * 65, "stranger/1", "APP"]
    for name in names:
        stage.node(name, announce=False).pong()
    server.wait_counter("messages.dropped.unknown-node", len(names))
    assert server.counters["nodes.up"] == 1


# ---------------------------------------------------------------- malformed responses

MALFORMED_HEADS: dict[str, bytes] = {
    "no status line": b"Content-Length: 2\r\n\r\nok",
    "empty": b"",
    "no end": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
    "bad version": b"HTTP/9.9 200 OK\r\n\r\n",
    "not http": b"RTSP/1.0 200 OK\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "status with letters": b"HTTP/1.1 2x0 OK\r\n\r\n",
    "status 99": b"HTTP/1.1 099 OK\r\n\r\n",
    "NUL in a value": b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\n\r\n",
    "NUL in the reason": b"HTTP/1.1 200 O\0K\r\n\r\n",
    "bare CR in a value": b"HTTP/1.1 200 OK\r\nX-A: a\rSet-Cookie: b\r\n\r\n",
    "bare CR in the reason": b"HTTP/1.1 200 OK\rX-A: 1\r\n\r\n",
    "CR CR LF": b"HTTP/1.1 200 OK\r\r\nX-A: 1\r\n\r\n",
    "empty name": b"HTTP/1.1 200 OK\r\n: 1\r\n\r\n",
    "space in a name": b"HTTP/1.1 200 OK\r\nX A: 1\r\n\r\n",
    "space before the colon": b"HTTP/1.1 200 OK\r\nX-A : 1\r\n\r\n",
    "no colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "folding": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n  2\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
    "length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "length in letters": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "two codings": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED_HEADS)
def test_malformed_head(stage: Stage, name: str) -> None:
    """502, the session ends, and nothing of the node's bytes reaches the client."""
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send(sid, "headers", MALFORMED_HEADS[name])
    response = client.read_response()
    assert response.status == 502
    assert "X-A" not in response and "Set-Cookie" not in response
    node.expect_end(sid)
    stage.expect_nothing(node)
    assert server.exchanges[0].reason == CloseReason.NODE_ERROR


MALFORMED_PACKETS: dict[str, bytes] = {
    "empty": b"",
    "three bytes": b"\0\0\0",
    "no status": write_packet([(b"X-A", b"1")]),
    "nonsense status": write_packet([(b"STATUS", b"fine")]),
    "cut": write_packet([(b"STATUS", b"200 OK"), (b"X-A", b"1")])[:-1],
    "string runs over": b"\0\x0a\0\0\x06\0STATUS\xff\xff200 OK",
    "line feed in a value": write_packet([(b"STATUS", b"200 OK"), (b"X-A", b"1\r\nX-B: 2")]),
    "line feed in the status": write_packet([(b"STATUS", b"200 OK\r\nX-A: 1")]),
    "colon in a name": write_packet([(b"STATUS", b"200 OK"), (b"X-A: 1\r\nX-B", b"2")]),
    "NUL in a value": write_packet([(b"STATUS", b"200 OK"), (b"X-A", b"a\0b")]),
}


@pytest.mark.parametrize("name", MALFORMED_PACKETS)
def test_malformed_uwsgi_head(stage: Stage, name: str) -> None:
    stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send(sid, "uwsgi", MALFORMED_PACKETS[name])
    response = client.read_response()
    assert response.status == 502 and "X-A" not in response and "X-B" not in response
    node.expect_end(sid)
    stage.expect_nothing(node)


@pytest.mark.parametrize(
    ("type", "body"),
    [("chunk", b"early"), ("chunk", b""), ("body", b"early"), ("body", b"HTTP/1.1 nonsense\r\n\r\n")],
)
def test_body_before_the_first_head(stage: Stage, type: str, body: bytes) -> None:
    stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send(sid, type, body)
    assert client.read_response().status == 502
    node.expect_end(sid)
    stage.expect_nothing(node)


# ---------------------------------------------------------------- floods and strangers


def test_flood_to_a_client_that_does_not_read(stage: Stage) -> None:
    """The session ends with `slow-client`; others are served by the same node all the while."""
    server = stage.serve({"writequeue-buffer": "256KiB"})
    node, deaf, other = stage.node(), stage.client(receive_buffer=4096), stage.client()
    deaf.get("/flood")
    sid = node.expect_request().sid
    node.send(sid, "headers", head())
    for _ in range(200):  # more than all buffers of the way together hold
        node.send(sid, "chunk", b"x" * 65536)
    node.expect_end(sid)
    stage.exchange(node, other)
    assert server.wait_exchanges(1)[0].reason == CloseReason.SLOW_CLIENT
    deaf.read_to_eof()


def test_second_socket_with_the_same_name(stage: Stage) -> None:
    """ZeroMQ ignores it; the first goes on undisturbed."""
    stage.serve()
    node, client = stage.node(), stage.client()
    impostor = stage.node(announce=False)
    impostor.pong()
    sid = stage.exchange(node, client)
    client.get("/2")
    node.expect_request(sid)
    impostor.respond(sid, b"impostor")
    node.respond(sid, b"genuine")
    assert client.read_response().body == b"genuine"


@pytest.fixture
def peer(stage: Stage) -> Iterator[RawPeer]:
    stage.serve(vhosts={"app.test": {"node": ["app"]}, "raw.test": {"node": "raw"}})
    peer = RawPeer(stage.server.endpoint, "raw")
    yield peer
    peer.close()


def test_raw_peer_speaks(stage: Stage, peer: RawPeer) -> None:
    """The handmade peer is understood: what the next tests show is not its mistake."""
    for frame, flags in ((b"", MORE), (b"pong", MORE), (b"", 0)):
        peer.send_frame(frame, flags)
    stage.server.wait_counter("nodes.up")


def test_message_that_never_ends(stage: Stage, peer: RawPeer) -> None:
    """Frame after frame without a last one: nothing of it is acted on, other nodes are served."""
    server = stage.server
    peer.send_frame(b"", MORE)
    peer.send_frame(b"pong", MORE)
    peer.send_bytes(b"\x01\x01x" * 100_000)
    node, client = stage.node(), stage.client()
    stage.exchange(node, client)
    acted_on = server.counters["messages.received"]
    peer.send_bytes(b"\x01\x01x" * 100_000)
    stage.exchange(node, client)
    assert server.counters["messages.received"] == 2 * acted_on


@pytest.mark.parametrize(
    "raw", [b"\x00", b"\x01\x05he", b"\x02" + b"\xff" * 8, b"\x07\x00", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_raw_peer_that_breaks_off(stage: Stage, peer: RawPeer, raw: bytes) -> None:
    node, client = stage.node(), stage.client()
    peer.send_bytes(raw)
    peer.close()
    stage.exchange(node, client)
