"""The node's side of an upgraded session: what may come from it, and what that does to the client.

Takes the place of the response side once the handshake is accepted. One table says which message is welcome;
knows neither frames nor sids.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from blastbeat.counters import Counters
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
    SessionEvent,
)
from blastbeat.exchange import Exchange
from blastbeat.flow import Grant
from blastbeat.response import ResponseState

NORMAL, POLICY, INTERNAL_ERROR, TRY_AGAIN_LATER = 1000, 1008, 1011, 1013

_END = re.compile(rb"([0-9]{4})(?: (.{0,123}))?", re.DOTALL)
_RESERVED = frozenset((1004, 1005, 1006, 1015))  # never on the wire (RFC 6455 §7.4.1)


class MessageSink(Protocol):
    """Where messages go: the client, upgraded."""

    def send_message(self, data: Buffer, is_text: bool) -> None: ...


_STREAMING = ResponseState.STREAMING  # in Python 3.11 twenty times as fast as to ask the enumeration for it


class WebSocketOwner(Protocol):
    """The client's stream."""

    def message_passed(self, size: int) -> None:
        """A message of `size` bytes was given to the client."""
        ...

    def close_websocket(self, reason: CloseReason, code: int, text: bytes, detail: str) -> None:
        """The session is over, and the client is told so with `code` and `text`."""
        ...


def parse_end(detail: bytes) -> tuple[int, bytes]:
    """Close code and reason of an `end`: a code allowed on the wire and at most 123 bytes of UTF-8, else 1000
    (`protocol.md` §4)."""
    match = _END.fullmatch(detail)
    if match is None:
        return NORMAL, b""
    code, text = int(match[1]), match[2] or b""
    if not is_sendable(code):
        return NORMAL, b""
    return code, text if _is_utf8(text) else b""


def is_sendable(code: int) -> bool:
    """Whether a close frame may have it: those of RFC 6455 and the registry, libraries' and applications'."""
    return (1000 <= code <= 1014 and code not in _RESERVED) or 3000 <= code <= 4999


def _is_utf8(data: Buffer) -> bool:
    try:
        str(data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


class WebSocketSide:
    """Like `ResponseSide` towards its session: open until `close`. `grant` is given back what arrives.
    `can_refuse`: the instance answers handshakes itself, and can't know that this one was answered."""

    __slots__ = ("_can_refuse", "_client", "_counters", "_exchange", "_grant", "_owner", "handlers", "state")

    def __init__(
        self,
        client: MessageSink,
        owner: WebSocketOwner,
        exchange: Exchange,
        grant: Grant,
        counters: Counters,
        can_refuse: bool = False,
    ) -> None:
        self.state = ResponseState.STREAMING
        self.handlers: dict[type, Callable[[Any, Any], None]] = TABLE
        self._client = client
        self._owner = owner
        self._exchange = exchange
        self._grant = grant
        self._counters = counters
        self._can_refuse = can_refuse

    def receive(self, event: SessionEvent) -> None:
        """One message of the node, decoded."""
        handler = self.handlers.get(event.__class__)
        if handler is None:
            self._dropped(event)
        else:
            handler(self, event)

    def malformed(self, detail: str) -> None:
        """An encoder refused the body of a message."""
        if self.state is ResponseState.CLOSED:
            return
        self._owner.close_websocket(CloseReason.NODE_ERROR, INTERNAL_ERROR, b"", detail)

    def close(self) -> None:
        """Nothing is welcome any more."""
        self.state = ResponseState.CLOSED
        self.handlers = {}

    def _on_message(self, event: NodeMessage) -> None:
        data = event.data
        size = len(data)
        exchange = self._exchange
        exchange.bytes_out += size
        exchange.messages_out += 1
        is_text = not event.is_binary and ((data.__class__ is bytes and data.isascii()) or _is_utf8(data))
        self._client.send_message(data, is_text)
        if self.state is _STREAMING:  # else the client turned out to be gone
            self._grant.used(size)
            self._owner.message_passed(size)

    def _on_head(self, event: NodeHead) -> None:
        """Its answer to the handshake, which `websocket-accept` leaves to the server."""
        self._dropped(event)
        if self._can_refuse and event.status != 101:
            code = POLICY if event.status < 500 else INTERNAL_ERROR
            detail = f"the node refuses with {event.status} what the server has accepted"
            self._owner.close_websocket(CloseReason.NODE_END, code, b"", detail)

    def _on_end(self, event: NodeEnd) -> None:
        code, text = parse_end(event.detail)
        self._owner.close_websocket(CloseReason.NODE_END, code, text, "")

    def _on_abort(self, event: NodeAbort) -> None:
        detail = event.reason[:200].decode("ascii", "replace")
        self._owner.close_websocket(CloseReason.NODE_ABORT, INTERNAL_ERROR, b"", detail)

    def _on_retry(self, event: NodeRetry) -> None:
        self._owner.close_websocket(CloseReason.NODE_RETRY, TRY_AGAIN_LATER, b"", "")

    def _dropped(self, event: SessionEvent) -> None:
        """Old nodes answer a handshake like any request (`protocol.md` §4)."""
        if isinstance(event, NodeData | NodeChunk | NodeMessage):
            if self.state is not ResponseState.CLOSED:
                self._grant.used(len(event.data))  # credit was used up for it all the same
        self._counters.add("messages.dropped.leftover")


Handler: TypeAlias = Callable[[WebSocketSide, Any], None]

# What is missing here is dropped and counted.
TABLE: dict[type, Handler] = {
    NodeMessage: WebSocketSide._on_message,
    NodeHead: WebSocketSide._on_head,
    NodeEnd: WebSocketSide._on_end,
    NodeAbort: WebSocketSide._on_abort,
    NodeRetry: WebSocketSide._on_retry,
}
