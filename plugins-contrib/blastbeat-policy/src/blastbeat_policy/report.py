"""What customers have used, for people, programs and bills. Pure: from rows to text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blastbeat_policy.sizes import format_size
from blastbeat_policy.usage import FIGURES, PlanInForce, Usage, Where


@dataclass(slots=True)
class CustomerReport:
    """One customer's month: all together, and by virtualhost."""

    name: str
    plan: PlanInForce
    total: Usage = field(default_factory=Usage)
    virtualhosts: dict[str, Usage] = field(default_factory=dict)

    @property
    def share(self) -> float | None:
        """Of the month's traffic, 1 for all; None where it is unlimited."""
        return self.total.traffic / self.plan.traffic if self.plan.traffic else None


def collect(usage: Mapping[Where, Usage], plans: Mapping[str, PlanInForce]) -> list[CustomerReport]:
    """By customer, in alphabetical order; those with a plan and without any usage, too."""
    found: dict[str, CustomerReport] = {}
    for name in sorted({*plans, *(where.customer for where in usage)}):
        found[name] = CustomerReport(name, plans.get(name, PlanInForce()))
    for where, one in sorted(usage.items()):
        report = found[where.customer]
        report.total.add(one)
        report.virtualhosts[where.virtualhost] = one
    return list(found.values())


def format_text(month: str, reports: Sequence[CustomerReport]) -> str:
    """A table for a terminal."""
    header = ("customer", "plan", "requests", "refused", "sessions", "in", "out", "traffic", "of", "used")
    rows = [header, *(_row(each.name, each.total, each) for each in reports)]
    if len(reports) == 1:
        rows += [_row(f"  {name}", usage) for name, usage in reports[0].virtualhosts.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [f"usage of {month}", ""]
    for row in rows:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    if not reports:
        lines.append("nothing")
    if len(reports) == 1 and reports[0].total.refused:
        refused = sorted(reports[0].total.refused.items(), key=lambda pair: (-pair[1], pair[0]))
        lines += ["", "refused: " + ", ".join(f"{reason} {times}" for reason, times in refused)]
    return "\n".join(lines) + "\n"


def _row(name: str, usage: Usage, report: CustomerReport | None = None) -> tuple[str, ...]:
    plan = report.plan if report is not None else PlanInForce()
    share = report.share if report is not None else None
    return (
        name,
        plan.plan or ("-" if report is not None else ""),
        str(usage.requests),
        str(sum(usage.refused.values())),
        str(usage.sessions),
        format_size(usage.bytes_in),
        format_size(usage.bytes_out),
        format_size(usage.traffic),
        format_size(plan.traffic) if plan.traffic else ("-" if report is not None else ""),
        f"{share:.0%}" if share is not None else ("-" if report is not None else ""),
    )


def format_json(month: str, timezone: str, reports: Sequence[CustomerReport]) -> str:
    """For programs; bytes and counts as they are."""
    customers = [
        {
            "customer": each.name,
            "plan": each.plan.plan or None,
            "traffic_limit": each.plan.traffic,
            **_data(each.total),
            "virtualhosts": {name: _data(usage) for name, usage in each.virtualhosts.items()},
        }
        for each in reports
    ]
    return json.dumps({"month": month, "timezone": timezone, "customers": customers}, indent=2) + "\n"


def _data(usage: Usage) -> dict[str, Any]:
    figures = {name: getattr(usage, name) for name in FIGURES}
    return {**figures, "traffic": usage.traffic, "refused": dict(sorted(usage.refused.items()))}


CSV_COLUMNS = ("month", "customer", "plan", *FIGURES, "traffic", "traffic_limit", "traffic_over", "refused")


def format_csv(month: str, reports: Sequence[CustomerReport]) -> str:
    """One line per customer (RFC 4180), for billing; `traffic_over` are the bytes beyond the plan's."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    for each in reports:
        total, limit = each.total, each.plan.traffic
        over = max(0, total.traffic - limit) if limit is not None else 0
        refused = sum(total.refused.values())
        writer.writerow(
            [
                month,
                _cell(each.name),
                _cell(each.plan.plan),
                *total.figures(),
                total.traffic,
                "" if limit is None else limit,
                over,
                refused,
            ]
        )
    return out.getvalue()


def _cell(text: str) -> str:
    """A spreadsheet takes what begins so for a formula, and a customer may have chosen its name."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
