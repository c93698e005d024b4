"""Where a request goes: a new session on an instance the selector picks, or the session there is.

Encodes the head, offers it, and tells the stream who has it. Knows no message that comes back; selectors and
encoders were resolved at start.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from blastbeat import upgrading, uploading
from blastbeat.counters import ANSWERS
from blastbeat.errors import ClientError
from blastbeat.events import CloseReason
from blastbeat.exchange import Exchange
from blastbeat.hold_queue import HoldQueue
from blastbeat.instance import Instance
from blastbeat.session import Session
from blastbeat.virtualhost import VirtualHost

if TYPE_CHECKING:
    from blastbeat.dispatcher import Dispatcher
    from blastbeat.stream import Stream

log = logging.getLogger(__name__)


class Placement:
    """`session_share`, `credit`: bytes."""

    def __init__(self, dispatcher: Dispatcher, *, session_share: int, credit: int) -> None:
        self._dispatcher = dispatcher
        self._sessions = dispatcher.sessions
        self.session_share = session_share
        self._credit = credit

    def place(self, stream: Stream, exchange: Exchange) -> None:
        """Begin a new session on an instance the selector picks. Where none is available the request waits,
        if the virtualhost holds requests, behind those that do."""
        virtualhost = stream.virtualhost
        assert virtualhost is not None
        queue = virtualhost.held
        if queue is not None and queue.size and self._must_queue(exchange, queue):
            self._dispatcher.holding.hold(stream, exchange, queue)
        elif self.try_to_place(stream, exchange):
            return
        elif queue is not None and exchange.node_names and not self._dispatcher.is_stopping:
            self._dispatcher.holding.hold(stream, exchange, queue)
        else:
            self._nobody(stream, exchange)

    def _must_queue(self, exchange: Exchange, queue: HoldQueue) -> bool:
        is_first_try = not exchange.tried
        return is_first_try and not self._dispatcher.is_stopping and queue.has_waiting(exchange.node_names)

    def try_to_place(self, stream: Stream, exchange: Exchange) -> bool:
        """False when no instance takes the request now; else somebody has it, or its client was answered."""
        virtualhost = stream.virtualhost
        assert virtualhost is not None
        full = self._sessions.find_limit(virtualhost)
        if full:
            virtualhost.tally.hit("server-sessions" if self._sessions.is_full() else "sessions")
            stream.fail(503, CloseReason.LIMIT, full)
            return True
        candidates = virtualhost.candidates(exchange.node_names, exchange.tried)
        if not candidates:
            return False
        try:
            body = _encode(exchange, virtualhost)
        except Exception as error:
            self._not_encoded(stream, exchange, virtualhost, error)
            return True
        while candidates:
            instance = self._select(virtualhost, candidates, exchange)
            if instance is None:
                self._nobody(stream, exchange)
                return True
            if self._open(stream, exchange, virtualhost, instance, body):
                return True
            candidates.remove(instance)
        return False

    def _nobody(self, stream: Stream, exchange: Exchange) -> None:
        detail = "no other instance" if exchange.hops else "no instance available"
        stream.fail(exchange.none_left, CloseReason.NO_INSTANCE, detail)

    def _not_encoded(
        self, stream: Stream, exchange: Exchange, virtualhost: VirtualHost, error: Exception
    ) -> None:
        """The stream is answered: there is no message of its request."""
        if isinstance(error, ClientError):
            status = error.status if error.status in ANSWERS else 500
            stream.fail(status, CloseReason.REFUSED, error.reason)
        else:
            text = "encoder %r failed"
            log.error(text, virtualhost.request_type, extra=exchange.log_fields(), exc_info=error)
            stream.fail(500, CloseReason.PLUGIN_ERROR, "the request encoder failed")

    def _select(
        self, virtualhost: VirtualHost, candidates: list[Instance], exchange: Exchange
    ) -> Instance | None:
        assert exchange.request is not None
        views = [instance.view for instance in candidates]
        try:
            chosen = virtualhost.select(views, exchange.request)
        except Exception:
            log.exception("the selector failed", extra=exchange.log_fields())
            return None
        if chosen is None:
            return None
        for instance in candidates:
            if instance.view is chosen:
                return instance
        log.error("the selector chose %r, which was not offered", chosen, extra=exchange.log_fields())
        return None

    def _open(
        self, stream: Stream, exchange: Exchange, virtualhost: VirtualHost, instance: Instance, body: bytes
    ) -> bool:
        sid = self._sessions.mint()
        if not instance.router.offer(instance, sid, virtualhost.request_type, body):
            return False
        if exchange.head.upgrade and instance.outbox.has_head(sid):
            # A handshake is accepted only once the ROUTER has taken its head (§3).
            instance.outbox.put_end(sid, b"")
            return False
        session = Session(
            sid,
            virtualhost,
            instance,
            stream.client,
            stream,
            self._dispatcher.counters,
            share=self.session_share,
            window=self._credit,
        )
        self._sessions.add(session)
        session.begin(exchange)
        self._dispatcher.notice(self._dispatcher.lifecycle.session_opened, session, None)
        self._forwarded(stream, exchange, session)
        return True

    def continue_session(self, stream: Stream, exchange: Exchange, session: Session) -> None:
        """The next request of a persistent connection, to the instance it is pinned to."""
        virtualhost, instance = session.virtualhost, session.instance
        try:
            body = _encode(exchange, virtualhost)
        except Exception as error:
            self._not_encoded(stream, exchange, virtualhost, error)
            return
        if not exchange.head.upgrade:
            session.begin(exchange)
            instance.router.send(instance, session.sid, virtualhost.request_type, body)
        elif instance.router.hand_over(instance, session.sid, virtualhost.request_type, body):
            session.begin(exchange)
        else:  # a handshake is accepted only once the ROUTER has taken its head (§3)
            stream.drop_session(CloseReason.NO_INSTANCE)
            self.place(stream, exchange)
            return
        self._forwarded(stream, exchange, session)

    def _forwarded(self, stream: Stream, exchange: Exchange, session: Session) -> None:
        exchange.identity = session.instance.name
        head = exchange.head
        if head.expect_continue and head.has_body and not exchange.bytes_in and not exchange.hops:
            stream.client.send_continue()
        uploading.begin(stream, exchange, session)
        if head.upgrade:
            upgrading.forwarded(stream, self._dispatcher)


def _encode(exchange: Exchange, virtualhost: VirtualHost) -> bytes:
    """The body of the request's message. Raises whatever the encoder raises."""
    assert exchange.request is not None
    body = virtualhost.encode_request(exchange.request)
    if body.__class__ is not bytes and not isinstance(body, bytes):
        raise TypeError(f"{type(body).__name__} instead of bytes")
    return body
