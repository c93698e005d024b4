"""The filter `policy`: asks a customer's terms about each request, and counts what it uses.

Where several limits are reached, the one that bites longest answers. What is refused counts as refused only:
it takes nothing from any rate. Knows no configuration and no disk.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from blastbeat.buckets import client_of
from blastbeat.errors import ClientError
from blastbeat.events import CloseReason
from blastbeat.interfaces import Answer, Filter, Pace, RequestView
from blastbeat_policy.customers import Account, Customer, Customers
from blastbeat_policy.meters import Keys, Meter
from blastbeat_policy.reasons import INDEX
from blastbeat_policy.sessions import Place, Places

NOTE = "policy"

RETRY_SOON = 1
"""Seconds a client is asked to wait while all sessions are taken: one of them may end at any time."""

MAX_AHEAD = 10.0
"""Seconds of messages that a WebSocket client may have sent too early before it was read from no more: what
is in one read of a socket must not keep a client that answers pings from being heard for minutes."""

_COUNTERS = {reason: f"policy.{reason}" for reason in INDEX}


class Use:
    """One request that was let through, until it is over."""

    __slots__ = ("account", "body", "keys", "place", "wait")

    def __init__(self, account: Account, keys: Keys) -> None:
        self.account = account
        self.keys = keys
        self.place: Place | None = None
        self.body = 0
        self.wait = 0.0
        """Seconds that the last message of a WebSocket came too early."""


class PolicyFilter(Filter):
    """Of one virtualhost, or of one of its routes; those of a customer share what they limit."""

    def __init__(self, customers: Customers, customer: Customer, places: Places) -> None:
        self._customers = customers
        self._customer = customer
        self._places = places

    # ------------------------------------------------------------ requests

    def on_request(self, view: RequestView) -> Answer | None:
        if NOTE in view.notes:
            return None  # it is listed twice, and counted once
        customer, request = self._customer, view.request
        account = customer.accounts.get(request.virtualhost) or customer.account(request.virtualhost)
        keys: Keys = (client_of(request.remote_addr), account.key, b"")
        refusal = self._refused_by_terms(view, account) or self._refused_by_rates(view, account, keys)
        if refusal is not None:
            return refusal
        use = view.notes[NOTE] = Use(account, keys)
        account.requests += 1
        if view.opens_session:
            use.place = Place(customer, account, keys, view.connection.id)
            self._places.take(use.place)
        return None

    def _refused_by_terms(self, view: RequestView, account: Account) -> Answer | None:
        """What no waiting helps against, or a long one."""
        customer, request = self._customer, view.request
        terms = customer.terms
        if terms.maintenance is not None:
            inside = terms.maintenance_networks
            if inside is None or not inside.admit(request.remote_addr.decode("ascii", "replace")):
                _count(view, account, "maintenance")
                return terms.maintenance
        if terms.methods is not None and request.method not in terms.methods:
            method = request.method.decode("ascii", "replace")
            return _refuse(
                view, account, 405, "methods", f"{method} is not allowed", [(b"Allow", terms.allowed)]
            )
        if terms.max_body is not None and (request.content_length or 0) > terms.max_body:
            return _refuse(view, account, 413, "max-body", _too_large(terms.max_body))
        reason = self._used_up(account)
        if reason:
            left = math.ceil(self._customers.calendar.seconds_left(self._customers.wall()))
            return _refuse(view, account, 503, reason, "the month's traffic is used up", _retry_after(left))
        return None

    def _used_up(self, account: Account) -> str:
        """The traffic that is, by key; empty where there is some left."""
        terms, customer = self._customer.terms, self._customer
        if terms.traffic is not None and customer.offset + customer.traffic >= terms.traffic:
            return "traffic"
        if terms.virtualhost_traffic is not None and account.used >= terms.virtualhost_traffic:
            return "virtualhost-traffic"
        return ""

    def _refused_by_rates(self, view: RequestView, account: Account, keys: Keys) -> Answer | None:
        customer, opens = self._customer, view.opens_session
        if opens and customer.sessions.limits:
            reached = customer.sessions.reached(keys)
            if reached is not None:
                reason, limit = reached
                return _refuse(
                    view, account, 503, reason, _over(reason, str(limit)), _retry_after(RETRY_SOON)
                )
        requests, sessions = customer.requests, customer.new_sessions
        counts_session = opens and bool(sessions.parts)
        if not requests.parts and not counts_session:
            return None
        now = view.now()
        wait, reason, meter = *requests.longest(keys, now), requests
        if counts_session:
            longer, other = sessions.longest(keys, now)
            if longer > wait:
                wait, reason, meter = longer, other, sessions
        if wait > 0:
            detail = _over(reason, meter.written(reason))
            return _refuse(view, account, 429, reason, detail, _retry_after(math.ceil(wait)))
        _charge(view, requests, keys, 1, now)
        if counts_session:
            _charge(view, sessions, keys, 1, now)
        return None

    def on_closed(self, view: RequestView) -> None:
        use = view.notes.get(NOTE)
        if use is not None and use.place is not None:
            self._places.give_back(use.place)

    # ------------------------------------------------------------ bytes

    def on_output(self, view: RequestView) -> Pace | None:
        use, download = view.notes.get(NOTE), self._customer.download
        if use is None or not download.parts:
            return None
        now, keys = view.now, use.keys

        def pace(n: int) -> float:
            time = now()
            wait, _ = download.longest(keys, time)
            _charge(view, download, keys, n, time)
            return wait

        return pace

    def on_data(self, view: RequestView, direction: str, n: int) -> float:
        use: Use | None = view.notes.get(NOTE)
        if use is None:
            return 0.0
        customer, account = self._customer, use.account
        customer.traffic += n
        if direction == "out":
            account.bytes_out += n
            return 0.0
        account.bytes_in += n
        use.body += n
        limit = customer.terms.max_body
        if limit is not None and use.body > limit and not view.request.upgrade:
            raise _refusal(view, account, 413, "max-body", _too_large(limit))
        wait, use.wait = use.wait, 0.0
        if customer.upload.parts:
            now = view.now()
            _charge(view, customer.upload, use.keys, n, now)
            wait = max(wait, customer.upload.longest(use.keys, now)[0])
        return wait

    # ------------------------------------------------------------ messages of WebSockets

    def on_message(self, view: RequestView, direction: str, n: int) -> None:
        use: Use | None = view.notes.get(NOTE)
        if use is None:
            return
        customer, account = self._customer, use.account
        if direction == "out":
            account.messages_out += 1
        else:
            account.messages_in += 1
            if customer.messages.parts:
                self._meter_message(view, use)
        reason = self._used_up(account)
        if reason:
            raise _refusal(view, account, 503, reason, "the month's traffic is used up")

    def _meter_message(self, view: RequestView, use: Use) -> None:
        """Who is too early is not read from until it would be in time, or is closed."""
        messages, now = self._customer.messages, view.now()
        if self._customer.terms.closes_on_messages:
            wait, reason = messages.longest(use.keys, now)
            if wait > 0:
                raise _refusal(view, use.account, 429, reason, _over(reason, messages.written(reason)))
            _charge(view, messages, use.keys, 1, now)
            return
        _charge(view, messages, use.keys, 1, now)
        use.wait, reason = messages.longest(use.keys, now)
        if use.wait > MAX_AHEAD:
            raise _refusal(view, use.account, 429, reason, f"{use.wait:.0f} s ahead of the policy's {reason}")
        if use.wait > 0:
            _count(view, use.account, reason)


def _charge(view: RequestView, meter: Meter, keys: Keys, amount: float, now: float) -> None:
    if meter.parts and meter.charge(keys, amount, now):
        view.count("policy.clients-forgotten")


def _count(view: RequestView, account: Account, reason: str) -> None:
    account.refused[INDEX[reason]] += 1
    view.count(_COUNTERS[reason])


def _refusal(view: RequestView, account: Account, status: int, reason: str, detail: str) -> ClientError:
    """What ends a request that had been let through."""
    _count(view, account, reason)
    return ClientError(status, detail, limit=f"policy.{reason}")


def _refuse(
    view: RequestView,
    account: Account,
    status: int,
    reason: str,
    detail: str,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> Answer:
    _count(view, account, reason)
    return Answer(status, b"", headers, CloseReason.LIMIT, detail, limit=f"policy.{reason}")


def _retry_after(seconds: int) -> Sequence[tuple[bytes, bytes]]:
    return ((b"Retry-After", b"%d" % seconds),)


def _over(reason: str, written: str) -> str:
    return f"over the policy's {reason} = {written}"


def _too_large(limit: int) -> str:
    return f"the body is larger than {limit} bytes, which is all that is allowed"
