"""The response side of a session: what may come from its node when, and what that does to the client.

Two rules. A response is always in one `ResponseState`. And TABLE at the end of this file is the
whole truth about which message is welcome in which state (what is missing there is a leftover: dropped and
counted); a test goes over every pair. Knows neither sockets nor bytes on the wire, nor sids or instances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from blastbeat.counters import Counters
from blastbeat.errors import NodeError
from blastbeat.events import (
    Buffer,
    CloseReason,
    NodeAbort,
    NodeChunk,
    NodeData,
    NodeEnd,
    NodeHead,
    NodeMessage,
    NodeRetry,
    PlainHeaders,
    ResponseHead,
    SessionEvent,
)
from blastbeat.exchange import Exchange
from blastbeat.flow import Grant
from blastbeat.headers import response_framing
from blastbeat.interfaces import ClientSide
from blastbeat.response import BODYLESS_STATUSES, RawHead, ResponseBody, ResponseOwner
from blastbeat.response import ResponseState as State

Handler: TypeAlias = Callable[["ResponseSide", Any], None]

# By name in a module a member costs a twentieth of ``State.OVER``, which goes through the metaclass's hook.
_FRESH, _STREAMING, _OVER_EXACT = State.FRESH, State.STREAMING, State.OVER_EXACT
_AWAITED_NEXT = (State.AWAITING_NEXT, State.AWAITING_RAW)  # by whether the response before came raw

STATUSES = range(100, 1000)  # three digits (RFC 9110 §15), whatever a third party's decoder reads
TOO_MUCH = "more body than the declared length"


class ResponseSide:
    """The state of the response of one session's current exchange."""

    __slots__ = (
        "_awaited",
        "_began_raw",
        "_client",
        "_counted",
        "_counters",
        "_grant",
        "_owner",
        "_raw",
        "body",
        "exchange",
        "handlers",
        "state",
    )

    def __init__(self, client: ClientSide, owner: ResponseOwner, grant: Grant, counters: Counters) -> None:
        self.body: ResponseBody | None = None
        self._counted = ResponseBody(None, False)  # the body of each plain response in turn
        self._client, self._owner = client, owner
        self._grant, self._counters = grant, counters
        self.exchange: Exchange | None = None
        self._raw: RawHead | None = None
        self._began_raw = False
        self._awaited = State.AWAITING_FIRST
        self._enter(State.FRESH)

    def _enter(self, state: State) -> None:
        self.state = state
        self.handlers: dict[type, Callable[[Any, Any], None]] = state.handlers

    def begin(self, exchange: Exchange) -> None:
        """A request is about to be forwarded, and its response is awaited from here on."""
        self.exchange = exchange
        if self.state is not _FRESH:
            self._awaited = _AWAITED_NEXT[self._began_raw]
        self.state, self.handlers = self._awaited, self._awaited.handlers

    def close(self) -> None:
        """Nothing is welcome any more."""
        self._enter(State.CLOSED)

    def receive(self, event: SessionEvent) -> None:
        """One message of the node, decoded."""
        handler = self.handlers.get(event.__class__)
        if handler is None:
            self._dropped(event)
        else:
            handler(self, event)

    def malformed(self, detail: str) -> None:
        """An encoder refused the body of a message."""
        self._fail(CloseReason.NODE_ERROR, detail)

    def _fail(self, reason: CloseReason, detail: str) -> None:
        if self.state.awaits_head:
            self._owner.response_failed(reason, detail)
        elif self.state is State.STREAMING:
            self._owner.response_cut(reason, detail)
        elif self.state is not State.CLOSED:
            self._owner.node_ended(reason, detail)

    def _dropped(self, event: SessionEvent) -> None:
        if isinstance(event, NodeData) and not len(event.data):
            return  # an empty `body` is nothing (§4)
        if isinstance(event, NodeData | NodeChunk | NodeMessage) and self.state is not State.CLOSED:
            self._grant.used(len(event.data))  # credit was used up for it all the same
        self._counters.add("messages.dropped.leftover")

    # ------------------------------------------------------------ heads

    def _on_head(self, head: NodeHead, is_raw: bool = False) -> None:
        if head.status not in STATUSES:
            return self._fail(CloseReason.NODE_ERROR, f"a status of {head.status}")
        if head.status < 200:
            return self._on_interim(head)
        exchange = self.exchange
        assert exchange is not None
        headers = head.headers
        if headers.__class__ is PlainHeaders:
            body = self._counted
            body.length = body.remaining = headers.length
        else:
            try:
                body = ResponseBody(*response_framing(head))
            except NodeError as error:
                return self._fail(CloseReason.NODE_ERROR, error.reason)
        self.body = body
        self._began_raw = is_raw
        exchange.status = head.status
        exchange.kept = None  # nothing will be sent once more
        asked = exchange.head
        bodyless = head.status in BODYLESS_STATUSES or asked.method == b"HEAD"
        client_head = ResponseHead(asked.stream_id, head.status, head.reason, headers, body.length, bodyless)
        self._client.send_head(self._owner.response_begins(client_head))
        if bodyless:
            self._complete(State.OVER)
            if len(head.body):
                self._counters.add("messages.dropped.leftover")
        elif body.remaining == 0:
            self._complete(State.OVER_EXACT, has_excess=len(head.body) > 0)
        else:
            self.state, self.handlers = _STREAMING, _STREAMING.handlers
            if len(head.body):
                self._pass_body(head.body)

    def _on_interim(self, head: NodeHead) -> None:
        exchange = self.exchange
        assert exchange is not None
        if head.status == 101:
            return self._owner.upgrade_accepted(head)
        if len(head.body):
            self._counters.add("messages.dropped.leftover")  # 1xx carry no body (§6)
        if head.status != 100 and exchange.head.version != b"1.0":
            stream = exchange.head.stream_id
            self._client.send_head(ResponseHead(stream, head.status, head.reason, head.headers, None, True))

    def _on_second_head(self, head: NodeHead) -> None:
        if head.status < 200 and head.status != 101:
            self._counters.add("messages.dropped.leftover")
        else:
            self._fail(CloseReason.NODE_ERROR, "a second response head")

    def _on_raw(self, event: NodeData) -> None:
        data = event.data
        self._grant.used(len(data))
        while len(data) and self.state.awaits_head:
            if self._raw is None:
                if not RawHead.can_begin_with(data):
                    if self.state is State.AWAITING_FIRST:
                        self._fail(CloseReason.NODE_ERROR, "a `body` before the response head")
                    else:
                        self._counters.add("messages.dropped.leftover")
                    return
                self._raw = RawHead()
                self._enter(State.RAW_HEAD)
            try:
                head = self._raw.feed(data)
            except NodeError as error:
                return self._fail(CloseReason.NODE_ERROR, error.reason)
            if head is None:
                return
            self._raw = None
            self._enter(self._awaited)
            data = b""
            if head.status < 200:  # behind an interim head comes another head, never a body
                data, head.body = head.body, b""
            self._on_head(head, is_raw=True)

    # ------------------------------------------------------------ bodies

    def _on_body(self, event: NodeData) -> None:
        data, body, exchange = event.data, self.body, self.exchange
        assert body is not None and exchange is not None
        size = len(data)
        if not size:
            return
        self._grant.used(size)
        left = body.remaining
        if left is None or size > left:
            return self._pass_body(data)
        # Of a declared length, as nearly all are: the same as `_pass` in one step.
        body.remaining = left - size
        exchange.bytes_out += size
        self._client.send_data(data)
        if exchange.view is not None:
            self._owner.data_passed(size)
        if left == size and self.state is _STREAMING:
            self.state, self.handlers = _OVER_EXACT, _OVER_EXACT.handlers
            self._client.send_end()
            exchange.response_done = True
            self._owner.response_complete()

    def _pass_body(self, data: Buffer) -> None:
        assert self.body is not None
        try:
            pieces, too_much = self.body.take_body(data)
        except NodeError as error:
            return self._fail(CloseReason.NODE_ERROR, error.reason)
        self._pass(pieces, too_much)

    def _on_chunk(self, event: NodeChunk) -> None:
        assert self.body is not None
        if not len(event.data):
            self._finish("an empty `chunk`")
            return
        self._grant.used(len(event.data))
        self._pass(*self.body.take_payload(event.data))

    def _pass(self, pieces: Sequence[Buffer], too_much: bool) -> None:
        exchange, body = self.exchange, self.body
        assert exchange is not None and body is not None
        for piece in pieces:
            exchange.bytes_out += len(piece)
            self._client.send_data(piece)
            self._owner.data_passed(len(piece))
            if self.state is not State.STREAMING:
                return  # the client turned out to be gone
        is_exact = body.remaining is not None
        if body.is_complete:
            self._complete(State.OVER_EXACT if is_exact else State.OVER, has_excess=is_exact and too_much)
        if too_much and not is_exact:
            self._counters.add("messages.dropped.leftover")

    def _on_excess(self, event: NodeData | NodeChunk) -> None:
        if len(event.data):
            self._counters.add("responses.excess")
            self._owner.node_ended(CloseReason.NODE_ERROR, TOO_MUCH)

    # ------------------------------------------------------------ ends

    def _on_end(self, event: NodeEnd) -> None:
        assert self.exchange is not None
        self.exchange.close_after = True
        if self._finish("`end`") and self.state is not State.CLOSED:
            self._owner.node_ended(CloseReason.NODE_END, "")

    def _finish(self, by: str) -> bool:
        assert self.body is not None
        if not self.body.may_end:
            self._fail(CloseReason.NODE_ERROR, f"{by} before the response was complete")
            return False
        self._complete(State.OVER)
        return True

    def _complete(self, state: State, has_excess: bool = False) -> None:
        self._enter(state)
        self._client.send_end()
        exchange = self.exchange
        assert exchange is not None
        exchange.response_done = True
        if has_excess:  # told before the exchange is reported: §6 wants it logged
            self._counters.add("responses.excess")
            exchange.close_after = True
            exchange.reason, exchange.detail = CloseReason.NODE_ERROR, TOO_MUCH
        self._owner.response_complete()
        if has_excess and self.state is not State.CLOSED:
            self._owner.node_ended(CloseReason.NODE_ERROR, TOO_MUCH)

    def _on_early_end(self, event: NodeEnd) -> None:
        self._fail(CloseReason.NODE_ERROR, "`end` before the response head")

    def _on_stale_end(self, event: NodeEnd) -> None:
        self._owner.stale_end()

    def _on_end_over(self, event: NodeEnd) -> None:
        self._owner.node_ended(CloseReason.NODE_END, "")

    def _on_abort(self, event: NodeAbort) -> None:
        self._fail(CloseReason.NODE_ABORT, event.reason[:200].decode("ascii", "replace"))

    def _on_retry(self, event: NodeRetry) -> None:
        self._owner.retry_asked()

    def _on_late_retry(self, event: NodeRetry) -> None:
        self._counters.add("messages.dropped.late-retry")

    def _on_early_chunk(self, event: NodeChunk) -> None:
        self._fail(CloseReason.NODE_ERROR, "a `chunk` before the response head")


_BEFORE_HEAD: dict[type, Handler] = {
    NodeHead: ResponseSide._on_head,
    NodeAbort: ResponseSide._on_abort,
    NodeRetry: ResponseSide._on_retry,
}
_AFTER: dict[type, Handler] = {
    NodeHead: ResponseSide._on_second_head,
    NodeAbort: ResponseSide._on_abort,
    NodeRetry: ResponseSide._on_late_retry,
}
TABLE: dict[State, dict[type, Handler]] = {
    State.FRESH: {},
    State.AWAITING_FIRST: _BEFORE_HEAD
    | {
        NodeData: ResponseSide._on_raw,
        NodeChunk: ResponseSide._on_early_chunk,
        NodeEnd: ResponseSide._on_early_end,
    },
    State.AWAITING_NEXT: _BEFORE_HEAD | {NodeEnd: ResponseSide._on_stale_end},
    State.AWAITING_RAW: _BEFORE_HEAD | {NodeData: ResponseSide._on_raw, NodeEnd: ResponseSide._on_stale_end},
    State.RAW_HEAD: {
        NodeHead: ResponseSide._on_second_head,
        NodeData: ResponseSide._on_raw,
        NodeChunk: ResponseSide._on_early_chunk,
        NodeEnd: ResponseSide._on_early_end,
        NodeAbort: ResponseSide._on_abort,
        NodeRetry: ResponseSide._on_retry,
    },
    State.STREAMING: _AFTER
    | {NodeData: ResponseSide._on_body, NodeChunk: ResponseSide._on_chunk, NodeEnd: ResponseSide._on_end},
    State.OVER_EXACT: _AFTER
    | {
        NodeData: ResponseSide._on_excess,
        NodeChunk: ResponseSide._on_excess,
        NodeEnd: ResponseSide._on_end_over,
    },
    State.OVER: _AFTER | {NodeEnd: ResponseSide._on_end_over},
    State.CLOSED: {},
}

for _state, _handlers in TABLE.items():
    _state.handlers = _handlers
