"""What becomes of a request that stands still for too long: 408, 503, 504, or an end (`protocol.md` §6).

What is overdue, and since when, is `progress`'s to find; the stream answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blastbeat.events import CloseReason
from blastbeat.progress import Overdue, Phase

if TYPE_CHECKING:
    from blastbeat.dispatcher import Dispatcher
    from blastbeat.stream import Stream


def expire(stream: Stream, dispatcher: Dispatcher, is_held: bool, now: float) -> None:
    """A deadline of the stream's exchange may have passed. `is_held`: it is us who read no body now."""
    exchange, policy = stream.exchange, stream.policy
    if exchange is None:
        return
    if stream.phase is Phase.HOLDING:
        if now >= stream.progress.held_until:
            dispatcher.holding.time_over(stream, exchange)
        return
    overdue = stream.progress.find_overdue(exchange, policy, is_held, now)
    if overdue is Overdue.UPLOAD:
        stream.abandon(CloseReason.LINGER_OVER, "the upload went on too long after the response")
    elif overdue is Overdue.RESPONSE:
        stream.response_cut(CloseReason.IDLE_TIMEOUT, f"no byte either way for {policy.idle_timeout:g} s")
    elif overdue is Overdue.BODY:
        stream.fail(408, CloseReason.SLOW_REQUEST, f"no byte of the body for {policy.body_timeout:g} s")
    elif overdue is Overdue.HEAD:
        stream.fail(504, CloseReason.RESPONSE_TIMEOUT, f"no answer for {policy.response_timeout:g} s")
