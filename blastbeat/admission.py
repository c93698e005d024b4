"""Everything between a request head and a node: virtualhost, limits, filters, request authenticators.

Each step may end the request with an answer; what passes them all is placed by the dispatcher. Where a
virtualhost has request authenticators the request waits for them, in a task of its own (`authenticating`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from blastbeat import max_forwards
from blastbeat.answering import give_answer
from blastbeat.authenticating import Authenticating
from blastbeat.errors import ClientError
from blastbeat.events import CloseReason
from blastbeat.exchange import Exchange
from blastbeat.filtering import FilterFailed, ask_filters
from blastbeat.forwarding import build_request
from blastbeat.interfaces import RequestView
from blastbeat.routing import guard_path, route_request
from blastbeat.secure_access import check_server_name
from blastbeat.session import Session
from blastbeat.sessions import Sessions
from blastbeat.upgrading import check_handshake
from blastbeat.vhosts import HostTable
from blastbeat.virtualhost import VirtualHost

if TYPE_CHECKING:
    from blastbeat.dispatcher import Dispatcher
    from blastbeat.stream import Stream

Spawn = Callable[[Coroutine[Any, Any, None]], Callable[[], None]]
"""Runs a coroutine in the server's task group, and returns what cancels it."""


class Admission:
    """`hosts` is replaced as one object when the configuration is read again."""

    def __init__(
        self,
        hosts: HostTable[VirtualHost],
        sessions: Sessions,
        dispatcher: Dispatcher,
        spawn: Spawn,
        make_request_id: Callable[[], bytes],
    ) -> None:
        self.hosts = hosts
        self._sessions = sessions
        self._dispatcher = dispatcher
        self._spawn = spawn
        self._make_request_id = make_request_id
        self.authenticating = Authenticating(dispatcher, self.settle)
        self._count = dispatcher.counters.add

    def admit(self, stream: Stream, exchange: Exchange) -> None:
        """Takes a new exchange as far as it goes; the stream is answered or forwarded in the end."""
        self._dispatcher.counters["requests.received"] += 1
        head, facts = exchange.head, stream.client.facts
        try:
            known = facts.found
            if known is not None and known[0] is self.hosts and known[1] == head.authority:
                virtualhost: VirtualHost = known[2]
            else:
                virtualhost = self._find(stream, exchange)
            exchange.virtualhost = virtualhost.name
            stream.virtualhost, stream.policy = virtualhost, virtualhost.config
            exchange.request = build_request(head, facts, virtualhost.host, self._make_request_id())
            assert facts.repeated is not None
            exchange.shown = facts.repeated.shown
            rule = virtualhost.access_rule
            if rule is not None:
                rule.check_certificate(facts)
                rule.tell_node(exchange.request, facts)
            if virtualhost.routes is not None:
                virtualhost = stream.virtualhost = route_request(exchange, virtualhost)
                stream.policy = virtualhost.config
            elif virtualhost.needs_view:
                guard_path(exchange.request)
            if virtualhost.access_rule is not None:
                answer = virtualhost.access_rule.check_scheme(exchange.request, facts)
                if answer is not None:
                    give_answer(stream, virtualhost, answer, self)
                    return
            length, limit = head.content_length, virtualhost.config.max_body
            if length and limit and length > limit:
                detail = f"the body would be {length} bytes, {limit} are allowed"
                raise ClientError(413, detail, limit="max-body")
            if head.method in max_forwards.METHODS:
                answer = max_forwards.check_method(exchange.request, virtualhost.config.trace)
                if answer is not None:
                    stream.answer(answer, CloseReason.COMPLETE, "it was to go no further")
                    return
            if head.upgrade:
                check_handshake(exchange, virtualhost, self._dispatcher.counters)
        except ClientError as error:
            if error.limit and stream.virtualhost is not None:
                stream.virtualhost.tally.hit(error.limit)
            stream.fail(error.status, CloseReason.REFUSED, error.reason)
            return
        session = stream.session
        if session is not None and (session.virtualhost is not virtualhost or session.is_closed):
            stream.drop_session(CloseReason.OTHER_VIRTUALHOST)
        exchange.node_names = virtualhost.node_names
        if virtualhost.needs_view:
            self._admit_looked_at(stream, exchange, virtualhost)
        else:
            self.settle(stream, exchange)

    def _find(self, stream: Stream, exchange: Exchange) -> VirtualHost:
        """The one that the client asks for by this name; remembered for its next request, checks and all."""
        authority, client = exchange.head.authority, stream.client
        virtualhost = self.hosts.find(authority, client.default_port, client.listener)
        if virtualhost is None:
            name = authority.decode("ascii", "replace") or "no host"
            raise ClientError(404, f"no virtualhost for {name}")
        exchange.virtualhost, stream.virtualhost = virtualhost.name, virtualhost
        if (tls := client.facts.tls) is not None and tls.server_name != authority:
            find = partial(self.hosts.find, default_port=client.default_port, listener=client.listener)
            check_server_name(tls.server_name, authority, client.default_port, virtualhost, find)
        client.facts.found = (self.hosts, authority, virtualhost)
        return virtualhost

    # ------------------------------------------------------------ filters and authenticators

    def _admit_looked_at(self, stream: Stream, exchange: Exchange, virtualhost: VirtualHost) -> None:
        assert exchange.request is not None
        session = stream.session
        if session is not None and not _waits_for_anybody(session):
            exchange.pinned_node = session.instance.node
        view = exchange.view = RequestView(
            exchange.request,
            stream.client.view,
            now=self._dispatcher.clock.monotonic,
            count=self._count,
            opens_session=exchange.pinned_node not in exchange.node_names,
        )
        try:
            answer = ask_filters(exchange, view, virtualhost)
        except FilterFailed:
            stream.fail(500, CloseReason.PLUGIN_ERROR, "a filter failed")
            return
        if answer is not None:
            give_answer(stream, virtualhost, answer, exchange.filtered[-1])
            return
        if virtualhost.request_authenticators:
            exchange.cancel = self._spawn(self.authenticating.ask(stream, exchange, view, virtualhost))
        else:
            self.settle(stream, exchange)

    # ------------------------------------------------------------ on to a node

    def settle(self, stream: Stream, exchange: Exchange) -> None:
        """Everybody agreed: go on in the session there is, or begin one."""
        session = stream.session
        if session is not None:
            instance = session.instance
            if instance.unreachable_since is not None and _waits_for_anybody(session):
                stream.drop_session(CloseReason.NODE_GONE)
            elif instance.node in exchange.node_names:
                self._dispatcher.placement.continue_session(stream, exchange, session)
                return
            else:
                stream.drop_session(CloseReason.OTHER_VIRTUALHOST)
        self._dispatcher.placement.place(stream, exchange)


def _waits_for_anybody(session: Session) -> bool:
    """Its instance may come back within its grace, or not: the next request rather waits for any."""
    return session.instance.unreachable_since is not None and session.virtualhost.held is not None
