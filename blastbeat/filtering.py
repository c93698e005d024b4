"""The filters of a virtualhost at work: who is asked when, and what their answers are checked for before they
are believed.

A filter that raises or answers nonsense costs the request it looked at, or is passed over; never more. Knows
neither sessions nor nodes.
"""

from __future__ import annotations

import logging

from blastbeat.client import Client
from blastbeat.errors import ClientError
from blastbeat.events import CloseReason, Headers, ResponseHead
from blastbeat.exchange import Exchange
from blastbeat.headers import is_field
from blastbeat.interfaces import Answer, Filter, Pace, RequestView, Route
from blastbeat.request_changes import routed
from blastbeat.response import BODYLESS_STATUSES
from blastbeat.virtualhost import VirtualHost

log = logging.getLogger(__name__)

MAX_PAUSE = 3600.0
"""Seconds a filter may hold one direction back at a time."""


class FilterFailed(Exception):
    """A filter raised, or returned what it may not: the request can't go on. Already logged."""


def ask_filters(exchange: Exchange, view: RequestView, virtualhost: VirtualHost) -> Answer | None:
    """Lets each filter look at the request, in order: the answer of the first that gives one, or None.

    What they route is in `exchange` then, and in `exchange.passed` who let the request pass. Raises
    FilterFailed.
    """
    filters = virtualhost.filters
    for each in filters:
        exchange.filtered = (*exchange.filtered, each)
        try:
            answer = _follow(exchange, view, each.on_request(view))
        except Exception as error:
            log.exception("filter %r failed", each, extra=exchange.log_fields())
            exchange.passed = exchange.filtered[:-1]
            raise FilterFailed from error
        if answer is not None:
            exchange.passed = exchange.filtered[:-1]
            return answer
    exchange.passed = filters
    return None


def begin_response(
    exchange: Exchange, virtualhost: VirtualHost | None, client: Client, head: ResponseHead
) -> ResponseHead:
    """The final head as the filters that let the request pass want it, whoever answered; its bytes go at the
    pace they say. One that raises is skipped and logged."""
    view, passed = exchange.view, exchange.passed
    assert view is not None and virtualhost is not None
    for each in virtualhost.watches_responses:
        if each not in passed:
            continue
        try:
            head = _checked_head(each.on_response(view, _copied(head)), head)
        except Exception:
            log.exception("filter %r failed", each, extra=exchange.log_fields())
    exchange.status = head.status
    if virtualhost.paces_output:
        paces = [_pace_of(each, exchange, view) for each in virtualhost.paces_output if each in passed]
        found = [pace for pace in paces if pace is not None]
        if found:
            client.pace_output(_Paces(found, exchange))
    return head


def _pace_of(each: Filter, exchange: Exchange, view: RequestView) -> Pace | None:
    try:
        pace = each.on_output(view)
        if pace is None or callable(pace):
            return pace
        raise TypeError(f"{pace!r} is no pace")
    except Exception:
        log.exception("filter %r failed in on_output", each, extra=exchange.log_fields())
        return None


class _Paces:
    """Several paces as one: the slowest. One that fails is not asked again."""

    __slots__ = ("_exchange", "_paces")

    def __init__(self, paces: list[Pace], exchange: Exchange) -> None:
        self._paces = paces
        self._exchange = exchange

    def __call__(self, size: int) -> float:
        wait = 0.0
        for pace in tuple(self._paces):
            try:
                wait = max(wait, pace(size))
            except Exception:
                log.exception("pace %r failed", pace, extra=self._exchange.log_fields())
                self._paces.remove(pace)
        return min(wait, MAX_PAUSE)


def filter_data(
    exchange: Exchange, virtualhost: VirtualHost | None, client: Client, direction: str, size: int
) -> ClientError | None:
    """Payload passes: this direction pauses for the longest that any filter asks for, or the first that
    refuses it ends the exchange."""
    assert exchange.view is not None and virtualhost is not None
    pause = 0.0
    for each in virtualhost.watches_data:
        try:
            pause = max(pause, each.on_data(exchange.view, direction, size))
        except ClientError as error:
            if _is_refusal(error, each, exchange):
                return error
        except Exception:
            log.exception("filter %r failed", each, extra=exchange.log_fields())
    if pause > 0:
        (client.pause_input if direction == "in" else client.pause_output)(min(pause, MAX_PAUSE))
    return None


def filter_message(
    exchange: Exchange, virtualhost: VirtualHost | None, direction: str, size: int
) -> CloseReason | ClientError | None:
    """A WebSocket message passed: the first filter that wants the session ended says why.
    One that raises anything else may have wanted that too."""
    assert exchange.view is not None and virtualhost is not None
    for each in virtualhost.watches_messages:
        try:
            reason = each.on_message(exchange.view, direction, size)
            if reason is not None and not isinstance(reason, CloseReason):
                raise TypeError(f"{reason!r} is no CloseReason")
        except ClientError as error:
            return error if _is_refusal(error, each, exchange) else CloseReason.PLUGIN_ERROR
        except Exception:
            log.exception("filter %r failed", each, extra=exchange.log_fields())
            return CloseReason.PLUGIN_ERROR
        if reason is not None:
            return reason
    return None


def filters_closed(exchange: Exchange) -> None:
    """Each filter that saw the request hears that it is over, exactly once."""
    filtered, exchange.filtered = exchange.filtered, ()
    assert exchange.view is not None
    for each in filtered:
        try:
            each.on_closed(exchange.view)
        except Exception:
            log.exception("filter %r failed in on_closed", each, extra=exchange.log_fields())


# ---------------------------------------------------------------- what plugins return, before it is believed


def _follow(exchange: Exchange, view: RequestView, verdict: object) -> Answer | None:
    """What a filter wants done with the request. Raises TypeError or ValueError for what it can't mean."""
    if verdict is None:
        return None
    if not isinstance(verdict, Route):
        return checked_answer(verdict)
    exchange.request = view.request = routed(view.request, verdict)
    if verdict.nodes is not None:
        if isinstance(verdict.nodes, str):
            raise TypeError(f"Route.nodes is the text {verdict.nodes!r}, not a list of names")
        exchange.node_names = tuple(verdict.nodes)
        view.opens_session = exchange.pinned_node not in exchange.node_names
    return None


def checked_answer(verdict: object) -> Answer:
    """Found here, a text where bytes belong ends one request; found while writing, it would end a turn of the
    loop with everybody's output in it. What is no HTTP is `answers.plugin_answer`'s to find."""
    if not isinstance(verdict, Answer):
        raise TypeError(f"{verdict!r} is no verdict")
    memoryview(verdict.body)
    if not isinstance(verdict.status, int):
        raise TypeError(f"the status {verdict.status!r} is no number")
    if not isinstance(verdict.reason, CloseReason) or not isinstance(verdict.detail, str):
        raise TypeError(f"{verdict!r}: the reason is a CloseReason, the detail a text")
    for field in verdict.headers:
        is_field(*field)
    return verdict


def _is_refusal(error: ClientError, each: Filter, exchange: Exchange) -> bool:
    """False, and logged, for one that can't be answered with."""
    try:
        is_sane = (
            400 <= error.status <= 599
            and all(is_field(*field) for field in error.headers)
            and isinstance(error.limit, str)
            and isinstance(error.reason, str)
        )
    except Exception:  # whatever a plugin put there
        is_sane = False
    if not is_sane:
        fields = exchange.log_fields()
        log.error("filter %r refused with what can't be sent", each, exc_info=error, extra=fields)
    return is_sane


def _copied(head: ResponseHead) -> ResponseHead:
    return _with_framing_of(head, head, list(head.headers))


def _with_framing_of(head: ResponseHead, said: ResponseHead, headers: Headers) -> ResponseHead:
    """Made by hand: `dataclasses.replace` takes five times as long."""
    return ResponseHead(
        head.stream_id, said.status, said.reason, headers, head.length, head.bodyless, said.close
    )


def _checked_head(changed: object, head: ResponseHead) -> ResponseHead:
    """`changed` with the framing of `head`: a filter changes what is said of the body, not the body."""
    if not isinstance(changed, ResponseHead):
        raise TypeError(f"{changed!r} is no ResponseHead")
    is_kept = changed.status == head.status == 101
    if not is_kept and (
        not 200 <= changed.status <= 599 or (changed.status != head.status and _is_bodyless(changed, head))
    ):
        raise ValueError(f"the status can't become {changed.status}")
    known = set(head.headers)  # those were checked where they came from
    if not all(field in known or is_field(*field) for field in changed.headers):
        raise ValueError(f"malformed: {changed!r}")
    if changed.reason != head.reason and not is_field(b"reason", changed.reason):
        raise ValueError(f"malformed: {changed!r}")
    return _with_framing_of(head, changed, changed.headers)


def _is_bodyless(changed: ResponseHead, head: ResponseHead) -> bool:
    """Either has a status that says by itself that no body follows."""
    return head.status == 101 or not BODYLESS_STATUSES.isdisjoint((changed.status, head.status))
