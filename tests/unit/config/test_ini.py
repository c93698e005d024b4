"""The ini notation: sections, rows, comments, and what is said about lines that are neither."""

from __future__ import annotations

import pytest

from blastbeat.config.ini import read_ini


def values(text: str) -> list[tuple[str, object]]:
    document = read_ini(text, "a.ini")
    assert document.problems == []
    return [(row.key, row.value) for section in document.sections for row in section.rows]


def test_sections_of_every_kind_with_their_places() -> None:
    text = "[blastbeat]\na=1\n[blastbeat:localhost:8000]\n[blastbeat:[::1]:8000]\n"
    text += "[plugins]\n[plugin:mine]\nb = 2\n"

    document = read_ini(text, "a.ini")

    assert [(found.kind, found.name, found.line) for found in document.sections] == [
        ("server", "", 1),
        ("virtualhost", "localhost:8000", 3),
        ("virtualhost", "[::1]:8000", 4),
        ("plugins", "", 5),
        ("plugin", "mine", 6),
    ]
    assert [(row.key, row.value, row.file, row.line) for row in document.sections[4].rows] == [
        ("b", "2", "a.ini", 7)
    ]


def test_keys_repeat_and_their_case_is_nothing() -> None:
    assert values("[blastbeat]\nNode = A\nnode=B\n") == [("node", "A"), ("node", "B")]


@pytest.mark.parametrize(
    "line",
    ["; zmq = x", "# zmq = x", "  ; zmq = x", "", "   ", "\t"],
)
def test_comments_and_blank_lines(line: str) -> None:
    assert values(f"[blastbeat]\n{line}\nbind = 1\n") == [("bind", "1")]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("a ; comment", "a"),
        ("a # comment", "a"),
        ("a;b#c", "a;b#c"),
        ("; all comment", ""),
        ('"a ; b"', "a ; b"),
        ('hash key="a ; b" ; comment', 'hash key="a ; b"'),
        ('"a" "b"', '"a" "b"'),
        ("a = b", "a = b"),
        ("", ""),
    ],
)
def test_values(written: str, value: str) -> None:
    assert values(f"[blastbeat]\nkey = {written}\n") == [("key", value)]


def test_a_comment_behind_a_section() -> None:
    document = read_ini("[ blastbeat:example.org ] ; the [main] one\n", "a.ini")

    assert [(found.kind, found.name) for found in document.sections] == [("virtualhost", "example.org")]


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("[blastbeat", "does not close", ""),
        ("[blastbeat] junk", "does not close", ""),
        ("bind", "neither a section nor key = value", ""),
        ("= 5", "neither a section nor key = value", ""),
        ("bind = 5", "before the first section", "begin the file with"),
    ],
)
def test_what_is_refused(line: str, message: str, hint: str) -> None:
    (problem,) = read_ini(f"; first\n{line}\n", "a.ini").problems

    assert message in problem.message
    assert hint in problem.hint
    assert (problem.severity, problem.file, problem.line) == ("error", "a.ini", 2)


def test_a_section_that_is_not_ours_may_be_a_table_of_a_plugin() -> None:
    document = read_ini("[Customer: Acme]\na = 1\nb = 2\n[uwsgi]\nc = 3\n", "a.ini")

    assert not document.problems
    table, outside = document.sections
    assert (table.kind, table.word, table.name, table.label) == (
        "table",
        "customer",
        "Acme",
        "Customer: Acme",
    )
    assert [row.key for row in table.rows] == ["a", "b"]
    assert (outside.kind, outside.word, outside.name) == ("table", "uwsgi", "")
