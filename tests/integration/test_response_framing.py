"""`protocol.md` §6: framing is the server's, whatever the node says and the client speaks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.helpers.client import RawClient, Response
from tests.helpers.node import ScriptedNode, head
from tests.helpers.stage import Stage

Sent = Sequence[tuple[str, bytes]]

LENGTH = head(headers=[("Content-Length", "11")])
NO_LENGTH = head(headers=[("X-A", "1")])
CODED = head(headers=[("Transfer-Encoding", "chunked")])
PAYLOAD = b"hello world"
OWN_CODING = b"5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"

# What the node sends, and how each client version gets "hello world".
COMPLETE: dict[str, tuple[Sent, str, str]] = {
    "length": ([("headers", LENGTH), ("body", PAYLOAD)], "length", "length"),
    "length in pieces": ([("headers", LENGTH), ("body", b"hello "), ("body", b"world")], "length", "length"),
    "length in the head's message": ([("headers", LENGTH + PAYLOAD)], "length", "length"),
    "length, half in the head's message": (
        [("headers", LENGTH + b"hello "), ("body", b"world")],
        "length",
        "length",
    ),
    "empty bodies mean nothing": (
        [("headers", LENGTH), ("body", b""), ("body", PAYLOAD), ("body", b"")],
        "length",
        "length",
    ),
    "chunks with a length": (
        [("headers", LENGTH), ("chunk", b"hello "), ("chunk", b"world"), ("chunk", b"")],
        "length",
        "length",
    ),
    "chunks": (
        [("headers", NO_LENGTH), ("chunk", b"hello "), ("chunk", b"world"), ("chunk", b"")],
        "chunked",
        "close",
    ),
    "chunks of a node that says chunked": (
        [("headers", CODED), ("chunk", b"hello "), ("chunk", b"world"), ("chunk", b"")],
        "chunked",
        "close",
    ),
    "own coding": ([("headers", CODED), ("body", OWN_CODING)], "chunked", "close"),
    "own coding in the head's message": ([("headers", CODED + OWN_CODING)], "chunked", "close"),
    "own coding byte by byte": (
        [("headers", CODED), *(("body", OWN_CODING[i : i + 1]) for i in range(len(OWN_CODING)))],
        "chunked",
        "close",
    ),
    "own coding removes the length": (
        [
            ("headers", head(headers=[("Content-Length", "3"), ("Transfer-Encoding", "chunked")])),
            ("body", OWN_CODING),
        ],
        "chunked",
        "close",
    ),
    "body and an empty chunk": (
        [("headers", NO_LENGTH), ("body", PAYLOAD), ("chunk", b"")],
        "chunked",
        "close",
    ),
}
# These the node completes by `end`, so the connection is over with them.
ENDED: dict[str, tuple[Sent, str, str]] = {
    "body of unknown length": (
        [("headers", NO_LENGTH), ("body", b"hello "), ("body", b"world")],
        "chunked",
        "close",
    ),
    "body in the head's message": ([("headers", NO_LENGTH + PAYLOAD)], "chunked", "close"),
    "chunks without the last": (
        [("headers", NO_LENGTH), ("chunk", b"hello "), ("chunk", b"world")],
        "chunked",
        "close",
    ),
    "length": ([("headers", LENGTH), ("body", PAYLOAD)], "length", "length"),
}


def answered(node: ScriptedNode, client: RawClient, sent: Sent, version: str) -> tuple[bytes, Response]:
    """One GET answered by `sent`; its sid and response. HTTP/1.0 asks for keep-alive, to see who may."""
    keep_alive = [("Connection", "keep-alive")] if version == "1.0" else []
    client.send_head(version=version, headers=keep_alive)
    request = node.expect_request()
    for type, body in sent:
        node.send(request.sid, type, body)
    return request.sid, client.read_response()


@pytest.mark.parametrize("name", COMPLETE)
def test_complete_response_1_1(stage: Stage, name: str) -> None:
    """Complete by length or last chunk: the connection lives on, under the same sid."""
    stage.serve()
    node, client = stage.node(), stage.client()
    sent, framing, _ = COMPLETE[name]
    sid, response = answered(node, client, sent, "1.1")
    assert (response.status, response.framing, response.body) == (200, framing, PAYLOAD)
    again, response = answered(node, client, sent, "1.1")
    assert (again, response.framing, response.body) == (sid, framing, PAYLOAD)


@pytest.mark.parametrize("name", COMPLETE)
def test_complete_response_1_0(stage: Stage, name: str) -> None:
    """Where there is no length, an HTTP/1.0 client reads until the end of the connection."""
    stage.serve()
    node, client = stage.node(), stage.client()
    sent, _, framing = COMPLETE[name]
    sid, response = answered(node, client, sent, "1.0")
    assert (response.status, response.framing, response.body) == (200, framing, PAYLOAD)
    assert "Transfer-Encoding" not in response
    if framing == "length":
        assert response["Connection"].lower() == "keep-alive"
        again, response = answered(node, client, sent, "1.0")
        assert (again, response.body) == (sid, PAYLOAD)
    else:
        node.expect_end(sid)


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("name", ENDED)
def test_response_completed_by_end(stage: Stage, name: str, version: str) -> None:
    """`end` writes the last chunk where the server frames chunks, and always closes."""
    stage.serve()
    node, client = stage.node(), stage.client()
    sent, *framings = ENDED[name]
    sid, response = answered(node, client, [*sent, ("end", b"")], version)
    assert (response.framing, response.body) == (framings[version == "1.0"], PAYLOAD)
    client.expect_eof()
    node.expect_end(sid)
    stage.expect_nothing(node)


def test_chunks_go_as_they_come(stage: Stage) -> None:
    """Each `chunk` is one HTTP chunk, sent when it comes."""
    stage.serve()
    node, client = stage.node(), stage.client()
    client.get()
    request = node.expect_request()
    node.send(request.sid, "headers", NO_LENGTH)
    assert client.read_head()["Transfer-Encoding"] == "chunked"
    for piece in (b"one", b"two", b"x" * 100_000):
        node.send(request.sid, "chunk", piece)
        assert client.read_chunk() == piece
    node.send(request.sid, "chunk")
    assert client.read_chunk() == b""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_statuses_without_a_body(stage: Stage, method: str, status: str) -> None:
    """Their bodies are leftovers; the connection lives on."""
    stage.serve()
    node, client = stage.node(), stage.client()
    client.send_head(method=method)
    request = node.expect_request()
    node.send(request.sid, "headers", head(status) + b"no body here")
    node.send(request.sid, "body", b"nor here")
    node.send(request.sid, "chunk", b"or here")
    response = client.read_response()
    assert (response.status, response.framing) == (int(status[:3]), "none")
    assert "Transfer-Encoding" not in response
    stage.server.wait_counter("messages.dropped.leftover", 3)
    assert stage.exchange(node, client) == request.sid


@pytest.mark.parametrize("fields", [[("Content-Length", "11")], [("Transfer-Encoding", "chunked")], []])
def test_response_to_head(stage: Stage, fields: list[tuple[str, str]]) -> None:
    """The head says what GET would have got, and nothing follows, whatever the node sends."""
    stage.serve()
    node, client = stage.node(), stage.client()
    client.send_head(method="HEAD")
    request = node.expect_request()
    node.send(request.sid, "headers", head(headers=fields))
    node.send(request.sid, "body", PAYLOAD)
    node.send(request.sid, "chunk")
    response = client.read_response("HEAD")
    assert response.all("Content-Length") == [value for name, value in fields if name == "Content-Length"]
    stage.server.wait_counter("messages.dropped.leftover", 2)
    assert stage.exchange(node, client) == request.sid


@pytest.mark.parametrize(
    ("version", "own", "asked", "closes"),
    [
        ("1.1", [], [], False),
        ("1.1", [], [("Connection", "close")], True),
        ("1.1", [("Connection", "close")], [], True),
        ("1.0", [], [], True),
        ("1.0", [], [("Connection", "keep-alive")], False),
        ("1.0", [("Connection", "close")], [("Connection", "keep-alive")], True),
    ],
)
def test_keep_alive(
    stage: Stage, version: str, own: list[tuple[str, str]], asked: list[tuple[str, str]], closes: bool
) -> None:
    """The connection lives on when neither side asks for close, in HTTP/1.0 only on request; and the response
    says so."""
    stage.serve()
    node, client = stage.node(), stage.client()
    client.send_head(version=version, headers=asked)
    request = node.expect_request()
    node.respond(request.sid, b"ok", headers=own)
    response = client.read_response()
    assert response.body == b"ok"
    said = [value.lower() for value in response.all("Connection")]
    if closes:
        assert said == ["close"] or (version == "1.0" and said == [])
        client.expect_eof()
        node.expect_end(request.sid)
    else:
        assert said == (["keep-alive"] if version == "1.0" else [])
        assert stage.exchange(node, client) == request.sid
