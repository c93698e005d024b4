"""The response the server gives itself instead of a node: errors, and what plugins answer.

Writes down in the exchange what was answered, and whether the connection can outlive it. Sends nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from blastbeat.answers import error_answer, plugin_answer
from blastbeat.events import ResponseHead
from blastbeat.exchange import Exchange
from blastbeat.interfaces import Answer
from blastbeat.pages import Page, Pages
from blastbeat.virtualhost import VirtualHost

FATAL_STATUSES = frozenset({400, 408, 413, 414, 417, 431, 501, 505})
"""After these the connection closes: what follows on it can't be trusted, or will not be read."""


def answer_error(
    exchange: Exchange,
    status: int,
    detail: str,
    is_stopping: bool,
    page: Page | None = None,
    extra: Sequence[tuple[bytes, bytes]] = (),
) -> tuple[ResponseHead, bytes]:
    """Head and body of an error of `status`: `page`, or a text that explains it by `detail`."""
    close = closes_after(exchange, is_stopping) or status in FATAL_STATUSES
    bodyless = exchange.head.method == b"HEAD"
    stream_id = exchange.head.stream_id
    answered = error_answer(stream_id, status, detail, bodyless=bodyless, close=close, page=page, extra=extra)
    return _noted(exchange, answered)


def answer_for_plugin(
    exchange: Exchange, answer: Answer, is_stopping: bool, page: Page | None = None
) -> tuple[ResponseHead, bytes]:
    """Head and body of what a filter or an authenticator answered."""
    close, bodyless = closes_after(exchange, is_stopping), exchange.head.method == b"HEAD"
    return _noted(
        exchange, plugin_answer(exchange.head.stream_id, answer, bodyless=bodyless, close=close, page=page)
    )


def find_page(exchange: Exchange, virtualhost: VirtualHost | None, shared: Pages, status: int) -> Page | None:
    """The page for an answer with `status`: the virtualhost's where the request got so far, else the server's
    own. `offline` is for the 503 that only somebody's coming could have prevented."""
    if virtualhost is None or not exchange.virtualhost:
        return shared.by_status.get(status)
    pages = virtualhost.pages
    if not pages:
        return None
    if status == 503 and pages.offline and not virtualhost.candidates(exchange.node_names, set()):
        return pages.offline
    return pages.by_status.get(status)


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
