"""Problems tell the place of the row or section they are about, and never run on."""

from __future__ import annotations

import pytest

from blastbeat.config.rows import (
    COMMAND_LINE,
    Row,
    Section,
    by_key,
    plain_value,
    problem_at,
    problem_of,
    show,
)

SECTION = Section("server", "", "blastbeat", "a.ini", 1)


def test_a_problem_with_a_row() -> None:
    problem = problem_at(SECTION, Row("bind", "x", "a.ini", 2), "is bad", "write y", "warning")

    assert str(problem) == "a.ini:2: warning: [blastbeat] bind = 'x': is bad; write y"


def test_a_problem_with_an_option_of_the_command_line() -> None:
    problem = problem_at(SECTION, Row("bind", "x", COMMAND_LINE, 0), "is bad")

    assert str(problem) == "command line: error: --bind = 'x': is bad"


def test_a_problem_with_a_section() -> None:
    assert str(problem_of(SECTION, "is bad")) == "a.ini:1: error: [blastbeat]: is bad"


def test_values_are_shown_as_written_and_short() -> None:
    assert show("a b") == "a b"
    assert show({"name": 5}) == "{'name': 5}"
    assert len(show("x" * 1000)) == 100


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ([Row("a", "x", "f", 1)], "x"),
        ([Row("a", "x", "f", 1), Row("a", "y", "f", 2)], ["x", "y"]),
        ([Row("a", "x", "f", 1, is_listed=True)], ["x"]),
        ([Row("a", "", "f", 1, is_listed=True)], []),
        ([Row("a", "", "f", 1)], ""),
    ],
)
def test_a_plain_value_is_what_its_author_meant(found: list[Row], value: object) -> None:
    assert plain_value(found) == value


def test_rows_by_key_keep_the_order_in_which_keys_came() -> None:
    first, other, again = Row("b", 1, "f", 1), Row("a", 2, "f", 2), Row("b", 3, "f", 3)
    assert list(by_key([first, other, again]).items()) == [("b", [first, again]), ("a", [other])]
