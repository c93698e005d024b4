"""Puts the parts together: what is declared and registered, and the notices that keep it up to date.

One object per server, so that two in one process share nothing. Decides nothing itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from blastbeat import hookimpl
from blastbeat.errors import ConfigError, Problem
from blastbeat.interfaces import (
    ConfigView,
    NodeView,
    Options,
    Register,
    RegisterCommand,
    RegisterCounter,
    RegisterOptions,
    SessionView,
)
from blastbeat.validators import text
from blastbeat_policy.command import Command
from blastbeat_policy.customers import DEFAULT_CLIENTS, Customer, Customers
from blastbeat_policy.examine import examine
from blastbeat_policy.filter import PolicyFilter
from blastbeat_policy.keys import CUSTOMER_KEYS, OWN_KEYS, PLAN_KEYS
from blastbeat_policy.ledger import KEEP_MONTHS, Ledger
from blastbeat_policy.months import Calendar
from blastbeat_policy.nodes import Instances, PolicyNodes
from blastbeat_policy.reasons import COUNTERS
from blastbeat_policy.sessions import Places
from blastbeat_policy.storage import Storage
from blastbeat_policy.writer import Writer

WRITE_EVERY = 5.0
"""Seconds: what `kill -9` may lose of the books, twice over."""


class PolicyPlugin:
    """The entry point `policy`."""

    def __init__(self) -> None:
        self._options: Options = {}
        self.customers = Customers()
        self.places = Places()
        self.instances = Instances()
        self.ledger: Ledger | None = None
        self._writer: Writer | None = None

    # ------------------------------------------------------------ the configuration

    @hookimpl
    def blastbeat_register_options(self, register: RegisterOptions) -> None:
        register(OWN_KEYS, self._take_options)
        register.tables("plan", PLAN_KEYS, lambda tables: self.customers.take_plans(tables))
        register.tables("customer", CUSTOMER_KEYS, lambda tables: self.customers.take_customers(tables))
        register.virtualhost_keys({"customer": text}, filters=("policy",), node_authenticators=("policy",))

    def _take_options(self, options: Options) -> None:
        self._options = options
        self.customers = Customers(
            clients=options.get("clients", DEFAULT_CLIENTS),
            calendar=Calendar(options.get("timezone", "UTC")),
        )

    @hookimpl
    def blastbeat_examine_config(self, config: ConfigView) -> Iterable[Problem]:
        return examine(config, self._options.get("file"))

    # ------------------------------------------------------------ what it offers

    @hookimpl
    def blastbeat_register_counters(self, register: RegisterCounter) -> None:
        for name, what in COUNTERS.items():
            register(name, what)

    @hookimpl
    def blastbeat_register_filters(self, register: Register) -> None:
        register("policy", self._make_filter, options={"customer": text})

    @hookimpl
    def blastbeat_register_node_authenticators(self, register: Register) -> None:
        register("policy", self._make_for_nodes, options={"customer": text})

    @hookimpl
    def blastbeat_register_commands(self, register: RegisterCommand) -> None:
        register("policy", self._run_command, summary="what customers have used")

    def _make_filter(self, options: Options) -> PolicyFilter:
        return PolicyFilter(self.customers, self._customer(options), self.places)

    def _make_for_nodes(self, options: Options) -> PolicyNodes:
        return PolicyNodes(self._customer(options), self.instances)

    def _customer(self, options: Mapping[str, str]) -> Customer:
        if "customer" not in options:
            raise ConfigError([Problem('whose policy? Write customer = "NAME" in the virtualhost')])
        return self.customers.get(options["customer"])

    def _run_command(self, arguments: Sequence[str]) -> int:
        return Command(self._options.get("file", ""), self.customers.calendar, time.time).run(arguments)

    # ------------------------------------------------------------ while the server runs

    @hookimpl
    def blastbeat_server_started(self) -> None:
        path = self._options.get("file", "")
        storage = Storage(path) if path else None
        customers = self.customers
        ledger = self.ledger = Ledger(
            customers, storage, wall=time.time, keep_months=self._options.get("keep-months", KEEP_MONTHS)
        )
        self._writer = Writer(
            ledger.tick,
            storage.close if storage is not None else lambda: None,
            self._options.get("write-every", WRITE_EVERY),
            lambda: customers.calendar.seconds_left(time.time()),
        )
        self._writer.start()

    @hookimpl
    def blastbeat_server_stopped(self) -> None:
        if self._writer is not None:
            self._writer.stop()
            self._writer = None

    @hookimpl
    def blastbeat_session_opened(self, view: SessionView) -> None:
        self.places.opened(view.connection.id, view.sid)

    @hookimpl
    def blastbeat_session_retried(self, view: SessionView) -> None:
        self.places.retried(view.sid)

    @hookimpl
    def blastbeat_session_closed(self, view: SessionView) -> None:
        self.places.closed(view.sid)

    @hookimpl
    def blastbeat_node_down(self, view: NodeView) -> None:
        self.instances.node_down(view)
