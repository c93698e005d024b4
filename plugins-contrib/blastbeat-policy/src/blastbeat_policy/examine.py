"""What is wrong with a configuration of plans and customers, told with its place.

Pure; knows the whole configuration as plugins see it, and nothing that runs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from blastbeat.errors import Problem
from blastbeat.interfaces import ConfigView, TableView, VirtualHostView
from blastbeat_policy.keys import BYTES_PER_SECOND, PER_SECOND, PREFIXES
from blastbeat_policy.plans import merge


def examine(config: ConfigView, usage_file: str | None) -> Iterator[Problem]:
    """Errors and warnings. `usage_file` is what `[plugin.policy]` says of it, None where it says nothing."""
    plans, customers = config.tables.get("plan", {}), config.tables.get("customer", {})
    if customers and usage_file is None:
        first = next(iter(customers.values()))
        yield first.problem(
            "there are customers, but nothing says where their usage is kept",
            hint='write file = "/var/lib/blastbeat/usage.sqlite" in [plugin.policy], or file = "" to keep it '
            "in memory only",
        )
    for table in (*plans.values(), *customers.values()):
        yield from _examine_bursts(table, plans)
    for customer in customers.values():
        yield from _examine_customer(customer, plans)
    yield from _examine_virtualhosts(config, plans, customers)


def _examine_bursts(table: TableView, plans: Mapping[str, TableView]) -> Iterator[Problem]:
    plan = plans.get(table.values.get("plan", ""))
    values = merge(plan.values if plan is not None else {}, table.values)
    for prefix in PREFIXES:
        for name in (*PER_SECOND, *BYTES_PER_SECOND):
            key, burst = f"{prefix}{name}", f"{prefix}{name}-burst"
            if burst in table.values and key not in values:
                yield table.problem(f"says how far `{key}` may be exceeded, which is not set", key=burst)


def _examine_customer(customer: TableView, plans: Mapping[str, TableView]) -> Iterator[Problem]:
    name = customer.values.get("plan")
    if name is None:
        yield customer.problem("names no plan", hint='write plan = "NAME" of a [plan.NAME]')
    elif name not in plans:
        known = ", ".join(plans) or "none"
        hint = _near(name, plans)
        yield customer.problem(
            f"there is no [plan.{name}]; plans: {known}", key="plan", value=name, hint=hint
        )


def _examine_virtualhosts(
    config: ConfigView, plans: Mapping[str, TableView], customers: Mapping[str, TableView]
) -> Iterator[Problem]:
    of: dict[str, list[VirtualHostView]] = {}
    for virtualhost in config.virtualhosts:
        name = virtualhost.values.get("customer")
        if name is None:
            continue
        if name in customers:
            of.setdefault(name, []).append(virtualhost)
            continue
        known = ", ".join(customers) or "none"
        hint = _near(name, customers)
        yield virtualhost.problem(
            f"there is no [customer.{name}]; customers: {known}", key="customer", value=name, hint=hint
        )
    for name, table in customers.items():
        if name not in of:
            yield table.problem("no virtualhost belongs to this customer", severity="warning")
            continue
        plan = plans.get(table.values.get("plan", ""))
        if plan is not None:
            yield from _examine_nodes(table, merge(plan.values, table.values).get("nodes"), of[name])


def _examine_nodes(
    table: TableView, limit: int | None, virtualhosts: list[VirtualHostView]
) -> Iterator[Problem]:
    """One name on two ROUTERs is two nodes."""
    seen: set[tuple[tuple[str, ...], str]] = set()
    for virtualhost in virtualhosts:
        seen.update((virtualhost.endpoints, node) for node in virtualhost.nodes)
        if limit is not None and len(seen) > limit:
            yield virtualhost.problem(
                f"customer {table.name} has {len(seen)} nodes with those of this virtualhost, its plan "
                f"allows {limit}",
                key="node",
                hint=f"give [customer.{table.name}] a larger `nodes`, or it fewer nodes",
            )
            return


def _near(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {found[0]!r}?" if found else ""
