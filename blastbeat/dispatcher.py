"""Between the clients' streams and the nodes: leads messages to their sessions, tells of ends on both sides.

Implements what the ROUTERs report to (`NodeSink`). Where a request goes is `placement`'s business. Knows
neither sockets nor HTTP; the decoders it calls were resolved at start.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from blastbeat.counters import STATUS_COUNTERS, Counters
from blastbeat.errors import NodeError
from blastbeat.events import Buffer, CloseReason, NodeDrain, NodeEvent, NodePong
from blastbeat.exchange import Exchange
from blastbeat.filtering import filters_closed
from blastbeat.holding import Holding
from blastbeat.instance import Instance, InstanceRouter
from blastbeat.interfaces import Clock, NodeAuthenticator, NodeView, SessionView
from blastbeat.lifecycle import Lifecycle
from blastbeat.node_log import NodeLog
from blastbeat.node_users import NodeUsers
from blastbeat.nodes import NodeTable
from blastbeat.pages import NO_PAGES
from blastbeat.placement import Placement
from blastbeat.ratelimit import RateLimit
from blastbeat.session import Session
from blastbeat.sessions import Sessions
from blastbeat.stream import Stream
from blastbeat.virtualhost import VirtualHost

log = logging.getLogger(__name__)

Decode = Callable[[Buffer], NodeEvent]


class Admits(Protocol):
    """Takes each new exchange of a stream as far as it goes."""

    def admit(self, stream: Stream, exchange: Exchange) -> None: ...


class Dispatcher:
    """One per server. `session_share`, `credit`: bytes. `flush` writes out what connections have gathered."""

    admission: Admits  # set right after both exist: each needs the other

    def __init__(
        self,
        decoders: Mapping[bytes, Decode],
        sessions: Sessions,
        lifecycle: Lifecycle,
        counters: Counters,
        clock: Clock,
        *,
        session_share: int,
        credit: int,
        flush: Callable[[], None],
    ) -> None:
        self.sessions = sessions
        self.lifecycle = lifecycle
        self.counters = counters
        self.clock = clock
        self.is_stopping = False
        self.pages = NO_PAGES  # for answers to requests that got to no virtualhost
        self._node_log = NodeLog()
        self.users = NodeUsers(self._node_refused)
        self.tables: dict[InstanceRouter, NodeTable] = {}
        self._decoders = dict(decoders)
        self._rate_limit = RateLimit()
        self.flush = flush
        self.holding = Holding(self)
        self.placement = Placement(self, session_share=session_share, credit=credit)

    @property
    def virtualhosts(self) -> tuple[VirtualHost, ...]:
        """Those that requests are led to now."""
        return self.users.virtualhosts

    @virtualhosts.setter
    def virtualhosts(self, virtualhosts: tuple[VirtualHost, ...]) -> None:
        self.users.replace(virtualhosts)

    # ------------------------------------------------------------ sessions and exchanges end

    def close_session(self, session: Session, reason: CloseReason) -> None:
        """The session is over, for whatever reason: the node hears of it once, everybody forgets it."""
        session.close(reason)
        self.sessions.remove(session)
        session.virtualhost.table.session_over(session.instance)
        notice = self.lifecycle.session_closed
        if notice is not None:
            notice(self._view(session, reason))

    def exchange_over(self, stream: Stream, exchange: Exchange) -> None:
        """Request and response are through, or given up: the figures go to whoever listens."""
        if exchange.cancel is not None:
            exchange.cancel()
        if exchange.view is not None:
            filters_closed(exchange)
        now = self.clock.monotonic()
        notice = self.lifecycle.exchange_closed
        if notice is not None:
            notice(exchange.figures(stream.client.view, now))
        counters = self.counters
        kind = exchange.status // 100
        counters["responses.completed" if exchange.response_done else "responses.cut"] += 1
        counters[exchange.reason.counter] += 1
        counters[STATUS_COUNTERS[kind]] += 1
        if exchange.bytes_in:
            counters["bytes.in"] += exchange.bytes_in
        counters["bytes.out"] += exchange.bytes_out
        tallies, virtualhost = counters.tallies, stream.virtualhost
        if exchange.status != 101:  # an open WebSocket says nothing of how fast anybody answers
            tallies.durations.add(now - exchange.started)
        # A request without a virtualhost may follow one that had one.
        tally = virtualhost.tally if virtualhost is not None and exchange.virtualhost else tallies.unmatched
        tally.add(exchange)

    # ------------------------------------------------------------ messages from nodes (NodeSink)

    def message_received(self, instance: Instance, sid: bytes, type: bytes, body: Buffer) -> None:
        """One pair of a message. Whatever it holds, only its own session can be affected."""
        decode = self._decoders.get(type)
        if decode is None:
            self._drop(instance, "type", type)
            return
        session: Session | None = instance.sessions.get(sid)
        try:
            event = decode(body)
        except NodeError as error:
            if session is not None:
                session.response.malformed(error.reason)
            elif sid:
                self._drop_stray(instance, sid, type)
            else:
                self._drop(instance, "malformed", type)
            return
        except Exception:
            self._encoder_failed(session, type)
            return
        if session is None or event.__class__ in NODE_LEVEL:
            self._without_session(instance, sid, type, event)
            return
        self.counters["messages.received"] += 1
        session.owner.progress.moved = self.clock.monotonic()
        response = session.response
        handler = response.handlers.get(event.__class__)
        if handler is not None:
            handler(response, event)
        else:
            session.receive(event)  # type: ignore[arg-type]  # node level events are excluded above

    def _without_session(self, instance: Instance, sid: bytes, type: bytes, event: NodeEvent) -> None:
        if isinstance(event, NodePong):
            self.tables[instance.router].pong(instance, event.words, self.clock.monotonic())
        elif isinstance(event, NodeDrain) and not sid:
            self._drain(instance)
        else:
            self._drop_stray(instance, sid, type)

    def _drop_stray(self, instance: Instance, sid: bytes, type: bytes) -> None:
        self._drop(instance, "other-session" if sid in self.sessions.by_sid else "unknown-sid", type)

    def _drain(self, instance: Instance) -> None:
        self.tables[instance.router].drain(instance, self.clock.monotonic())
        for session in list(instance.sessions.values()):
            session.owner.drop_idle_session(CloseReason.NODE_DRAIN)

    def complain(self, session: Session, detail: str) -> None:
        """A node did something wrong between two exchanges, which no access log tells of."""
        suppressed = self._rate_limit.allow((session.instance.identity, detail), self.clock.monotonic())
        if suppressed is not None:
            name = session.instance.identity.decode("ascii", "replace")
            fields = {"virtualhost": session.virtualhost.name, "node": name}
            text = "node %s: %s; connection closed (%d more like it)"
            log.warning(text, name, detail, suppressed, extra=fields)

    def _drop(self, instance: Instance, why: str, type: bytes) -> None:
        self.counters.add(f"messages.dropped.{why}")
        key = (why, instance.identity, type if why == "type" else b"")
        suppressed = self._rate_limit.allow(key, self.clock.monotonic())
        if suppressed is not None:
            name = instance.identity.decode("ascii", "replace")
            text = "node %s: message of type %r dropped: %s (%d more like it)"
            log.warning(text, name, type[:40], DROPPED[why], suppressed, extra={"node": name})

    def _encoder_failed(self, session: Session | None, type: bytes) -> None:
        if self._rate_limit.allow(("encoder", type), self.clock.monotonic()) is not None:
            exchange = session.exchange if session is not None else None
            fields = exchange.log_fields() if exchange is not None else None
            log.exception("encoder %r failed", type, extra=fields)
        if session is not None:
            stream = session.owner
            if stream.exchange is None or stream.exchange.response_done:
                stream.abandon(CloseReason.PLUGIN_ERROR, "an encoder failed")
            else:
                stream.fail(502, CloseReason.PLUGIN_ERROR, "an encoder failed")

    def admit(self, instance: Instance, address: str | None) -> None:
        """An instance appears: which virtualhosts will have it is for their authenticators to say."""
        if self.users.admit(instance, self.tables[instance.router], address):
            self.holding.instance_ready(instance)
        if instance.is_watched and address is not None:
            self._end_sessions_not_let_in(instance, address)

    def _node_refused(
        self, instance: Instance, virtualhost: VirtualHost, authenticator: NodeAuthenticator
    ) -> None:
        self._node_log.refused(instance, virtualhost, authenticator, self.clock.monotonic())

    def _end_sessions_not_let_in(self, instance: Instance, address: str) -> None:
        """Somebody else speaks for it now: what it says, and what clients send, is not for each other."""
        for session in list(instance.sessions.values()):
            if session.virtualhost.key not in instance.allowed:
                detail = f"node {instance.view.identity} speaks from {address or 'ipc'} now"
                session.owner.node_gone(CloseReason.NODE_GONE, f"{detail}, which is not let in")

    def instance_ready(self, instance: Instance) -> None:
        self.holding.instance_ready(instance)

    def instance_up(self, instance: Instance, reason: str) -> None:
        self._node_log.up(instance, reason)
        self._node_notice(self.lifecycle.node_up, instance, "up", reason)

    def instance_silent(self, instance: Instance, reason: str) -> None:
        self._node_log.silent(instance, reason)
        self._node_notice(self.lifecycle.node_down, instance, "silent", reason)

    def instance_gone(self, instance: Instance, reason: str) -> None:
        """No route for `node-grace`, or its drain is over: the sessions it still has end now."""
        state = "drained" if instance.drained_at is not None else "gone"
        self._node_log.gone(instance, reason)
        for session in list(instance.sessions.values()):
            session.owner.node_gone(CloseReason.NODE_GONE, f"node {instance.view.identity} is gone")
        self._node_notice(self.lifecycle.node_down, instance, state, reason)
        self.flush()

    def session_writable(self, instance: Instance, sid: bytes) -> None:
        session = self.sessions.by_sid.get(sid)
        if session is not None:
            session.owner.progress.moved = self.clock.monotonic()  # the node took something
            session.upload.writable()

    def instance_crowded(self, instance: Instance) -> None:
        """Its queue is over its bound: all its sessions hold their clients back (`CrowdSink`)."""
        for session in list(instance.sessions.values()):
            session.upload.crowded()

    # ------------------------------------------------------------ notices

    def session_retried(self, session: Session, reason: CloseReason) -> None:
        """The request of this session will be sent to another instance."""
        self.notice(self.lifecycle.session_retried, session, reason)

    def notice(
        self,
        notice: Callable[[SessionView], None] | None,
        session: Session,
        reason: CloseReason | None,
    ) -> None:
        """Tell the listeners of one of the session notices, if there are any."""
        if notice is not None:
            notice(self._view(session, reason))

    def _view(self, session: Session, reason: CloseReason | None) -> SessionView:
        view = session.instance.view
        connection = session.owner.client.view
        return SessionView(
            session.sid, session.virtualhost.name, view.node, view.identity, connection, reason
        )

    def _node_notice(
        self, notice: Callable[[NodeView], None] | None, instance: Instance, state: str, reason: str
    ) -> None:
        if notice is not None:
            view = instance.view
            notice(NodeView(view.node, view.identity, view.endpoint, state, reason))


NODE_LEVEL = frozenset({NodePong, NodeDrain})
DROPPED = {
    "type": "no plugin handles this type",
    "malformed": "its body is malformed",
    "unknown-sid": "there is no such session (any more)",
    "other-session": "the session is pinned to another instance",
}
