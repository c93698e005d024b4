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

bodies = st.sampled_from(
    [
        b"",
        b"x",
        b"hello",
        b"HTTP",
        LENGTH,
        EARLY,
        EARLY + LENGTH,
        LENGTH[:20],
        LENGTH[20:],
        CODED,
        CODED[:9],
        CODED[9:],
        b"HTTP/1.1 200 OK\r\n\r\nopen",
        b"HTTP/1.1 bad\r\n\r\n",
    ]
)
headers = st.lists(
    st.sampled_from(
        [
            (b"Content-Length", b"0"),
            (b"Content-Length", b"5"),
            (b"content-length", b"5"),
            (b"Content-Length", b"5, 5"),
            (b"Content-Length", b"%d" % len(PAYLOAD)),
            (b"Content-Length", b"no"),
            (b"Transfer-Encoding", b"chunked"),
            (b"Transfer-Encoding", b"gzip"),
            (b"Connection", b"close"),
        ]
    ),
    max_size=2,
)
statuses = st.sampled_from([200, 200, 200, 404, 204, 304, 100, 101, 103])


class ResponseSideMachine(RuleBasedStateMachine):
    """A node that says anything at any time, to one session after the other; the fakes are strict about what
    may follow what."""

    def __init__(self) -> None:
        super().__init__()
        self.new_session()

    # ------------------------------------------------------------ what may happen

    def new_session(self) -> None:
        self.stage = SessionStage(credit=100)
        self.exchanges = 0

    @rule(
        method=st.sampled_from([b"GET", b"GET", b"HEAD", b"POST"]),
        version=st.sampled_from([b"1.1", b"1.1", b"1.0"]),
        is_read=st.booleans(),
        keep_alive=st.booleans(),
    )
    def next_request(self, method: bytes, version: bytes, is_read: bool, keep_alive: bool) -> None:
        """As a stream does it: only when the one before is through, with a new session where it must."""
        exchange = self.stage.owner.exchange
        if self.stage.session.is_closed:
            self.new_session()
        elif exchange is not None and not (exchange.response_done and exchange.request_read):
            return
        self.stage.owner.take_told()
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

    @rule(reason=st.sampled_from([CloseReason.CLIENT_LEFT, CloseReason.NODE_GONE]))
    def session_ends(self, reason: CloseReason) -> None:
        self.stage.session.close(reason)

    @rule(status=statuses, headers=headers, body=bodies)
    def head(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.stage.session.receive(NodeHead(status, b"", headers, body))

    @rule(body=bodies, wrap=st.sampled_from([bytes, bytearray, memoryview]))
    def body(self, body: bytes, wrap: Callable[[bytes], bytes]) -> None:
        self.stage.session.receive(NodeData(wrap(body)))

    @rule(body=bodies)
    def chunk(self, body: bytes) -> None:
        self.stage.session.receive(NodeChunk(body))

    @rule(event=st.sampled_from([NodeEnd(), NodeAbort(b"\xff"), NodeRetry(), NodeCredit(7)]))
    def other(self, event: NodeEnd | NodeAbort | NodeRetry | NodeCredit) -> None:
        self.stage.session.receive(event)

    @rule()
    def malformed(self) -> None:
        self.stage.session.response.malformed("nonsense")

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
    def the_node_hears_one_end(self) -> None:
        """And nothing after it (the router sees to that); none where it was sent no head."""
        ends = [sid for sid, type, _ in self.stage.router.sent if type == b"end"]
        assert ends == ([SID] if self.stage.session.is_closed and self.exchanges else [])

    @invariant()
    def the_state_says_what_is_due(self) -> None:
        response, exchange = self.stage.session.response, self.stage.owner.exchange
        if not self.stage.session.is_closed and exchange is not None:
            assert response.is_complete == exchange.response_done
            assert response.awaits_head == (not exchange.status)


ResponseSideMachine.TestCase.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
TestResponseSide = ResponseSideMachine.TestCase
