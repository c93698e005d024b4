"""Everything between a request head and a node: virtualhost, limits, filters, request authenticators.

Each step may end the request with an answer; what passes them all is placed by the dispatcher. Only here
anything is awaited on behalf of a request, and only where a virtualhost has request authenticators: the
request then waits in the stream's `ADMITTING` phase.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from blastbeat.errors import ClientError
from blastbeat.events import CloseReason, Request, ResponseHead
from blastbeat.exchange import Exchange
from blastbeat.forwarding import build_request
from blastbeat.headers import is_field
from blastbeat.interfaces import Allow, Answer, RequestAuthenticator, RequestView, Route
from blastbeat.response import BODYLESS_STATUSES
from blastbeat.sessions import Sessions
from blastbeat.vhosts import HostTable
from blastbeat.virtualhost import VirtualHost

if TYPE_CHECKING:
    from blastbeat.dispatcher import Dispatcher
    from blastbeat.stream import Stream

log = logging.getLogger(__name__)

DENIED = Answer(403, b"not allowed\n")

MAX_PAUSE = 3600.0
"""Seconds a filter may hold one direction back at a time."""

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

    def admit(self, stream: Stream, exchange: Exchange) -> None:
        """Takes a new exchange as far as it goes; the stream is answered or forwarded in the end."""
        self._dispatcher.counters["requests.received"] += 1
        try:
            virtualhost = stream.virtualhost = self._find(stream, exchange)
            stream.policy = virtualhost.config
            self._check_size(exchange, virtualhost)
            exchange.request = build_request(
                exchange.head, stream.client.facts, virtualhost.host, self._make_request_id()
            )
        except ClientError as error:
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
        authority = exchange.head.authority
        client = stream.client
        virtualhost = self.hosts.find(authority, client.default_port, client.listener)
        if virtualhost is None:
            raise ClientError(404, f"no virtualhost for {authority.decode('ascii', 'replace') or 'no host'}")
        exchange.virtualhost = virtualhost.name
        return virtualhost

    def _check_size(self, exchange: Exchange, virtualhost: VirtualHost) -> None:
        limit, length = virtualhost.config.max_body, exchange.head.content_length
        if limit and length is not None and length > limit:
            raise ClientError(413, f"the body would be {length} bytes, {limit} are allowed")

    # ------------------------------------------------------------ filters and authenticators

    def _admit_looked_at(self, stream: Stream, exchange: Exchange, virtualhost: VirtualHost) -> None:
        assert exchange.request is not None
        view = exchange.view = RequestView(exchange.request, stream.client.view)
        for each in virtualhost.filters:
            exchange.filtered.append(each)
            try:
                answer = _follow(exchange, view, each.on_request(view))
            except Exception:
                log.exception("virtualhost %s: filter %r failed", virtualhost.name, each)
                stream.fail(500, CloseReason.PLUGIN_ERROR, "a filter failed")
                return
            if answer is not None:
                stream.answer(answer, CloseReason.REFUSED, type(each).__name__)
                return
        if virtualhost.request_authenticators:
            exchange.cancel = self._spawn(self._authenticate(stream, exchange, view, virtualhost))
        else:
            self.settle(stream, exchange)

    async def _authenticate(
        self, stream: Stream, exchange: Exchange, view: RequestView, virtualhost: VirtualHost
    ) -> None:
        for each in virtualhost.request_authenticators:
            refusal = await self._ask(each, view, virtualhost)
            if stream.exchange is not exchange:
                return  # the client did not wait
            if refusal is not None:
                stream.answer(refusal, CloseReason.REFUSED, type(each).__name__)
                self._dispatcher.flush()
                return
        exchange.request = view.request
        self.settle(stream, exchange)
        self._dispatcher.flush()

    async def _ask(
        self, each: RequestAuthenticator, view: RequestView, virtualhost: VirtualHost
    ) -> Answer | None:
        """None where it agrees; what it says of the client is then in the view. A broken one denies."""
        try:
            verdict = await each.authenticate(view)
            if isinstance(verdict, Allow):
                request = view.request
                view.request = replace(request, variables=(*request.variables, *verdict.variables))
                return None
            return _checked_answer(verdict)
        except Exception:
            log.exception("virtualhost %s: authenticator %r failed", virtualhost.name, each)
            return DENIED

    # ------------------------------------------------------------ on to a node

    def settle(self, stream: Stream, exchange: Exchange) -> None:
        """Everybody agreed: go on in the session there is, or begin one."""
        session = stream.session
        if session is not None:
            if session.instance.node in exchange.node_names:
                self._dispatcher.placement.continue_session(stream, exchange, session)
                return
            stream.drop_session(CloseReason.OTHER_VIRTUALHOST)
        self._dispatcher.placement.place(stream, exchange)

    # ------------------------------------------------------------ filters while the exchange runs

    def filter_response(
        self, exchange: Exchange, virtualhost: VirtualHost, head: ResponseHead
    ) -> ResponseHead:
        """The final head as the filters want it; one that raises is skipped and logged."""
        assert exchange.view is not None
        for each in virtualhost.watches_responses:
            try:
                head = _checked_head(each.on_response(exchange.view, _copied(head)), head)
            except Exception:
                log.exception("virtualhost %s: filter %r failed", virtualhost.name, each)
        return head

    def filter_data(self, exchange: Exchange, virtualhost: VirtualHost, direction: str, size: int) -> float:
        """Seconds to pause this direction: the longest any filter asks for."""
        assert exchange.view is not None
        pause = 0.0
        for each in virtualhost.watches_data:
            try:
                pause = max(pause, each.on_data(exchange.view, direction, size))
            except Exception:
                log.exception("virtualhost %s: filter %r failed", virtualhost.name, each)
        return min(pause, MAX_PAUSE)

    def filters_closed(self, exchange: Exchange) -> None:
        """Each filter that saw the request hears that it is over, exactly once."""
        filtered, exchange.filtered = exchange.filtered, []
        assert exchange.view is not None
        for each in filtered:
            try:
                each.on_closed(exchange.view)
            except Exception:
                log.exception("filter %r failed in on_closed", each)


# ---------------------------------------------------------------- what plugins return, before it is believed


def _follow(exchange: Exchange, view: RequestView, verdict: object) -> Answer | None:
    """What a filter wants done with the request. Raises TypeError or ValueError for what it can't mean."""
    if verdict is None:
        return None
    if not isinstance(verdict, Route):
        return _checked_answer(verdict)
    exchange.request = view.request = _routed(view.request, verdict)
    if verdict.nodes is not None:
        if isinstance(verdict.nodes, str):
            raise TypeError(f"Route.nodes is the text {verdict.nodes!r}, not a list of names")
        exchange.node_names = tuple(verdict.nodes)
    return None


def _checked_answer(verdict: object) -> Answer:
    """Found here, a text where bytes belong ends one request; found while writing, it would end a turn of the
    loop with everybody's output in it. What is no HTTP is `answers.plugin_answer`'s to find."""
    if not isinstance(verdict, Answer):
        raise TypeError(f"{verdict!r} is no verdict")
    memoryview(verdict.body)
    if not isinstance(verdict.status, int):
        raise TypeError(f"the status {verdict.status!r} is no number")
    for field in verdict.headers:
        is_field(*field)
    return verdict


def _copied(head: ResponseHead) -> ResponseHead:
    return replace(head, headers=list(head.headers))


def _checked_head(changed: object, head: ResponseHead) -> ResponseHead:
    """`changed` with the framing of `head`: a filter changes what is said of the body, not the body."""
    if not isinstance(changed, ResponseHead):
        raise TypeError(f"{changed!r} is no ResponseHead")
    if not 200 <= changed.status <= 599 or changed.status != head.status and _is_bodyless(changed, head):
        raise ValueError(f"the status can't become {changed.status}")
    if not all(is_field(*field) for field in (*changed.headers, (b"reason", changed.reason))):
        raise ValueError(f"malformed: {changed!r}")
    return replace(changed, stream_id=head.stream_id, length=head.length, bodyless=head.bodyless)


def _is_bodyless(changed: ResponseHead, head: ResponseHead) -> bool:
    """Either has a status that says by itself that no body follows."""
    return not BODYLESS_STATUSES.isdisjoint((changed.status, head.status))


def _routed(request: Request, route: Route) -> Request:
    """The request as a filter wants it forwarded."""
    replaced = {name for name, _ in route.set_headers}
    dropped = replaced.union(route.remove_headers)
    headers = [field for field in request.headers if field[0] not in dropped] if dropped else request.headers
    return replace(
        request,
        target=request.target if route.target is None else route.target,
        script_name=request.script_name if route.script_name is None else route.script_name,
        headers=[*headers, *route.set_headers],
    )
