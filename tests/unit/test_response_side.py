"""The response side, pair by pair: each state against each kind of message, as `protocol.md` §2, §4, §6 say.

How payload is framed is in test_response; random courses of events are in `tests/property`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from blastbeat.events import (
    CloseReason,
    NodeAbort,
    NodeChunk,
    NodeCredit,
    NodeData,
    NodeEnd,
    NodeRetry,
    SessionEvent,
)
from blastbeat.response import ResponseState
from blastbeat.response_side import TABLE
from tests.helpers.fakes import SessionStage
from tests.helpers.fakes import node_head as head

LEFTOVER = "messages.dropped.leftover"
LATE_RETRY = "messages.dropped.late-retry"


# ---------------------------------------------------------------- the table of all pairs

EVENTS: dict[str, Callable[[], SessionEvent]] = {
    "final": lambda: head(200),
    "103": lambda: head(103),
    "100": lambda: head(100),
    "101": lambda: head(101),
    "body": lambda: NodeData(b"data"),
    "no-body": lambda: NodeData(b""),
    "chunk": lambda: NodeChunk(b"data"),
    "last": lambda: NodeChunk(b""),
    "end": lambda: NodeEnd(),
    "abort": lambda: NodeAbort(b"broken"),
    "retry": lambda: NodeRetry(),
    "credit": lambda: NodeCredit(5),
}

# Each word is one of OUTCOMES. A raw head that has begun is the beginning of this response (§2), so that what
# else comes then breaks it; FRESH and CLOSED are what no node can meet, they hold on to nothing all the same.
EXPECTED = """
state           final  103       100   101    body   no-body chunk  last      end        abort  retry  credit
FRESH           left   left      left  left   left   -       left   left      left       left   left   -
AWAITING_FIRST  begins interim   -     502    502    -       502    502       502        502    again  -
AWAITING_NEXT   begins interim   -     502    left   -       left   left      stale      502    again  -
AWAITING_RAW    begins interim   -     502    left   -       left   left      stale      502    again  -
RAW_HEAD        502    left      left  502    -      -       502    502       502        502    again  -
STREAMING       cut    left      left  cut    passed -       passed completes ends       cut    late   -
OVER_EXACT      error  left      left  error  excess -       excess -         closes     error  late   -
OVER            error  left      left  error  left   -       left   left      closes     error  late   -
CLOSED          left   left      left  left   left   -       left   left      left       left   left   -
"""


@dataclass(frozen=True)
class Outcome:
    """What the client is sent, what the owner is told (an `abort` gives its own reason), what is counted,
    and the state afterwards (None: as it was)."""

    sent: tuple[tuple[str, Any], ...] = ()
    told: tuple[str, CloseReason | None] | None = None
    counted: str = ""
    state: ResponseState | None = None


OUTCOMES: dict[str, Outcome] = {
    "-": Outcome(),
    "left": Outcome(counted=LEFTOVER),
    "late": Outcome(counted=LATE_RETRY),
    "begins": Outcome(sent=(("head", 200),), state=ResponseState.STREAMING),
    "interim": Outcome(sent=(("head", 103),)),
    "passed": Outcome(sent=(("data", b"data"),)),
    "completes": Outcome(sent=(("end", None),), told=("complete", None), state=ResponseState.OVER),
    "ends": Outcome(sent=(("end", None),), told=("complete", None), state=ResponseState.CLOSED),
    "502": Outcome(told=("failed", CloseReason.NODE_ERROR), state=ResponseState.CLOSED),
    "cut": Outcome(told=("cut", CloseReason.NODE_ERROR), state=ResponseState.CLOSED),
    "error": Outcome(told=("ended", CloseReason.NODE_ERROR), state=ResponseState.CLOSED),
    "excess": Outcome(
        told=("ended", CloseReason.NODE_ERROR), counted="responses.excess", state=ResponseState.CLOSED
    ),
    "closes": Outcome(told=("ended", CloseReason.NODE_END), state=ResponseState.CLOSED),
    "stale": Outcome(told=("stale", CloseReason.NODE_END), state=ResponseState.CLOSED),
    "again": Outcome(told=("retry", CloseReason.NODE_RETRY), state=ResponseState.CLOSED),
}


def read_table(text: str) -> dict[tuple[str, str], str]:
    header, *rows = (line.split() for line in text.strip().splitlines())
    return {(row[0], kind): word for row in rows for kind, word in zip(header[1:], row[1:], strict=True)}


PAIRS = read_table(EXPECTED)


def enter(stage: SessionStage, state: ResponseState) -> None:
    """Get there the way a session does."""
    receive = stage.session.receive
    if state is ResponseState.FRESH:
        return
    stage.begin()
    if state is ResponseState.AWAITING_NEXT:
        receive(head(content_length="0"))
        stage.begin()
    elif state is ResponseState.AWAITING_RAW:
        receive(NodeData(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
        stage.begin()
    elif state is ResponseState.RAW_HEAD:
        receive(NodeData(b"HTTP/1.1 2"))
    elif state is ResponseState.STREAMING:
        receive(head())
    elif state is ResponseState.OVER_EXACT:
        receive(head(content_length="4", body=b"part"))
    elif state is ResponseState.OVER:
        receive(head(body=b"part"))
        receive(NodeChunk(b""))
    elif state is ResponseState.CLOSED:
        stage.session.close(CloseReason.CLIENT_LEFT)


@pytest.mark.parametrize("state", ResponseState, ids=lambda state: str(state.name))
@pytest.mark.parametrize("kind", EVENTS)
def test_every_pair(state: ResponseState, kind: str) -> None:
    stage = SessionStage()
    enter(stage, state)
    assert stage.session.response.state is state
    stage.client.take_sent()
    stage.owner.take_told()
    before = stage.counters.snapshot()
    was_closed = stage.session.is_closed

    stage.session.receive(EVENTS[kind]())

    outcome = OUTCOMES[PAIRS[state.name, kind]]
    assert stage.client.take_sent() == list(outcome.sent)
    told = outcome.told
    if told is not None and kind == "abort":
        told = told[0], CloseReason.NODE_ABORT
    assert stage.owner.take_told() == ([told] if told is not None else [])
    after = stage.counters.snapshot()
    assert {name for name in after if after[name] != before[name]} == ({outcome.counted} - {""})
    assert stage.session.response.state is (outcome.state or state)
    ends_now = stage.session.is_closed and not was_closed
    assert (b"end" in [type for _, type, _ in stage.router.sent[was_closed:]]) is ends_now


def test_the_table_holds_every_pair() -> None:
    assert set(PAIRS) == {(state.name, kind) for state in ResponseState for kind in EVENTS}
    assert set(PAIRS.values()) == set(OUTCOMES)
    assert set(TABLE) == set(ResponseState)


# ---------------------------------------------------------------- what the pairs do not say


def test_interim_heads_are_not_for_http_1_0() -> None:
    stage = SessionStage()
    stage.begin(version=b"1.0")
    stage.session.receive(head(103))
    stage.session.receive(head(200))
    assert stage.client.sent == [("head", 200)]


def test_what_follows_an_interim_head_is_a_leftover() -> None:
    """1xx carry no body."""
    stage = SessionStage()
    stage.begin()
    stage.session.receive(head(103, body=b"body"))
    assert stage.client.sent == [("head", 103)] and stage.counted() == {LEFTOVER: 1}


def test_an_interim_head_decides_nothing() -> None:
    """Neither its length nor its coding are the response's."""
    stage = SessionStage()
    stage.begin()
    stage.session.receive(head(103, content_length="0", transfer_encoding="gzip"))
    stage.session.receive(head(200, content_length="2", body=b"ok"))
    assert stage.client.sent == [("head", 103), ("head", 200), ("data", b"ok"), ("end", None)]


@pytest.mark.parametrize("status", [-1, 0, 99, 1000])
def test_a_status_that_is_none_fails_the_response(status: int) -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.receive(head(status))
    assert [what for what, _ in stage.owner.told] == ["failed"]
    assert stage.client.head is None


@pytest.mark.parametrize("is_read", [True, False])
def test_end_closes_also_where_the_request_goes_on(is_read: bool) -> None:
    stage = SessionStage()
    exchange = stage.begin(is_read=is_read)
    stage.session.receive(head())
    stage.session.receive(NodeEnd())
    assert exchange.close_after and exchange.response_done and stage.session.is_closed
    expected = [("complete", None)] if is_read else [("complete", None), ("ended", CloseReason.NODE_END)]
    assert stage.owner.told == expected


def test_the_first_exchange_awaits_a_head_and_so_does_each_next() -> None:
    stage = SessionStage()
    assert stage.session.response.state.is_complete
    for _ in range(3):
        stage.begin()
        assert stage.session.response.state.awaits_head and not stage.session.response.state.is_complete
        stage.session.receive(head(200))
        assert not stage.session.response.state.awaits_head and not stage.session.response.state.is_complete
        stage.session.receive(NodeChunk(b""))
        assert stage.session.response.state.is_complete


def test_the_head_is_the_owners_to_change() -> None:
    stage = SessionStage()
    exchange = stage.begin()

    def say_teapot(head: Any) -> Any:
        head.status = 418
        return head

    stage.owner.change_head = say_teapot
    stage.session.receive(head(200))
    assert stage.client.sent == [("head", 418)] and exchange.status == 200


def test_figures_of_the_exchange() -> None:
    stage = SessionStage()
    exchange = stage.begin()
    exchange.keep(b"request body", 100)
    stage.session.receive(head(201, body=b"12"))
    stage.session.receive(NodeChunk(b"345"))
    assert exchange.kept is None, "a request that is being answered is not sent again"
    assert (exchange.status, exchange.bytes_out, exchange.response_done) == (201, 5, False)
    assert stage.owner.passed == 5
    stage.session.receive(NodeChunk(b""))
    assert exchange.response_done and not exchange.close_after


def test_nothing_goes_to_a_client_that_was_given_up_meanwhile() -> None:
    """A client over its bounds is given up in the middle of a message."""
    stage = SessionStage()
    stage.begin()
    stage.session.receive(head(transfer_encoding="chunked"))
    stage.client.on_data = lambda: stage.session.close(CloseReason.SLOW_CLIENT)
    stage.session.receive(NodeData(b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"))
    assert stage.client.sent == [("head", 200), ("data", b"a")] and not stage.owner.told


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (ResponseState.AWAITING_FIRST, "failed"),
        (ResponseState.AWAITING_NEXT, "failed"),
        (ResponseState.AWAITING_RAW, "failed"),
        (ResponseState.RAW_HEAD, "failed"),
        (ResponseState.STREAMING, "cut"),
        (ResponseState.OVER, "ended"),
        (ResponseState.OVER_EXACT, "ended"),
        (ResponseState.CLOSED, ""),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_a_message_its_encoder_refused(state: ResponseState, told: str) -> None:
    stage = SessionStage()
    enter(stage, state)
    stage.owner.take_told()
    stage.session.response.malformed("no colon in line 2")
    assert stage.owner.told == ([(told, CloseReason.NODE_ERROR)] if told else [])
    assert stage.owner.details == (["no colon in line 2"] if told else [])


def test_reasons_of_abort_are_bounded_and_printable() -> None:
    stage = SessionStage()
    stage.begin()
    stage.session.receive(NodeAbort(b"\xffx" * 500))
    assert stage.owner.details[0].startswith("\ufffdx") and len(stage.owner.details[0]) == 200


def test_states_that_await_a_head_or_are_complete() -> None:
    awaiting = {state.name for state in ResponseState if state.awaits_head}
    assert awaiting == {"AWAITING_FIRST", "AWAITING_NEXT", "AWAITING_RAW", "RAW_HEAD"}
    assert {state.name for state in ResponseState if state.is_complete} == {"FRESH", "OVER", "OVER_EXACT"}
