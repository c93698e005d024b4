"""The customers of one server: what holds for each now, and what each has used since the server started.

Counted on the event loop's thread; another thread only reads the sums (`ledger`). Knows no request and no
disk. A customer stays the same object over every reload, so that no count is lost; nothing is taken from
those who are being served.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from blastbeat.interfaces import Options
from blastbeat_policy.keys import BYTES_PER_SECOND, PER_SECOND
from blastbeat_policy.meters import Meter, SessionCount
from blastbeat_policy.months import Calendar
from blastbeat_policy.plans import Terms, make_terms
from blastbeat_policy.reasons import NAMES

DEFAULT_CLIENTS = 10_000


class Account:
    """What one virtualhost of one customer has used. Sums since the server started; never reset.

    `offset` is what the month's traffic was apart from these sums: `used` is the month's. The ledger sets it.
    """

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "customer",
        "key",
        "messages_in",
        "messages_out",
        "offset",
        "refused",
        "requests",
        "sessions",
        "virtualhost",
    )

    def __init__(self, customer: str, virtualhost: str) -> None:
        self.customer = customer
        self.virtualhost = virtualhost
        self.key = virtualhost.encode("utf-8", "surrogateescape")
        self.requests = self.sessions = 0
        self.bytes_in = self.bytes_out = 0
        self.messages_in = self.messages_out = 0
        self.refused = [0] * len(NAMES)
        self.offset = 0

    @property
    def used(self) -> int:
        """Bytes of this month, both ways."""
        return self.offset + self.bytes_in + self.bytes_out


class Customer:
    """One customer. `terms` may be replaced at any time, what was counted stays."""

    __slots__ = (
        "accounts",
        "download",
        "is_configured",
        "messages",
        "name",
        "new_sessions",
        "offset",
        "requests",
        "sessions",
        "terms",
        "traffic",
        "upload",
    )

    def __init__(self, name: str, clients: int = DEFAULT_CLIENTS) -> None:
        self.name = name
        self.is_configured = False
        self.terms = Terms()
        self.sessions = SessionCount()
        self.new_sessions = Meter("new-sessions", clients)
        self.requests = Meter("requests", clients)
        self.messages = Meter("messages", clients)
        self.upload = Meter("upload", clients)
        self.download = Meter("download", clients)
        self.accounts: dict[str, Account] = {}
        self.traffic = 0
        """Bytes of all its accounts since the server started."""
        self.offset = 0
        """The month's traffic apart from that. The ledger sets it."""

    @property
    def used(self) -> int:
        """Bytes of this month, both ways."""
        return self.offset + self.traffic

    def account(self, virtualhost: str) -> Account:
        """Of this virtualhost; made where there is none yet."""
        found = self.accounts.get(virtualhost)
        if found is None:
            found = self.accounts[virtualhost] = Account(self.name, virtualhost)
        return found

    def apply(self, terms: Terms, now: float) -> None:
        """These hold from now on."""
        self.terms = terms
        self.sessions.apply(terms.sessions)
        for name in (*PER_SECOND, *BYTES_PER_SECOND):
            meter: Meter = getattr(self, name.replace("-", "_"))
            meter.apply(terms.rates, now)


class Customers:
    """All of them. `monotonic` is the clock of `RequestView.now`, `wall` says which month it is."""

    def __init__(
        self,
        *,
        clients: int = DEFAULT_CLIENTS,
        calendar: Calendar | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.clients = clients
        self.calendar = calendar or Calendar()
        self.wall = wall
        self._monotonic = monotonic
        self._by_name: dict[str, Customer] = {}
        self._plans: Mapping[str, Options] = {}
        self._tables: Mapping[str, Options] = {}
        self._applied: dict[str, tuple[Options, Options]] = {}

    def get(self, name: str) -> Customer:
        """The customer of this name. A virtualhost may be made before its customer's table has come."""
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name[name] = Customer(name, self.clients)
        return found

    def __iter__(self) -> Iterator[Customer]:
        # A copy: another thread iterates, too.
        return iter(tuple(self._by_name.values()))

    def take_plans(self, plans: Mapping[str, Options]) -> None:
        """The tables `[plan.NAME]` that hold from now on."""
        self._plans = dict(plans)
        self._apply()

    def take_customers(self, tables: Mapping[str, Options]) -> None:
        """The tables `[customer.NAME]` that hold from now on."""
        self._tables = dict(tables)
        self._apply()

    def _apply(self) -> None:
        """The two kinds of tables come one after the other: a customer whose plan is not among these keeps
        what it has until the other kind has come."""
        now = self._monotonic()
        for customer in self._by_name.values():
            customer.is_configured = customer.name in self._tables
        for name, own in self._tables.items():
            plan_name = own.get("plan", "")
            plan = self._plans.get(plan_name)
            if plan is None:
                continue
            customer = self.get(name)
            customer.is_configured = True
            # Ten thousand customers take half a second, and the event loop waits: only those that changed.
            if self._applied.get(name) != (plan, own):
                self._applied[name] = plan, own
                customer.apply(make_terms(plan_name, plan, own), now)
