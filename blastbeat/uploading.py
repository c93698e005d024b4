"""The body of a request on its way to the node: asked about by filters, kept for another try, within its
limits.

Functions on a stream, like `failover`. How much may wait, and for how long, is the session's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blastbeat.events import CloseReason
from blastbeat.exchange import Exchange
from blastbeat.filtering import filter_data
from blastbeat.progress import FORWARDING
from blastbeat.session import Session

if TYPE_CHECKING:
    from blastbeat.stream import Stream


def begin(stream: Stream, exchange: Exchange, session: Session) -> None:
    """The head is on its way to `session`: now what came after it."""
    stream.session = session
    stream.phase = FORWARDING
    if exchange.kept:
        for data in exchange.kept:
            session.upload.data(data)
    if stream.pending:
        pending, stream.pending = stream.pending, ()
        for data in pending:
            exchange.keep(data, stream.policy.retry_buffer)
            if exchange.view is not None and _is_refused(stream, exchange, data):
                return
            session.upload.data(data)
    stream.take_body()
    if exchange.request_read and exchange.head.chunked:
        session.upload.data(b"")


def pass_on(stream: Stream, exchange: Exchange, data: bytes) -> None:
    """A piece of it, while a session has the request."""
    session = stream.session
    assert session is not None
    if exchange.response_done:
        exchange.kept_bytes += len(data)
        if exchange.kept_bytes > stream.policy.linger:
            stream.abandon(CloseReason.LINGER_OVER, "too much upload after the response")
            return
    elif exchange.kept is not None:
        exchange.keep(data, stream.policy.retry_buffer)
    if exchange.view is not None and _is_refused(stream, exchange, data):
        return
    session.upload.data(data)


def _is_refused(stream: Stream, exchange: Exchange, data: bytes) -> bool:
    """Whether a filter ended the exchange rather than let this piece go."""
    refusal = filter_data(exchange, stream.virtualhost, stream.client, "in", len(data))
    if refusal is None:
        return False
    stream.refuse(refusal)
    return True
