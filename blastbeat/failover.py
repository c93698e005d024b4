"""What becomes of a request whose session is lost: it goes once more to a node, is answered, or is cut.

`protocol.md` §2 Leftovers (a stale `end`), §4 `retry`, §6 502. Decides; the dispatcher places,
the stream answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blastbeat.events import CloseReason
from blastbeat.progress import Phase

if TYPE_CHECKING:
    from blastbeat.dispatcher import Dispatcher
    from blastbeat.stream import Stream

REPEATABLE = (b"GET", b"HEAD", b"OPTIONS")
"""Methods of a request that goes once more after a stale `end`, unless it has a body."""


def try_next_instance(stream: Stream, dispatcher: Dispatcher, reason: CloseReason, detail: str) -> None:
    """One more hop, to an instance that was not asked yet; 502 or 503 where there can be none."""
    exchange, session = stream.exchange, stream.session
    assert exchange is not None and session is not None
    exchange.tried |= {session.instance}
    exchange.hops += 1
    # One that asks for `retry` is healthy: 503. One that went away owes the answer: 502 (§4, §6).
    exchange.none_left = 502 if reason is CloseReason.NODE_GONE else 503
    dispatcher.session_retried(session, reason)
    stream.drop_session(reason)
    if exchange.kept is None:
        stream.fail(502, reason, "more body was forwarded than `retry-buffer` keeps")
    elif stream.policy.max_hops and exchange.hops >= stream.policy.max_hops:
        stream.fail(exchange.none_left, reason, f"{exchange.hops} instances were tried")
    else:
        dispatcher.counters.add("hops.retried")
        stream.phase = Phase.ADMITTING
        dispatcher.placement.place(stream, exchange)


def session_ended_before(stream: Stream, dispatcher: Dispatcher) -> None:
    """The node had ended the session before it saw this request: a new session, where that is harmless."""
    exchange = stream.exchange
    assert exchange is not None
    stream.drop_session(CloseReason.NODE_END)
    harmless = exchange.head.method in REPEATABLE and not exchange.head.has_body
    if harmless and not exchange.replayed:
        exchange.replayed = True
        stream.phase = Phase.ADMITTING
        dispatcher.placement.place(stream, exchange)
    else:
        stream.abandon(CloseReason.NODE_END, "the node ended the session as the request came")


def instance_lost(stream: Stream, dispatcher: Dispatcher, reason: CloseReason, detail: str) -> None:
    """The instance of the stream's session is gone for good. What still waited for it was seen by no node: it
    may go to another, whatever its method."""
    exchange, session, virtualhost = stream.exchange, stream.session, stream.virtualhost
    if exchange is None or session is None or virtualhost is None or stream.phase is Phase.ADMITTING:
        stream.drop_session(reason)  # no request of it is on its way: the next one takes another session
    elif exchange.response_done:
        stream.abandon(reason, detail)
    elif not session.response.state.awaits_head:
        stream.response_cut(reason, detail)
    elif exchange.may_repeat(virtualhost.retry_methods) or session.instance.outbox.has_head(session.sid):
        try_next_instance(stream, dispatcher, reason, detail)
    else:
        stream.fail(502, reason, detail)
