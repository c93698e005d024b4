"""One customer held back by a filter, each way there is; another, of the same node, does not feel it.

Held back for an hour: whatever of the one waited for the other would never come.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blastbeat import hookimpl
from blastbeat.interfaces import Filter, Options, Pace, Register, RequestView
from blastbeat.transport.paced import PIECE
from blastbeat.validators import whole
from tests.helpers.node import ScriptedNode, head
from tests.helpers.stage import Stage

HOUR = 3600
SIZE = 1_000_000


class Slow(Filter):
    """After the first bytes of a direction nothing passes for `seconds`; by the path of the request."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def _pause(self, view: RequestView, direction: str) -> float:
        return self.seconds if direction.encode() in view.request.path else 0.0

    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        return self._pause(view, direction)

    def on_output(self, view: RequestView) -> Pace | None:
        if view.request.path != b"/paced":
            return None
        waits: Iterator[float] = iter([0.0])
        return lambda n: next(waits, self.seconds)


class Plugin:
    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None:
        register("slow", self._make, options={"milliseconds": whole(1, HOUR * 1000)})

    def _make(self, options: Options) -> Slow:
        return Slow(options["milliseconds"] / 1000)


def serve(stage: Stage, milliseconds: int = HOUR * 1000) -> ScriptedNode:
    """Customer app.test is held back; plain.test is another of the same node."""
    slow = {"node": "app", "filters": f"slow milliseconds={milliseconds}", "linger-time": 0.2}
    stage.serve(vhosts={"app.test": slow, "plain.test": {"node": "app"}}, plugins=[Plugin()])
    return stage.node()


def check_the_other(stage: Stage, node: ScriptedNode, host: str = "plain.test") -> int:
    """A request, an upload and a WebSocket of it. Returns how many bytes of bodies came before them, from
    whoever is held back."""
    before = sum(len(message.body) for message in stage.messages_before_fence(node, host=host))
    client = stage.client()
    body = b"y" * 100_000
    length = ("Content-Length", str(len(body)))
    client.send_head("/other", method="POST", headers=[length], host=host)
    sid = node.expect_request().sid
    client.send(body)
    assert node.expect_body(sid, len(body)) == body
    node.respond(sid, body)
    assert client.read_response().body == body
    websocket = stage.websocket()
    websocket.handshake("/other", host=host)
    sid = node.expect_request().sid
    for text in ("one", "two"):
        websocket.send_text(text)
        assert node.expect("websocket", sid).body == text.encode()
        node.send(sid, "websocket", text.encode())
        websocket.expect_text(text)
    websocket.finish()
    node.expect_end(sid)
    return before


@pytest.mark.parametrize("host", ["plain.test", "app.test"])
@pytest.mark.parametrize("path", ["/out", "/paced"])
def test_a_response_that_is_held_back(stage: Stage, path: str, host: str) -> None:
    """Whether by `on_data` or at the pace of `on_output`. It holds one client only: the customer's others get
    what is theirs."""
    node, slow = serve(stage), stage.client()
    slow.get(path)
    sid = node.expect_request().sid
    node.send(sid, "headers", head(headers=[("Content-Length", "150000")]))
    node.send(sid, "body", b"x" * 50_000)
    node.send(sid, "body", b"x" * 100_000)
    check_the_other(stage, node, host)
    got = 0
    while slow.wait_input(0):
        got += len(slow.read_some(PIECE))
    assert got <= PIECE, "at most one piece, or the head where it came alone"
    slow.close()
    assert node.expect_end(sid).body == b""


@pytest.mark.parametrize("host", ["plain.test", "app.test"])
def test_an_upload_that_is_held_back(stage: Stage, host: str) -> None:
    """What stands in the sockets stays there, and its client's leaving is noticed all the same."""
    node, slow = serve(stage), stage.client()
    slow.send_head("/in", method="POST", headers=[("Content-Length", str(SIZE))])
    sid = node.expect_request().sid
    slow.send(b"x" * 1000)
    assert len(node.expect_body(sid, 1000)) == 1000
    slow.send(b"x" * 100_000)
    assert check_the_other(stage, node, host) == 0
    slow.close()
    assert node.expect_end(sid).body == b"client-left"


@pytest.mark.parametrize("host", ["plain.test", "app.test"])
def test_messages_of_a_websocket_that_is_held_back(stage: Stage, host: str) -> None:
    node, slow = serve(stage), stage.websocket()
    slow.handshake("/in")
    sid = node.expect_request().sid
    slow.send_text("one")
    assert node.expect("websocket", sid).body == b"one"
    slow.send_text("two")
    assert check_the_other(stage, node, host) == 0
    node.send(sid, "websocket", b"still heard")
    slow.expect_text("still heard")
    assert stage.messages_before_fence(node, host="plain.test") == []
    slow.close()
    node.expect_end(sid)


def test_messages_for_a_websocket_that_is_held_back(stage: Stage) -> None:
    node, slow = serve(stage), stage.websocket()
    slow.handshake("/out")
    sid = node.expect_request().sid
    node.send(sid, "websocket", b"one")
    node.send(sid, "websocket", b"two")
    check_the_other(stage, node)
    slow.send_text("still heard")
    assert node.expect("websocket", sid).body == b"still heard"
    slow.close()
    node.expect_end(sid)


def test_what_was_held_back_comes_in_the_end_whole_and_in_order(stage: Stage) -> None:
    node, client = serve(stage, milliseconds=50), stage.client()
    body = bytes(range(256)) * 2000
    client.send_head("/in-out", method="POST", headers=[("Content-Length", str(len(body)))])
    client.send(body)
    sid = node.expect_request().sid
    assert node.expect_body(sid, len(body)) == body
    node.respond(sid, body)
    assert client.read_response().body == body
    websocket = stage.websocket()
    websocket.handshake("/in-out")
    sid = node.expect_request().sid
    for number in range(5):
        websocket.send_text(f"in {number}")
        node.send(sid, "websocket", b"out %d" % number)
    for number in range(5):
        assert node.expect("websocket", sid).body == b"in %d" % number
        websocket.expect_text(f"out {number}")
    websocket.finish()
    node.expect_end(sid)
