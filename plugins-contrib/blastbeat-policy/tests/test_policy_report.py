"""Usage for people, programs and bills."""

from __future__ import annotations

import csv
import io
import json

import pytest

from blastbeat_policy.report import collect, format_csv, format_json, format_text
from blastbeat_policy.sizes import format_size
from blastbeat_policy.usage import PlanInForce, Usage, Where

MONTH = "2026-11"
USAGE = {
    Where(MONTH, "acme", "www.acme.example"): Usage(10, 4, 1_000, 2_000_000, 5, 6, {"requests": 3}),
    Where(MONTH, "acme", "api.acme.example"): Usage(1, 1, 0, 500),
    Where(MONTH, "bolt", "bolt.example"): Usage(2, 2, 1, 1),
}
PLANS = {"acme": PlanInForce("bronze", 2_000_000), "quiet": PlanInForce("gold")}
REPORTS = collect(USAGE, PLANS)


def test_customers_are_the_sums_of_their_virtualhosts() -> None:
    acme = REPORTS[0]
    assert [each.name for each in REPORTS] == ["acme", "bolt", "quiet"]
    assert acme.total == Usage(11, 5, 1_000, 2_000_500, 5, 6, {"requests": 3})
    assert USAGE[Where(MONTH, "acme", "www.acme.example")].requests == 10, "nothing was added to it"
    assert acme.share == pytest.approx(1.00075) and REPORTS[1].share is None


def test_the_table() -> None:
    lines = format_text(MONTH, REPORTS).splitlines()
    assert lines[0] == "usage of 2026-11"
    assert lines[2].split() == "customer plan requests refused sessions in out traffic of used".split()
    assert lines[3].split() == "acme bronze 11 3 5 1 kB 2 MB 2 MB 2 MB 100%".split()
    assert lines[4].split()[:3] == ["bolt", "-", "2"]
    assert len(lines) == 6


def test_one_customer_in_detail() -> None:
    text = format_text(MONTH, REPORTS[:1])
    assert "  api.acme.example" in text and "refused: requests 3" in text


def test_a_month_without_anything() -> None:
    assert format_text(MONTH, []).splitlines()[-1] == "nothing"


def test_json() -> None:
    data = json.loads(format_json(MONTH, "Europe/Rome", REPORTS))
    assert data["month"] == MONTH and data["timezone"] == "Europe/Rome"
    acme = data["customers"][0]
    assert acme["traffic"] == 2_001_500 and acme["traffic_limit"] == 2_000_000
    assert acme["refused"] == {"requests": 3}
    assert acme["virtualhosts"]["api.acme.example"]["requests"] == 1
    assert data["customers"][2]["traffic_limit"] is None


def test_csv_is_a_line_for_each_customer() -> None:
    rows = list(csv.DictReader(io.StringIO(format_csv(MONTH, REPORTS))))
    assert [row["customer"] for row in rows] == ["acme", "bolt", "quiet"]
    assert rows[0] == {
        "month": MONTH,
        "customer": "acme",
        "plan": "bronze",
        "requests": "11",
        "sessions": "5",
        "bytes_in": "1000",
        "bytes_out": "2000500",
        "messages_in": "5",
        "messages_out": "6",
        "traffic": "2001500",
        "traffic_limit": "2000000",
        "traffic_over": "1500",
        "refused": "3",
    }


def test_csv_holds_no_formula() -> None:
    reports = collect({Where(MONTH, "=1+1", "a,b"): Usage(1)}, {})
    assert next(csv.DictReader(io.StringIO(format_csv(MONTH, reports))))["customer"] == "'=1+1"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1234, "1.23 kB"),
        (999_500, "1 MB"),
        (5 * 10**14, "500 TB"),
        (-3, "-3 B"),
        (10**19, "1e+04 PB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert format_size(count) == text
