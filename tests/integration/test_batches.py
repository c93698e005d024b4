"""`protocol.md` §1 Batches: a node may pack messages of one session into one."""

from __future__ import annotations

from tests.helpers.node import head
from tests.helpers.stage import Stage


def test_a_whole_response_in_one_message(stage: Stage) -> None:
    stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send_frames(sid, b"headers", head(), b"chunk", b"one", b"chunk", b"two", b"chunk", b"")
    response = client.read_response()
    assert (response.body, response.chunks) == (b"onetwo", [b"one", b"two"])


def test_sixty_four_pairs(stage: Stage) -> None:
    stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    pairs = [b"headers", head(), *[b"chunk", b"x"] * 62, b"chunk", b""]
    assert len(pairs) == 128
    node.send_frames(sid, *pairs)
    assert client.read_response().body == b"x" * 62


def test_more_pairs_are_dropped_whole(stage: Stage) -> None:
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send_frames(sid, b"headers", head(), *[b"chunk", b"x"] * 64)
    node.respond(sid, b"clean")
    assert client.read_response().body == b"clean"
    assert server.counters["messages.dropped.frames"] == 1


def test_what_follows_an_end_is_dropped(stage: Stage) -> None:
    stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    start = head(headers=[("Content-Length", "2")])
    node.send_frames(sid, b"headers", start, b"body", b"ok", b"end", b"", b"body", b"late", b"headers", start)
    assert client.read_response().body == b"ok"
    client.expect_eof()
    node.expect_end(sid)
    stage.expect_nothing(node)


def test_garbage_inside_a_batch(stage: Stage) -> None:
    """A type nobody knows costs itself, not its neighbours."""
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send_frames(
        sid, b"frobnicate", b"", b"headers", head() + b"a", b"x" * 40, b"", b"chunk", b"b", b"chunk", b""
    )
    assert client.read_response().body == b"ab"
    assert server.counters["messages.dropped.type"] == 2
