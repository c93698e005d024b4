"""Sends a stream's client what no node said: an error of the server's, or what a plugin answers.

What stands in it is `own_answers`'s to make; what it means for the connection is the stream's to decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blastbeat.errors import ClientError
from blastbeat.events import CloseReason, ResponseHead
from blastbeat.exchange import Exchange
from blastbeat.filtering import begin_response
from blastbeat.interfaces import Answer
from blastbeat.own_answers import answer_error, answer_for_plugin, find_page
from blastbeat.progress import Phase
from blastbeat.virtualhost import VirtualHost

if TYPE_CHECKING:
    from blastbeat.dispatcher import Dispatcher
    from blastbeat.stream import Stream


def send_error(
    stream: Stream, dispatcher: Dispatcher, exchange: Exchange, status: int, reason: CloseReason, detail: str
) -> None:
    """An error of `status`, explained by `detail`."""
    dispatcher.counters.add(f"answers.{status}")
    page = find_page(exchange, stream.virtualhost, dispatcher.pages, status)
    answered = answer_error(exchange, status, detail, dispatcher.is_stopping, page)
    _send(stream, exchange, *answered, reason, detail)


def send_refusal(
    stream: Stream, dispatcher: Dispatcher, exchange: Exchange, error: ClientError, reason: CloseReason
) -> None:
    """An error, as a filter wants it that saw the request's body pass."""
    dispatcher.counters.add("answers.plugin")
    page = find_page(exchange, stream.virtualhost, dispatcher.pages, error.status)
    stopping = dispatcher.is_stopping
    answered = answer_error(exchange, error.status, error.reason, stopping, page, error.headers)
    _send(stream, exchange, *answered, reason, error.reason)


def give_answer(stream: Stream, virtualhost: VirtualHost, answer: Answer, who: object) -> None:
    """What a filter or an authenticator answers, counted where it hit a limit."""
    if answer.limit:
        virtualhost.tally.hit(answer.limit)
    stream.answer(answer, answer.reason, answer.detail or type(who).__name__)


def send_answer(
    stream: Stream,
    dispatcher: Dispatcher,
    exchange: Exchange,
    answer: Answer,
    reason: CloseReason,
    detail: str,
) -> None:
    """A plugin's response instead of a node's."""
    dispatcher.counters.add("answers.plugin")
    page = find_page(exchange, stream.virtualhost, dispatcher.pages, answer.status)
    answered = answer_for_plugin(exchange, answer, dispatcher.is_stopping, page)
    _send(stream, exchange, *answered, reason, detail)


def _send(
    stream: Stream, exchange: Exchange, head: ResponseHead, body: bytes, reason: CloseReason, detail: str
) -> None:
    exchange.reason, exchange.detail = reason, detail
    if exchange.passed:
        head = begin_response(exchange, stream.virtualhost, stream.client, head)
    stream.client.send_head(head)
    if body:
        stream.client.send_data(body)
    if stream.exchange is not exchange:
        return  # the client had too much waiting already, and was given up
    stream.client.send_end()
    stream.phase = Phase.ANSWERED
    if exchange.close_after or exchange.request_read:
        stream.finish()
