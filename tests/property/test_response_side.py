"""Whatever a node sends, and however it is split: the client gets a true response, or notices that not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from blastbeat.events import (
    CloseReason,
    NodeAbort,
    NodeChunk,
    NodeCredit,
    NodeData,
    NodeEnd,
    NodeHead,
    NodeRetry,
)
from tests.helpers.fakes import SID, SessionStage, node_head

# ---------------------------------------------------------------- split anywhere

PAYLOAD = b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello"  # looks like framing, and is none
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAYLOAD) + PAYLOAD
CODED = b"5;a=b\r\n%b\r\n%x\r\n%b\r\n0\r\nT: x\r\n\r\n" % (PAYLOAD[:5], len(PAYLOAD) - 5, PAYLOAD[5:])
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
WHOLE = {
    "length": LENGTH,
    "coding": b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n" + CODED,
    "interim": EARLY + EARLY + LENGTH,
}


@st.composite
def splits(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """`data` in pieces, some of them perhaps empty."""
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=12))
    return [data[start:end] for start, end in pairwise([0, *sorted(cuts), len(data)])]


def expect_payload(stage: SessionStage) -> None:
    assert (stage.client.payload, stage.client.is_complete) == (PAYLOAD, True)
    assert stage.owner.take_told() == [("complete", None)] and not stage.counted()


@pytest.mark.parametrize("shape", WHOLE)
@given(data=st.data())
def test_raw_responses(shape: str, data: st.DataObject) -> None:
    """One after the other in the same session, each in pieces of its own."""
    stage = SessionStage()
    for _ in range(2):
        stage.begin()
        for piece in data.draw(splits(WHOLE[shape])):
            stage.session.receive(NodeData(piece))
        expect_payload(stage)
    heads = [status for what, status in stage.client.sent if what == "head"]
    assert heads == ([103, 103, 200] if shape == "interim" else [200]) * 2


@given(pieces=splits(CODED))
def test_own_coding(pieces: list[bytes]) -> None:
    """The first piece in the message of the head, the others in `body`."""
    stage = SessionStage()
    stage.begin()
    stage.session.receive(node_head(transfer_encoding="chunked", body=pieces[0]))
    for piece in pieces[1:]:
        stage.session.receive(NodeData(piece))
    expect_payload(stage)


@given(pieces=splits(PAYLOAD), has_length=st.booleans(), as_chunks=st.lists(st.booleans(), min_size=13))
def test_payload_in_any_mixture_of_types(
    pieces: list[bytes], has_length: bool, as_chunks: list[bool]
) -> None:
    stage = SessionStage()
    stage.begin()
    headers = [(b"Content-Length", b"%d" % len(PAYLOAD))] if has_length else []
    stage.session.receive(NodeHead(200, b"", headers, pieces[0]))
    for piece, as_chunk in zip(pieces[1:], as_chunks, strict=False):
        stage.session.receive(NodeChunk(piece) if as_chunk and piece else NodeData(piece))
    stage.session.receive(NodeChunk(b""))
    expect_payload(stage)


# ---------------------------------------------------------------- any course of events

DECIDED = ("complete", "failed", "cut", "stale", "retry")

small = st.sampled_from([b"x", b"hel", b"hello", b"HTTP", b""])
large = st.sampled_from(
    [
        LENGTH,
        EARLY,
        EARLY + LENGTH,
        LENGTH[:20],
        LENGTH[20:],
        b"HTTP/1.1 200 OK\r\n\r\nopen",
        b"HTTP/1.1 bad\n\n",
    ]
)
coded = st.sampled_from([CODED, CODED[:9], CODED[9:], CODED + b"x", CODED[:-4]])
bodies = small | large | coded
headers = st.sampled_from(
    [
        [],
        [(b"Content-Length", b"0")],
        [(b"Content-Length", b"5")],
        [(b"content-length", b"6, 6"), (b"Connection", b"close")],
        [(b"Transfer-Encoding", b"chunked")],
        [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"5")],
        [(b"Transfer-Encoding", b"gzip")],
        [(b"Content-Length", b"5"), (b"Content-Length", b"6")],
    ]
)
statuses = st.sampled_from([200] * 6 + [404, 204, 304, 100, 101, 103])


def is_whole_coding(data: bytes) -> bool:
    """Whether `data` begins with a chunked coding that ends, trailers included (RFC 9112 §7.1)."""
    at, size = 0, -1
    while size:
        line, found, _ = data[at:].partition(b"\r\n")
        if not found:
            return False
        size = int(line.partition(b";")[0], 16)
        at += len(line) + 2 + (size + 2 if size else 0)
    return data[at:].startswith(b"\r\n") or b"\r\n\r\n" in data[at:]


class ResponseSideMachine(RuleBasedStateMachine):
    """A node that says anything at any time, to one session after the other; the fakes are strict about what
    may follow what."""

    def __init__(self) -> None:
        super().__init__()
        self.new_session()

    def new_session(self) -> None:
        self.stage = SessionStage(credit=100)
        self.exchanges = 0
        self.coded = b""  # what this response brought of the node's own coding

    # ------------------------------------------------------------ the client

    def is_open(self) -> bool:
        """What a node says before is nothing that can happen, and after it is `late`."""
        return self.exchanges > 0 and not self.stage.session.is_closed

    def may_ask(self) -> bool:
        exchange = self.stage.owner.exchange
        through = exchange is None or (exchange.response_done and exchange.request_read)
        return self.stage.session.is_closed or through

    @precondition(may_ask)
    @rule(
        method=st.sampled_from([b"GET", b"GET", b"POST", b"HEAD"]),
        version=st.sampled_from([b"1.1", b"1.1", b"1.0"]),
        is_read=st.booleans(),
        keep_alive=st.booleans(),
    )
    def request(self, method: bytes, version: bytes, is_read: bool, keep_alive: bool) -> None:
        """As a stream does it: when the one before is through, in a new session where it must."""
        if self.stage.session.is_closed:
            self.new_session()
        self.stage.owner.take_told()
        self.stage.client.take_sent()
        self.coded = b""
        self.stage.begin(method, version=version, is_read=is_read, keep_alive=keep_alive)
        self.exchanges += 1

    @precondition(lambda self: self.stage.owner.exchange is not None)
    @rule()
    def request_is_read(self) -> None:
        exchange = self.stage.owner.exchange
        assert exchange is not None
        exchange.request_read = True
        if exchange.response_done and exchange.close_after:
            self.stage.session.close(exchange.reason)

    @precondition(is_open)
    @rule(reason=st.sampled_from([CloseReason.CLIENT_LEFT, CloseReason.SLOW_CLIENT]))
    def client_leaves(self, reason: CloseReason) -> None:
        """Now, or while it is being sent something."""
        stage = self.stage
        if reason is CloseReason.CLIENT_LEFT:
            stage.session.close(reason)
        else:
            stage.client.on_data = lambda: stage.session.close(reason)

    # ------------------------------------------------------------ the node

    @precondition(is_open)
    @rule(status=statuses, headers=headers, body=st.just(b"") | bodies)
    def head(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        awaited = self.stage.session.response.state.awaits_head
        self.stage.session.receive(NodeHead(status, b"", headers, body))
        if awaited and self.stage.client.head is not None:
            self.note_coded(body)

    @precondition(is_open)
    @rule(status=st.sampled_from([200, 404]), headers=headers)
    def good_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.stage.session.receive(NodeHead(status, b"", headers))

    @precondition(is_open)
    @rule(body=bodies, wrap=st.sampled_from([bytes, bytearray, memoryview]))
    def body(self, body: bytes, wrap: Callable[[bytes], bytes]) -> None:
        if not self.stage.client.is_complete:  # else it is a leftover: an empty `chunk` was the end
            self.note_coded(body)
        self.stage.session.receive(NodeData(wrap(body)))

    @precondition(is_open)
    @rule(body=coded)
    def own_coding(self, body: bytes) -> None:
        if not self.stage.client.is_complete:  # else it is a leftover: an empty `chunk` was the end
            self.note_coded(body)
        self.stage.session.receive(NodeData(body))

    def note_coded(self, body: bytes) -> None:
        head = self.stage.client.head
        if head is not None and (b"Transfer-Encoding", b"chunked") in head.headers:
            self.coded += body

    @precondition(is_open)
    @rule(body=small)
    def chunk(self, body: bytes) -> None:
        self.stage.session.receive(NodeChunk(body))

    @precondition(is_open)
    @rule()
    def end(self) -> None:
        self.stage.session.receive(NodeEnd())
        assert self.stage.session.is_closed, "`end` always closes"

    @precondition(is_open)
    @rule(event=st.sampled_from([NodeAbort(b"\xff"), NodeRetry(), NodeCredit(7), NodeCredit(1), None]))
    def other(self, event: NodeAbort | NodeRetry | NodeCredit | None) -> None:
        if event is None:
            self.stage.session.response.malformed("nonsense")
        else:
            self.stage.session.receive(event)

    @precondition(lambda self: self.stage.session.is_closed)
    @rule(
        event=st.sampled_from(
            [NodeHead(200, b"", []), NodeData(b"x"), NodeChunk(b"x"), NodeEnd(), NodeRetry()]
        )
    )
    def late(self, event: NodeHead | NodeData | NodeChunk | NodeEnd | NodeRetry) -> None:
        self.stage.client.take_sent()
        self.stage.session.receive(event)
        assert not self.stage.client.sent

    # ------------------------------------------------------------ what always holds

    @invariant()
    def decided_once(self) -> None:
        """Each exchange is decided at most once; what comes behind that can only end the session, once."""
        told = [what for what, _ in self.stage.owner.told]
        assert sum(what in DECIDED for what in told) <= 1, told
        assert told.count("ended") <= 1, told
        if "ended" in told:
            assert told[-1] == "ended" and self.stage.session.is_closed

    @invariant()
    def complete_exactly_where_the_client_can_tell(self) -> None:
        """Never a completed cut, never a completed response that nobody was told of."""
        exchange, client = self.stage.owner.exchange, self.stage.client
        told = [what for what, _ in self.stage.owner.told]
        if exchange is None:
            assert not client.sent and not set(told) & set(DECIDED)
            return
        assert client.is_complete == exchange.response_done == ("complete" in told)
        assert len(client.payload) == exchange.bytes_out
        assert (client.head is None) == (exchange.status == 0)
        if {"failed", "stale", "retry"} & set(told):
            assert client.head is None, "the client got a head, and now the server's own answer"
        if "cut" in told:
            assert client.head is not None and not client.is_complete

    @invariant()
    def an_own_coding_was_finished_or_never_begun(self) -> None:
        head = self.stage.client.head
        if self.stage.client.is_complete and head is not None and not head.bodyless:
            assert is_whole_coding(self.coded) or not self.coded.strip()

    @invariant()
    def nothing_the_client_did_not_ask_for(self) -> None:
        exchange, sent = self.stage.owner.exchange, self.stage.client.sent
        if exchange is not None and exchange.head.method == b"HEAD":
            assert not self.stage.client.payload
        if exchange is not None and exchange.head.version == b"1.0":
            assert all(status >= 200 for what, status in sent if what == "head")

    @invariant()
    def the_node_hears_one_end(self) -> None:
        """And nothing after it (the router sees to that); none where it was sent no head."""
        ends = [sid for sid, type, _ in self.stage.router.sent if type == b"end"]
        assert ends == ([SID] if self.stage.session.is_closed and self.exchanges else [])

    @invariant()
    def the_state_says_what_is_due(self) -> None:
        response, exchange = self.stage.session.response, self.stage.owner.exchange
        if not self.stage.session.is_closed and exchange is not None:
            assert response.state.is_complete == exchange.response_done
            assert response.state.awaits_head == (not exchange.status)


ResponseSideMachine.TestCase.settings = settings(max_examples=400, stateful_step_count=30, deadline=None)
TestResponseSide = ResponseSideMachine.TestCase
