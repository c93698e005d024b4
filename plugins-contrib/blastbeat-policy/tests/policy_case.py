"""A customer with terms, and requests to it, for the unit tests: no server, a clock that stands still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from blastbeat.interfaces import Answer, Options, RequestView
from blastbeat.testing import make_connection_view, make_request
from blastbeat_policy.customers import Customers
from blastbeat_policy.filter import PolicyFilter
from blastbeat_policy.keys import PLAN_KEYS
from blastbeat_policy.months import Calendar
from blastbeat_policy.sessions import Places

NOVEMBER = 1_794_873_600.0
"""2026-11-17 00:00 UTC: the wall clock of these tests. The month has fourteen days left."""


def validated(keys: Mapping[str, Any]) -> Options:
    """The values of a table as the server hands them out; `_` stands for `-` in names."""
    named = {key.replace("_", "-"): value for key, value in keys.items()}
    return {key: value if key == "plan" else PLAN_KEYS[key](value) for key, value in named.items()}


class Case:
    """The customer `acme` on the plan `bronze`, which says `terms`."""

    def __init__(self, **terms: Any) -> None:
        self.now = 1000.0
        self.wall = NOVEMBER
        self.counted: Counter[str] = Counter()
        self.places = Places()
        self.customers = Customers(
            clients=100, calendar=Calendar("UTC"), monotonic=lambda: self.now, wall=lambda: self.wall
        )
        self.change(**terms)
        self.customer = self.customers.get("acme")
        self._connections = 0

    def change(self, **terms: Any) -> None:
        """As a reload does."""
        self.customers.take_plans({"bronze": validated(terms)})
        self.customers.take_customers({"acme": {"plan": "bronze"}})

    def new_filter(self, customer: str = "acme") -> PolicyFilter:
        return PolicyFilter(self.customers, self.customers.get(customer), self.places)

    def view(
        self, *, opens: bool = True, virtualhost: str = "www.acme.example", **request: Any
    ) -> RequestView:
        """A request on a connection of its own."""
        self._connections += 1
        return RequestView(
            make_request(virtualhost=virtualhost, **request),
            make_connection_view(id=self._connections),
            now=lambda: self.now,
            count=lambda name: self.counted.update([name]),
            opens_session=opens,
        )

    def ask(self, subject: PolicyFilter | None = None, **request: Any) -> Answer | None:
        """What becomes of one request, from a new client unless `remote_addr` says which."""
        return (subject or self.new_filter()).on_request(self.view(**request))


def retry_after(answer: Answer | None) -> int:
    assert answer is not None
    return int(dict(answer.headers)[b"Retry-After"])
