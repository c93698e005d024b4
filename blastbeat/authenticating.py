"""Asks the request authenticators of a virtualhost about a request, one after the other: all must allow it.

The only place where anything is awaited on behalf of a request, which waits in the stream's `ADMITTING`
phase. What they answer is checked before it is believed; a broken one has denied.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from blastbeat.answering import give_answer
from blastbeat.events import CloseReason
from blastbeat.exchange import Exchange
from blastbeat.filtering import checked_answer
from blastbeat.interfaces import Allow, Answer, RequestAuthenticator, RequestView
from blastbeat.request_changes import allowed
from blastbeat.virtualhost import VirtualHost

if TYPE_CHECKING:
    from blastbeat.dispatcher import Dispatcher
    from blastbeat.stream import Stream

log = logging.getLogger(__name__)

DENIED = Answer(403)


class Authenticating:
    """`settle` takes a request further that all agreed to."""

    def __init__(self, dispatcher: Dispatcher, settle: Callable[[Stream, Exchange], None]) -> None:
        self._dispatcher = dispatcher
        self._settle = settle
        self._running: dict[VirtualHost, int] = {}  # requests that are looked at now
        self._done: dict[VirtualHost, Callable[[], None]] = {}

    def when_unused(self, virtualhost: VirtualHost, callback: Callable[[], None]) -> None:
        """Calls back once, when nobody asks the authenticators of `virtualhost` any more: at once, or later.
        For one that is asked about no further request."""
        if virtualhost in self._running:
            self._done[virtualhost] = callback
        else:
            callback()

    async def ask(
        self, stream: Stream, exchange: Exchange, view: RequestView, virtualhost: VirtualHost
    ) -> None:
        """Until the request has gone on, was answered, or its client has left."""
        self._running[virtualhost] = self._running.get(virtualhost, 0) + 1
        try:
            await self._ask_all(stream, exchange, view, virtualhost)
        except Exception:  # nobody awaits this: the client must not wait for an answer until its timeout
            log.exception("a request broke while it was looked at", extra=exchange.log_fields())
            if stream.exchange is exchange:
                stream.fail(500, CloseReason.PLUGIN_ERROR, "an error in the server, see its log")
        finally:
            self._ended(virtualhost)
        self._dispatcher.flush()

    def _ended(self, virtualhost: VirtualHost) -> None:
        left = self._running[virtualhost] - 1
        if left:
            self._running[virtualhost] = left
            return
        del self._running[virtualhost]
        callback = self._done.pop(virtualhost, None)
        if callback is not None:
            callback()

    async def _ask_all(
        self, stream: Stream, exchange: Exchange, view: RequestView, virtualhost: VirtualHost
    ) -> None:
        for each in virtualhost.request_authenticators:
            refusal = await self._ask(each, view, exchange)
            if stream.exchange is not exchange:
                return  # the client did not wait
            if refusal is not None:
                give_answer(stream, virtualhost, refusal, each)
                return
        exchange.request = view.request
        self._settle(stream, exchange)

    async def _ask(self, each: RequestAuthenticator, view: RequestView, exchange: Exchange) -> Answer | None:
        """None where it agrees; what it says of the client is then in the view."""
        try:
            verdict = await each.authenticate(view)
            if isinstance(verdict, Allow):
                view.request = allowed(view.request, verdict)
                return None
            return checked_answer(verdict)
        except Exception:
            log.exception("authenticator %r failed", each, extra=exchange.log_fields())
            return DENIED
