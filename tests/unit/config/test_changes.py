"""Tests of `blastbeat.config.changes`: changes in words that a configuration would use."""

from __future__ import annotations

import pytest

from blastbeat.config.changes import ADDED, CHANGED, Change, HostChange, TableChange, few


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change("rate", "5", "6"), "rate: 5 -> 6"),
        (Change("uid", "not set", "x", restart=True), "uid: not set -> x (needs a restart)"),
        (Change("node", "a", "b", came=("b",), went=("a",)), "node: +b -a"),
        (Change("token", "", ""), "token: changed"),
    ],
)
def test_a_change_in_words(change: Change, text: str) -> None:
    assert str(change) == text


def test_labels_are_safe_to_print_and_as_a_file_has_them() -> None:
    assert HostChange("a.test", "/api", ADDED).label == "a.test route /api"
    assert TableChange("plan", "gold", ADDED).label == "[plan.gold]"
    assert TableChange("plan", "b c\x1b", ADDED).label == '[plan."b c\\u001b"]'


def test_for_programs() -> None:
    change = Change("rate", "5", "6")
    expected = {"key": "rate", "old": "5", "new": "6", "restart": False}
    assert change.as_json() == expected
    table = TableChange("plan", "gold", CHANGED, (change,))
    assert table.as_json() == {"kind": "plan", "name": "gold", "what": "changed", "changes": [expected]}


def test_few_of_many() -> None:
    assert few(["a", "b", "c"]) == "a, b, c"
    assert few(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
