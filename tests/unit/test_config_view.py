"""Tests of `blastbeat.config_view`: a plugin's problem stands where what is wrong was written."""

from __future__ import annotations

import pytest

from blastbeat.config_view import Origin, TableView, VirtualHostView

PLACE = Origin("a.toml", 3, "customer.acme")
KEY = Origin("b.toml", 9, "blastbeat")


@pytest.mark.parametrize(
    "view",
    [
        TableView("customer", "acme", place=PLACE, places={"plan": KEY}),
        VirtualHostView("acme", place=PLACE, places={"plan": KEY}),
    ],
)
def test_a_problem_is_at_its_key_or_at_the_section(view: TableView | VirtualHostView) -> None:
    at_key = view.problem("no such plan", key="plan", value="gold", hint="write silver")
    of_all = view.problem("has no plan", severity="warning")

    assert str(at_key) == "b.toml:9: error: [blastbeat] plan = 'gold': no such plan; write silver"
    assert str(of_all) == "a.toml:3: warning: [customer.acme]: has no plan"


def test_a_key_that_is_not_written_is_missing_in_its_section() -> None:
    problem = TableView("customer", "acme", place=PLACE).problem("is needed", key="plan")
    assert str(problem) == "a.toml:3: error: [customer.acme] plan: is needed"


def test_another_severity_is_refused() -> None:
    with pytest.raises(ValueError, match="severity"):
        TableView("customer", "acme").problem("x", severity="fatal")
