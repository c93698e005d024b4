"""A session: one client stream pinned to one instance for its whole life.

Joins the response side, the upload and the node's credit under one sid, and sees to it that the node hears
of the end exactly once. Knows neither sockets nor bytes on the wire; how the client gets on is its owner's
business.
"""

from __future__ import annotations

from typing import Any, Protocol

from blastbeat.client import WebSocketClient
from blastbeat.counters import Counters
from blastbeat.events import CloseReason, NodeCredit, SessionEvent
from blastbeat.exchange import Exchange
from blastbeat.flow import NO_GRANT, Grant, Upload
from blastbeat.instance import Instance
from blastbeat.interfaces import ClientSide
from blastbeat.progress import Progress
from blastbeat.response import ResponseOwner, ResponseState
from blastbeat.response_side import ResponseSide
from blastbeat.websocket_side import WebSocketOwner, WebSocketSide

_CLOSED = ResponseState.CLOSED

QUIET_REASONS = frozenset(
    {
        CloseReason.COMPLETE,
        CloseReason.KEEP_ALIVE_OVER,
        CloseReason.NODE_END,
        CloseReason.NODE_DRAIN,
        CloseReason.NODE_RETRY,
        CloseReason.OTHER_VIRTUALHOST,
    }
)
"""Ends that are no failure: the node's `end` has an empty body (`protocol.md` §3)."""

QUIET_WHEN_IDLE = QUIET_REASONS | {CloseReason.CLIENT_LEFT, CloseReason.SERVER_STOP}
"""The same while no response is due."""


class SessionOwner(ResponseOwner, WebSocketOwner, Protocol):
    """The client's stream, as the dispatcher finds it behind a session."""

    client: Any
    exchange: Exchange | None
    progress: Progress

    def fail(self, status: int, reason: CloseReason, detail: str = "") -> None: ...
    def abandon(self, reason: CloseReason, detail: str) -> None: ...
    def drop_idle_session(self, reason: CloseReason) -> None: ...
    def node_gone(self, reason: CloseReason, detail: str) -> None: ...


class Session:
    """`share` bounds the bytes queued towards the instance, `window` what a node with credit may be ahead of
    the client (bytes). The dispatcher makes it, its stream drives it."""

    __slots__ = (
        "_counters",
        "ending",
        "exchange",
        "exchanges",
        "grant",
        "instance",
        "owner",
        "response",
        "sid",
        "upload",
        "virtualhost",
    )

    def __init__(
        self,
        sid: bytes,
        virtualhost: Any,
        instance: Instance,
        client: ClientSide,
        owner: SessionOwner,
        counters: Counters,
        *,
        share: int,
        window: int,
    ) -> None:
        self.sid = sid
        self.virtualhost = virtualhost
        self.instance = instance
        self.owner = owner
        self.exchange: Exchange | None = None
        self.exchanges = 0
        self.upload = Upload(sid, instance, client, share)
        self.grant = Grant(sid, instance, client, window) if instance.credit else NO_GRANT
        self.response: ResponseSide | WebSocketSide = ResponseSide(client, owner, self.grant, counters)
        self._counters = counters
        self.ending: bytes | None = None  # what `end` is to say of a WebSocket

    def begin(self, exchange: Exchange) -> None:
        """A request of this session is about to be forwarded."""
        self.exchange = exchange
        self.exchanges += 1
        self.response.begin(exchange)  # type: ignore[union-attr]  # no request follows an upgrade

    def rest(self) -> None:
        """Its client is silent between two requests: the one that is over need not be kept."""
        if isinstance(self.response, ResponseSide) and self.response.state.is_complete:
            self.exchange = self.response.exchange = self.response.body = None

    def upgraded(self, client: WebSocketClient, exchange: Exchange) -> None:
        """The handshake is accepted: messages from here on, and no further request."""
        self.upload.client = client
        if self.grant is not NO_GRANT:
            self.grant.client = client
        can_refuse = "accept" in self.instance.capabilities
        self.response = WebSocketSide(client, self.owner, exchange, self.grant, self._counters, can_refuse)

    def receive(self, event: SessionEvent) -> None:
        """One message of the node, decoded."""
        if event.__class__ is NodeCredit:
            self.upload.credit(event.amount)
        else:
            self.response.receive(event)

    @property
    def is_closed(self) -> bool:
        return self.response.state is _CLOSED

    def close(self, reason: CloseReason) -> None:
        """Tell the node, once, and be over. A node that was sent no head of this session is told nothing."""
        if self.is_closed:
            return
        if self.ending is not None:
            self.response.close()
            self.upload.end(self.ending)
            return
        quiet = reason in (QUIET_WHEN_IDLE if self.response.state.is_complete else QUIET_REASONS)
        self.response.close()
        if self.exchanges:
            self.upload.end(b"" if quiet else reason.value.encode())
