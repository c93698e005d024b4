"""How a response is framed by its node, and when it is complete (`protocol.md` §4, §6): declared lengths, the
node's own chunked coding, chunks, raw responses.

Seen through a session, since that is where payload leaves. What is welcome when is in test_response_side,
that everything may be split anywhere in `tests/property`.
"""

from __future__ import annotations

import pytest

from blastbeat.errors import NodeError
from blastbeat.events import CloseReason, NodeChunk, NodeData, NodeEnd, NodeHead, SessionEvent
from blastbeat.response import MAX_RAW_HEAD, RawHead, ResponseBody, ResponseState
from blastbeat.response_side import TOO_MUCH
from tests.helpers.fakes import SessionStage
from tests.helpers.fakes import node_head as head

LEFTOVER = "messages.dropped.leftover"


def expect_response(stage: SessionStage, payload: bytes) -> None:
    """Complete, kept alive, with this payload."""
    assert (stage.client.payload, stage.client.is_complete) == (payload, True)
    assert stage.owner.told == [("complete", None)] and not stage.session.is_closed


def expect_cut(stage: SessionStage, payload: bytes) -> None:
    """This much went out, and the client can tell that it is not all."""
    assert (stage.client.payload, stage.client.is_complete) == (payload, False)
    assert stage.owner.told == [("cut", CloseReason.NODE_ERROR)] and stage.session.is_closed


KINDS = pytest.mark.parametrize("kind", [NodeData, NodeChunk])


@KINDS
@pytest.mark.parametrize("pieces", [[b"hello"], [b"he", b"llo"], [b"h", b"", b"ello"]], ids=len)
def test_declared_length_exact(kind: type[NodeData | NodeChunk], pieces: list[bytes]) -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.receive(head(content_length="5"))
    for piece in pieces:
        if piece or kind is NodeData:
            stage.session.receive(kind(piece))
    expect_response(stage, b"hello")
    assert stage.client.head is not None and stage.client.head.length == 5
    stage.session.receive(NodeChunk(b""))  # a node of `chunk` says it all the same
    expect_response(stage, b"hello")


@KINDS
@pytest.mark.parametrize("ending", [NodeEnd(), NodeChunk(b"")], ids=["end", "last-chunk"])
def test_declared_length_short(kind: type[NodeData | NodeChunk], ending: SessionEvent) -> None:
    """Never completed: it was promised more."""
    stage = SessionStage()
    stage.begin()
    stage.session.receive(head(content_length="5"))
    stage.session.receive(kind(b"hell"))
    stage.session.receive(ending)
    expect_cut(stage, b"hell")


@KINDS
@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("pieces", [[b"hello!"], [b"hell", b"o!"], [b"hello", b"!"]], ids=repr)
def test_declared_length_over(kind: type[NodeData | NodeChunk], is_read: bool, pieces: list[bytes]) -> None:
    """Exactly so many bytes leave, then the connection closes, and the reason is known."""
    stage = SessionStage()
    exchange = stage.begin(is_read=is_read)
    stage.session.receive(head(content_length="5"))
    for piece in pieces:
        stage.session.receive(kind(piece))
    assert stage.client.payload == b"hello" and stage.client.is_complete and stage.session.is_closed
    in_time = len(pieces[-1]) > 1  # before the exchange was reported
    if in_time:
        assert exchange.close_after
        assert (exchange.reason, exchange.detail) == (CloseReason.NODE_ERROR, TOO_MUCH)
    ended = [("ended", CloseReason.NODE_ERROR)] if not (in_time and is_read) else []
    assert stage.owner.told == [("complete", None), *ended]
    assert stage.router.take_sent() == [(b"end", b"node-error")]
    assert stage.counted() == {"responses.excess": 1}


def test_length_zero_with_a_body() -> None:
    stage = SessionStage()
    exchange = stage.begin()
    stage.session.receive(head(content_length="0", body=b"x"))
    assert stage.client.sent == [("head", 200), ("end", None)] and stage.session.is_closed
    assert exchange.reason is CloseReason.NODE_ERROR


@KINDS
def test_excess_that_comes_with_the_next_request_is_a_leftover(kind: type[NodeData | NodeChunk]) -> None:
    """An error until the next request is forwarded, then a leftover."""
    stage = SessionStage()
    stage.begin()
    stage.session.receive(head(content_length="5", body=b"hello"))
    stage.begin()
    stage.session.receive(kind(b"!"))
    assert stage.counted() == {LEFTOVER: 1} and not stage.session.is_closed
    stage.session.receive(head(content_length="2", body=b"ok"))
    assert stage.client.payload == b"ok"


CODED = b"5;ext=1\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: dropped\r\n\r\n"
DECODED = b"hello 0123456789"


@pytest.mark.parametrize("cut", range(1, len(CODED)))
def test_own_coding_that_is_not_finished(cut: int) -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.receive(head(transfer_encoding="chunked"))
    stage.session.receive(NodeData(CODED[:cut]))
    sent = stage.client.payload
    stage.session.receive(NodeEnd())
    expect_cut(stage, sent)
    assert DECODED.startswith(sent)


def test_own_coding_that_is_malformed() -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.receive(head(transfer_encoding="chunked", body=b"2\r\nok\r\n"))
    stage.session.receive(NodeData(b"zz\r\n"))
    expect_cut(stage, b"ok")
    assert "chunked coding" in stage.owner.details[0]


def test_what_follows_the_own_coding_is_a_leftover() -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.receive(head(transfer_encoding="chunked", body=b"2\r\nok\r\n0\r\n\r\nmore"))
    stage.session.receive(NodeData(b"and more"))
    expect_response(stage, b"ok")
    assert stage.counted() == {LEFTOVER: 2}


@pytest.mark.parametrize("ending", [NodeEnd(), NodeChunk(b"")], ids=["end", "last-chunk"])
def test_chunks_are_payload_whatever_the_coding(ending: SessionEvent) -> None:
    """The original's chunk nodes say `Transfer-Encoding: chunked`, and their `chunk` is payload."""
    stage = SessionStage()
    stage.begin()
    stage.session.receive(head(transfer_encoding="chunked"))
    stage.session.receive(NodeChunk(b"5\r\nno coding"))
    stage.session.receive(ending)
    assert stage.client.payload == b"5\r\nno coding" and stage.client.is_complete


@pytest.mark.parametrize(
    "fields",
    [
        [(b"Transfer-Encoding", b"gzip")],
        [(b"Transfer-Encoding", b"gzip, chunked")],
        [(b"Content-Length", b"5"), (b"Content-Length", b"6")],
        [(b"Content-Length", b"5, 6")],
        [(b"Content-Length", b"-1")],
    ],
    ids=repr,
)
def test_framing_nobody_can_follow(fields: list[tuple[bytes, bytes]]) -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.receive(NodeHead(200, b"", fields))
    assert not stage.client.sent and stage.owner.told == [("failed", CloseReason.NODE_ERROR)]


def test_the_same_length_twice_is_one_length() -> None:
    stage = SessionStage()
    stage.begin()
    fields = [(b"Content-Length", b"2"), (b"content-length", b"2, 2")]
    stage.session.receive(NodeHead(200, b"", fields, b"ok"))
    expect_response(stage, b"ok")


BODYLESS = pytest.mark.parametrize(
    ("method", "status"), [(b"HEAD", 200), (b"HEAD", 404), (b"GET", 204), (b"GET", 304), (b"POST", 204)]
)


@BODYLESS
@pytest.mark.parametrize(
    "fields", [{}, {"content_length": "4"}, {"transfer_encoding": "chunked"}], ids=["", "length", "coding"]
)
def test_responses_without_body(method: bytes, status: int, fields: dict[str, str]) -> None:
    """Complete with the head; what comes all the same is a leftover, and `end` still closes."""
    stage = SessionStage()
    stage.begin(method)
    stage.session.receive(head(status, body=b"body", **fields))
    for event in (NodeData(b"body"), NodeChunk(b"body"), NodeChunk(b""), NodeData(b"more than the length")):
        stage.session.receive(event)
    expect_response(stage, b"")
    assert stage.client.head is not None and stage.client.head.bodyless
    assert stage.client.head.length == (4 if "content_length" in fields else None)
    assert stage.counted() == {LEFTOVER: 5}
    stage.session.receive(NodeEnd())
    assert stage.owner.told[1:] == [("ended", CloseReason.NODE_END)]


# ---------------------------------------------------------------- raw responses

RAW = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def begin_second(stage: SessionStage, *, raw: bool) -> None:
    """A first exchange that is complete, and a second one."""
    stage.begin()
    stage.session.receive(NodeData(RAW + b"first") if raw else head(content_length="5", body=b"first"))
    stage.begin()
    stage.owner.take_told()


def feed(stage: SessionStage, data: bytes, cut: int) -> None:
    stage.session.receive(NodeData(data[:cut]))
    stage.session.receive(NodeData(data[cut:]))


@pytest.mark.parametrize("is_second", [False, True])
def test_raw_interim_head_before_headers(is_second: bool) -> None:
    """An interim head is not the response: that may still begin with either type."""
    stage = SessionStage()
    begin_second(stage, raw=True) if is_second else stage.begin()
    stage.session.receive(NodeData(b"HTTP/1.1 103 Early Hints\r\n\r\n"))
    stage.session.receive(head(content_length="2", body=b"ok"))
    expect_response(stage, b"ok")


@pytest.mark.parametrize("rest", [b"", b"junk"], ids=["next message", "same message"])
def test_raw_interim_head_before_something_else(rest: bytes) -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.receive(NodeData(b"HTTP/1.1 103 Early Hints\r\n\r\n" + rest))
    stage.session.receive(NodeData(b"junk"))
    assert stage.owner.told == [("failed", CloseReason.NODE_ERROR)]


def test_raw_response_until_end() -> None:
    stage = SessionStage()
    stage.begin()
    feed(stage, b"HTTP/1.0 200\n\nhello", 3)
    stage.session.receive(NodeEnd())
    assert (stage.client.payload, stage.client.is_complete) == (b"hello", True)


def test_raw_length_is_kept() -> None:
    stage = SessionStage()
    exchange = stage.begin()
    stage.session.receive(NodeData(RAW + b"hello!"))
    assert stage.client.payload == b"hello" and exchange.reason is CloseReason.NODE_ERROR


def test_raw_coding_is_taken_off() -> None:
    stage = SessionStage()
    stage.begin()
    feed(stage, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CODED, 60)
    expect_response(stage, DECODED)


@pytest.mark.parametrize(
    "data",
    [
        b"payload",
        b"http/1.1 200 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x00",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * MAX_RAW_HEAD,
    ],
    ids=lambda data: repr(data[:40]),
)
def test_first_body_that_is_no_response(data: bytes) -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.receive(NodeData(data))
    assert not stage.client.sent and stage.owner.told == [("failed", CloseReason.NODE_ERROR)]


def test_raw_for_a_second_exchange_after_headers_is_a_leftover() -> None:
    stage = SessionStage()
    begin_second(stage, raw=False)
    stage.session.receive(NodeData(RAW + b"wrong"))
    assert not stage.owner.told and stage.counted() == {LEFTOVER: 1}


def test_only_the_response_just_before_counts() -> None:
    """Raw, then `headers`: a third one can't be raw."""
    stage = SessionStage()
    begin_second(stage, raw=True)
    stage.session.receive(head(content_length="0"))
    stage.begin()
    assert stage.session.response.state is ResponseState.AWAITING_NEXT


def test_leftovers_where_raw_may_come() -> None:
    stage = SessionStage()
    begin_second(stage, raw=True)
    stage.session.receive(NodeData(b"late payload"))
    assert stage.counted() == {LEFTOVER: 1}
    stage.session.receive(NodeData(RAW + b"hello"))
    expect_response(stage, b"hello")


def test_raw_response_to_head() -> None:
    stage = SessionStage()
    stage.begin(b"HEAD")
    stage.session.receive(NodeData(RAW + b"hello"))
    expect_response(stage, b"")
    assert stage.counted() == {LEFTOVER: 1}


# ---------------------------------------------------------------- the parts by themselves


def test_head_collected_byte_by_byte() -> None:
    raw, found = RawHead(), None
    for byte in RAW:
        assert found is None
        found = raw.feed(bytes([byte]))
    assert found is not None and (found.status, found.headers) == (200, [(b"Content-Length", b"5")])


def test_head_that_never_ends_is_bounded() -> None:
    raw = RawHead()
    raw.feed(b"HTTP/1.1 200 OK\r\nX: ")
    with pytest.raises(NodeError, match="65536 bytes"):
        for _ in range(MAX_RAW_HEAD // 1024 + 1):
            raw.feed(b"x" * 1024)


@pytest.mark.parametrize("data", [b"H", b"HTTP/1", b"HTTP/1.", b"HTTP/1.1 200", memoryview(b"HTTP/1.0 ")])
def test_what_may_become_a_raw_response(data: bytes) -> None:
    assert RawHead.can_begin_with(data)


@pytest.mark.parametrize("data", [b"", b"h", b"HTTP/2", b" HTTP/1.1", b"HX", memoryview(b"")])
def test_what_will_not(data: bytes) -> None:
    assert not RawHead.can_begin_with(data)


def test_large_payload_is_not_copied() -> None:
    data = memoryview(b"x" * 100_000)
    body = ResponseBody(100_000, chunked=False)
    pieces, too_much = body.take_body(data)
    assert pieces[0] is data and not too_much and body.is_complete
