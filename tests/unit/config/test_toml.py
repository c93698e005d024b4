"""The TOML notation: sections, rows with their lines, the environment, and what is refused."""

from __future__ import annotations

import pytest

from blastbeat.config.toml import read_toml

ENVIRON = {"NAME": "app1", "EMPTY": "", "TRAP": "${NAME}"}


def test_sections_of_every_kind_with_their_places() -> None:
    text = """\
include = ["a.toml", "b.toml"]
[blastbeat]
bind = [
  "0.0.0.0:8080",
  "[::]:8080",
]
[vhost."localhost:8000"]
node = "foobar1"
filters = []
[plugins]
load = ["*"]
[plugin.mine]
deep = { a = ["${NAME}"] }
"""

    document = read_toml(text, "a.toml", ENVIRON)

    assert document.problems == []
    assert [(row.value, row.line) for row in document.includes] == [("a.toml", 1), ("b.toml", 1)]
    found = [
        (
            section.kind,
            section.name,
            section.label,
            section.line,
            [(row.key, row.value, row.line) for row in section.rows],
        )
        for section in document.sections
    ]
    assert found == [
        ("server", "", "blastbeat", 2, [("bind", "0.0.0.0:8080", 4), ("bind", "[::]:8080", 5)]),
        (
            "virtualhost",
            "localhost:8000",
            'vhost."localhost:8000"',
            7,
            [("node", "foobar1", 8), ("filters", "", 9)],
        ),
        ("plugins", "", "plugins", 10, [("load", "*", 11)]),
        ("plugin", "mine", "plugin.mine", 12, [("deep", {"a": ["app1"]}, 13)]),
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${NAME}", "app1"),
        ("a-${NAME}-${NAME}", "a-app1-app1"),
        ("${EMPTY}", ""),
        ("${NAME:-other}", "app1"),
        ("${MISSING:-other}", "other"),
        ("${MISSING:-}", ""),
        ("$${NAME}", "${NAME}"),
        ("${TRAP}", "${NAME}"),
        ("$NAME costs $5", "$NAME costs $5"),
    ],
)
def test_the_environment_in_strings(written: str, value: str) -> None:
    document = read_toml(f'[blastbeat]\nzmq = "{written}"\n', "a.toml", ENVIRON)

    assert document.problems == []
    assert document.sections[0].rows[0].value == value


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("${MISSING}", "the environment has no MISSING"),
        ("${}", "bad reference"),
        ("${a b}", "bad reference"),
        ("${NAME", "bad reference"),
    ],
)
def test_a_variable_that_is_not_there(written: str, message: str) -> None:
    document = read_toml(f'[vhost.a]\nnode = ["x",\n"{written}"]\n', "a.toml", ENVIRON)

    (problem,) = document.problems
    assert message in problem.message
    assert (problem.line, problem.section, problem.key, problem.value) == (3, 'vhost."a"', "node", written)


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("[blastbeat]\nbind = \n", 2, "not TOML", ""),
        ("[blastbeat]\na = 1\na = 2\n", 3, "not TOML", ""),
        ("a = " + "[" * 50_000, 0, "not TOML", ""),
        ("a = " + "9" * 5_000, 0, "not TOML", ""),
        ("[blastbeat]\na = 0x" + "F" * 20_000, 2, "more than 64 bits", ""),
        ("[blastbeat:localhost]\nnode = a\n", 1, "not TOML", "that is the ini notation"),
        ("[[blastbaet]]\n", 1, "unknown section", "did you mean 'blastbeat'?"),
        ("[[customer]]\n", 1, "unknown section", "tables have a name: [customer.NAME]"),
        ("\nbind = 1\n", 2, "before the first section", "below [blastbeat]"),
        ("blastbeat = 1\n", 1, "must be a table", "write [blastbeat]"),
        ("[vhost]\nnode = 'a'\n", 2, "must be a table", 'write [vhost."NAME"]'),
        ("vhost = 1\n", 1, "must be a table", ""),
    ],
)
def test_what_is_refused(text: str, line: int, message: str, hint: str) -> None:
    problem = read_toml(text, "a.toml", {}).problems[0]

    assert message in problem.message
    assert hint in problem.hint
    assert problem.file == "a.toml"
    assert problem.line == line or not line


def test_the_table_of_a_node_is_passed_over() -> None:
    document = read_toml('[node]\nname = "${NOT_HERE}"\n[blastbeat]\nbind = "80"\n', "a.toml", ENVIRON)
    assert document.problems == []
    assert [section.kind for section in document.sections] == ["server"]
    assert read_toml("node = 1\n", "a.toml", ENVIRON).problems


def test_tables_that_are_not_ours_may_be_those_of_a_plugin() -> None:
    text = (
        '[customer.acme]\nplan = "${NAME}"\nlist = ["a"]\n[customer."b c"]\n[customer]\nplain = 1\n[empty]\n'
    )
    document = read_toml(text, "a.toml", {"NAME": "gold"})

    assert not document.problems
    told = [(each.kind, each.word, each.name, each.label, each.line) for each in document.sections]
    assert told == [
        ("table", "customer", "acme", "customer.acme", 1),
        ("table", "customer", "b c", 'customer."b c"', 4),
        ("table", "customer", "", "customer", 5),
        ("table", "empty", "", "empty", 7),
    ]
    plan, several = document.sections[0].rows
    assert (plan.value, plan.line, plan.environment) == ("gold", 2, ("NAME",))
    assert several.value == ["a"]
    assert [(row.key, row.line) for row in document.sections[2].rows] == [("plain", 6)]
