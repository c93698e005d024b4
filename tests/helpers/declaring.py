"""A plugin that declares tables and keys of virtualhosts, as one with policies for customers would."""

from __future__ import annotations

from collections.abc import Iterator

from blastbeat import hookimpl
from blastbeat.errors import Problem
from blastbeat.interfaces import (
    Answer,
    ConfigView,
    Filter,
    Options,
    Register,
    RegisterOptions,
    RequestView,
    Tables,
)
from blastbeat.validators import secret, several, text, whole


class CustomerFilter(Filter):
    """Answers `/customer`, names the customer on any other response."""

    def __init__(self, plugin: Customers, options: Options) -> None:
        self._plugin = plugin
        self._name = options["customer"]

    def on_request(self, view: RequestView) -> Answer | None:
        if view.path != b"/customer":
            return None
        plan = self._plugin.customers.get(self._name, {}).get("plan", "none")
        return Answer(200, f"{self._name} {plan}".encode())


class Customers:
    """`[customer.NAME]` names a plan, `[plan.NAME]` has a rate; `customer` in a virtualhost is one of the
    former. `received` are all tables it was handed, in that order."""

    def __init__(self) -> None:
        self.customers: Tables = {}
        self.received: list[tuple[str, dict[str, Options]]] = []
        self.fails_to_receive = False
        self.made = 0

    @hookimpl
    def blastbeat_register_options(self, register: RegisterOptions) -> None:
        keys = {"plan": text, "contact": several(text), "token": secret(text)}
        register.tables("customer", keys, self._receive_customers)
        register.tables("plan", {"rate": whole(1, 100)}, self._receive_plans)
        register.virtualhost_keys({"customer": text, "note": text}, filters=("customer",))

    def _receive_customers(self, tables: Tables) -> None:
        self.received.append(("customer", dict(tables)))
        self.customers = tables

    def _receive_plans(self, tables: Tables) -> None:
        self.received.append(("plan", dict(tables)))
        if self.fails_to_receive:
            raise RuntimeError("no room")

    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None:
        register("customer", self._new_filter, options={"customer": text})

    def _new_filter(self, options: Options) -> Filter:
        self.made += 1
        return CustomerFilter(self, options)

    @hookimpl
    def blastbeat_examine_config(self, config: ConfigView) -> Iterator[Problem]:
        for host in config.virtualhosts:
            name = host.values.get("customer", "")
            if name and name not in config.tables["customer"]:
                yield host.problem(f"there is no [customer.{name}]", key="customer", value=name)
        for customer in config.tables["customer"].values():
            plan = customer.values.get("plan", "")
            if plan not in config.tables["plan"]:
                yield customer.problem(f"there is no [plan.{plan}]", key="plan", value=plan)
            if not customer.values.get("contact"):
                yield customer.problem("nobody to call", severity="warning")
