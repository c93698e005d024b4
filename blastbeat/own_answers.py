"""The response the server gives itself instead of a node: errors, and what plugins answer.

Writes down in the exchange what was answered, and whether the connection can outlive it. Sends nothing.
"""

from __future__ import annotations

from blastbeat.answers import error_answer, plugin_answer
from blastbeat.events import ResponseHead
from blastbeat.exchange import Exchange
from blastbeat.interfaces import Answer

FATAL_STATUSES = frozenset({400, 408, 413, 414, 417, 431, 501, 505})
"""After these the connection closes: what follows on it can't be trusted, or will not be read."""


def answer_error(
    exchange: Exchange, status: int, detail: str, is_stopping: bool
) -> tuple[ResponseHead, bytes]:
    """Head and body of an error of `status`, explained by `detail`."""
    close = closes_after(exchange, is_stopping) or status in FATAL_STATUSES
    bodyless = exchange.head.method == b"HEAD"
    return _noted(
        exchange, error_answer(exchange.head.stream_id, status, detail, bodyless=bodyless, close=close)
    )


def answer_for_plugin(exchange: Exchange, answer: Answer, is_stopping: bool) -> tuple[ResponseHead, bytes]:
    """Head and body of what a filter or an authenticator answered."""
    close, bodyless = closes_after(exchange, is_stopping), exchange.head.method == b"HEAD"
    return _noted(exchange, plugin_answer(exchange.head.stream_id, answer, bodyless=bodyless, close=close))


def closes_after(exchange: Exchange, is_stopping: bool) -> bool:
    """True where nothing may follow on this connection. Unread body is not waited for: it may never come."""
    unread = not exchange.request_read and exchange.head.has_body
    return exchange.close_after or unread or is_stopping


def _noted(exchange: Exchange, answered: tuple[ResponseHead, bytes]) -> tuple[ResponseHead, bytes]:
    head, body = answered
    exchange.close_after = head.close
    exchange.status = head.status
    exchange.bytes_out = len(body)
    exchange.response_done = True
    return answered
