"""Keeps the books: what accounts have counted since it last looked, into the month it belongs to; and what
each customer has used of the month, back to where requests are judged.

Runs on a thread of its own (`writer`), reads plain integers that the event loop's thread adds to, and writes
nothing there but `offset`. What can't be written stays in memory, added up, until it can be.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable

from blastbeat_policy.customers import Account, Customer, Customers
from blastbeat_policy.months import months_before
from blastbeat_policy.reasons import NAMES
from blastbeat_policy.sizes import format_size
from blastbeat_policy.storage import Storage
from blastbeat_policy.usage import FIGURES, PlanInForce, Usage, Where

log = logging.getLogger("blastbeat.policy")

KEEP_MONTHS = 120
MAX_PENDING = 200_000
"""Rows that wait for a disk: so many virtualhosts times the months it is gone."""

REMIND = 600.0
"""Seconds between two lines about a disk that still can't be written to."""

LEVELS = (100, 80)
"""Percent of a month's traffic that the log tells of."""


class _Read:
    """An account's sums when the ledger last looked."""

    __slots__ = ("figures", "refused")

    def __init__(self) -> None:
        self.figures = [0] * len(FIGURES)
        self.refused = [0] * len(NAMES)

    @property
    def traffic(self) -> int:
        return self.figures[_BYTES_IN] + self.figures[_BYTES_OUT]


_BYTES_IN, _BYTES_OUT = FIGURES.index("bytes_in"), FIGURES.index("bytes_out")


class Ledger:
    """`storage` None keeps the books in memory only. `wall` is the clock, in seconds since the epoch."""

    def __init__(
        self,
        customers: Customers,
        storage: Storage | None,
        *,
        wall: Callable[[], float],
        keep_months: int = KEEP_MONTHS,
    ) -> None:
        self._customers = customers
        self._storage = storage
        self._wall = wall
        self._keep_months = keep_months
        self.month = customers.calendar.month_of(wall())
        self._read: dict[tuple[str, str], _Read] = {}
        self._pending: dict[Where, Usage] = {}
        self._plans: dict[tuple[str, str], PlanInForce] = {}
        self._known_plans: dict[str, PlanInForce] = {}
        self._is_begun = False
        self.failures = 0
        """Times that the books could not be written."""
        self._is_failing = False
        self._told_at = 0.0
        self._lost = 0  # rows that had no room among those that wait

    def tick(self) -> bool:
        """Looks, writes, and says how much of the month is used. False where it can't be written; never
        raises. The books are closed at the first tick of a month, so call it when one begins."""
        month = self._customers.calendar.month_of(self._wall())
        self._collect()
        if month != self.month:
            self._begin(month)
        is_written = self._write()
        self._note_plans()
        if is_written and self._plans:  # what is used shows only once it is known what others have written
            is_written = self._write()
        return is_written

    def _begin(self, month: str) -> None:
        """Another month: nothing is used of it yet, as far as is known."""
        self.month = month
        self._known_plans, self._is_begun = {}, False
        self._set_offsets({})

    # ------------------------------------------------------------ from the accounts

    def _collect(self) -> None:
        for customer in self._customers:
            for account in tuple(customer.accounts.values()):
                usage = self._since(account)
                if usage:
                    self._add(Where(self.month, account.customer, account.virtualhost), usage)

    def _since(self, account: Account) -> Usage:
        read = self._read.setdefault((account.customer, account.virtualhost), _Read())
        figures = [getattr(account, name) for name in FIGURES]
        refused = account.refused.copy()
        usage = Usage(*(now - before for now, before in zip(figures, read.figures, strict=True)))
        for name, now, before in zip(NAMES, refused, read.refused, strict=True):
            if now != before:
                usage.refused[name] = now - before
        read.figures, read.refused = figures, refused
        return usage

    def _add(self, where: Where, usage: Usage) -> None:
        known = self._pending.get(where)
        if known is not None:
            known.add(usage)
        elif len(self._pending) < MAX_PENDING:
            self._pending[where] = usage
        else:
            self._lost += 1

    # ------------------------------------------------------------ to and from the disk

    def _write(self) -> bool:
        if self._storage is None:
            self._pending.clear()
            self._plans.clear()
            return True
        try:
            if not self._is_begun:
                self._storage.forget_before(months_before(self.month, self._keep_months))
                self._known_plans = self._storage.plans(self.month)
                self._is_begun = True
            if self._pending or self._plans:
                self._storage.write(self._pending, self._plans)
                self._pending, self._plans = {}, {}
            used = self._storage.traffic(self.month)
        except (sqlite3.Error, OSError) as error:
            self._tell_failure(error)
            return False
        self._set_offsets(used)
        if self._is_failing:
            self._is_failing = False
            lost, self._lost = self._lost, 0
            what = f"{lost} rows are lost" if lost else "nothing is lost"
            log.warning("usage is written to %s again; %s", self._storage.path, what)
        return True

    def _set_offsets(self, used: dict[tuple[str, str], int]) -> None:
        """`used` is what the month has in all, also from accounts and servers that are not here."""
        by_customer: dict[str, int] = {}
        for (name, _), count in used.items():
            by_customer[name] = by_customer.get(name, 0) + count
        for customer in self._customers:
            read_all = 0
            for account in tuple(customer.accounts.values()):
                where = account.customer, account.virtualhost
                read = self._read.get(where)
                traffic = read.traffic if read is not None else 0
                account.offset = used.get(where, 0) - traffic
                read_all += traffic
            customer.offset = by_customer.get(customer.name, 0) - read_all

    def _tell_failure(self, error: Exception) -> None:
        assert self._storage is not None
        self.failures += 1
        now = self._wall()
        if self._is_failing and 0 <= now - self._told_at < REMIND:
            return
        self._is_failing, self._told_at = True, now
        log.error("usage can't be written to %s (%s); it is kept in memory and tried again%s",
                  self._storage.path, error,
                  f"; {self._lost} rows are lost" if self._lost else "")  # fmt: skip

    # ------------------------------------------------------------ how much of the month

    def _note_plans(self) -> None:
        for customer in self._customers:
            if not customer.is_configured:
                continue
            known = self._known_plans.get(customer.name, PlanInForce())
            warned = self._warn(customer, known.warned)
            plan = PlanInForce(customer.terms.plan, customer.terms.traffic, warned)
            if plan != known:
                self._known_plans[customer.name] = self._plans[self.month, customer.name] = plan

    def _warn(self, customer: Customer, warned: int) -> int:
        """Tells each level once a month; again where a larger plan had brought it below."""
        limit = customer.terms.traffic
        if limit is None:
            return 0
        used = customer.used
        level = next((each for each in LEVELS if used * 100 >= limit * each), 0)
        if level > warned:
            what = "all" if level == 100 else f"{level} %"
            then = "; its clients are answered 503 until the month ends" if level == 100 else ""
            how_much = f"{format_size(used)} of {format_size(limit)}"
            log.warning("customer %s has used %s of its traffic of %s: %s%s",
                        customer.name, what, self.month, how_much, then)  # fmt: skip
        return level
