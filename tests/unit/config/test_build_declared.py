"""Tests of `blastbeat.config.build_declared`: what is written for plugins, and what is said of what nobody
knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastbeat.config import examine
from blastbeat.config.declared import Declared, HostKeys, Pick, TableKind
from blastbeat.config.model import Config, Origin
from blastbeat.errors import Problem
from blastbeat.validators import secret, several, text, whole
from tests.helpers.examine import Examine

DECLARED = Declared(
    {
        "customer": TableKind("customer", {"plan": text, "contact": several(text)}, "policy"),
        "plan": TableKind("plan", {"rate": whole(1, 100), "token": secret(whole(1, 9))}, "policy"),
    },
    (
        HostKeys(
            {"customer": text, "tags": several(text)}, (Pick("filter", "policy", ("customer",)),), "policy"
        ),
    ),
)
SERVER = '[blastbeat]\nbind = "127.0.0.1:0"\nzmq = "ipc://x"\n'


def declare(config: Config) -> Declared:
    return DECLARED


def good(found: tuple[Config | None, list[Problem]]) -> Config:
    config, problems = found
    assert config is not None, problems
    assert not problems
    return config


def test_tables_are_validated_and_know_where_they_stand(examine_text: Examine, tmp_path: Path) -> None:
    text = (
        f'{SERVER}[customer.acme]\nplan = " gold "\n[customer."b c"]\ncontact = ["x", "y"]\n'
        '[vhost.a]\nnode = "n"\n'
    )
    acme, other = good(examine_text(text, declare=declare)).tables

    assert (acme.kind, acme.name, acme.written, acme.values) == (
        "customer",
        "acme",
        {"plan": " gold "},
        {"plan": "gold"},
    )
    file = str(tmp_path / "test.toml")
    assert (acme.file, acme.line, acme.section) == (file, 4, "customer.acme")
    assert acme.origins == {"plan": Origin(file, 5, "customer.acme")}
    assert (other.name, other.values) == ("b c", {"contact": ("x", "y")})


def test_ini_says_the_same(examine_text: Examine) -> None:
    text = (
        "[blastbeat]\nbind = 127.0.0.1:0\nzmq = ipc://x\ncustomer = rest\n[customer:acme]\nPlan = gold\n"
        "contact = x\ncontact = y\n[blastbeat:a]\nnode = n\ncustomer = acme\n[blastbeat:b]\nnode = n\n"
    )
    config = good(examine_text(text, "test.ini", declare=declare))

    assert config.tables[0].values == {"plan": "gold", "contact": ("x", "y")}
    assert [each.plugin_values for each in config.virtualhosts] == [
        {"customer": "acme"},
        {"customer": "rest"},
    ]


def test_keys_of_virtualhosts_have_a_default_for_all(examine_text: Examine, tmp_path: Path) -> None:
    text = (
        f'{SERVER}customer = "rest"\n[vhost.a]\nnode = "n"\ntags = ["x"]\n'
        '[vhost.b]\nnode = "n"\ncustomer = "acme"\n[vhost.b.route."/x"]\nnode = "m"\n'
    )
    config = good(examine_text(text, declare=declare))
    first, second = config.virtualhosts

    assert first.plugin_keys == {"customer": "rest", "tags": ["x"]}
    assert first.plugin_values == {"customer": "rest", "tags": ("x",)}
    file = str(tmp_path / "test.toml")
    assert first.origins["customer"] == Origin(file, 4, "blastbeat")
    assert second.plugin_keys == {"customer": "acme"}
    assert second.origins["customer"] == Origin(file, 10, 'vhost."b"')
    assert second.routes[0].policy.plugin_values == {"customer": "acme"}


def test_values_may_come_from_the_environment_and_from_included_files(tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text('[customer.acme]\nplan = "${PLAN}"\n')
    path = tmp_path / "main.toml"
    path.write_text(f'include = ["more.toml"]\n{SERVER}[vhost.a]\nnode = "n"\n')
    config = good(examine(path, environ={"PLAN": "gold"}, declare=declare))

    assert config.tables[0].values == {"plan": "gold"}
    assert config.tables[0].file == str(tmp_path / "more.toml")


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("[customer.a]\npaln = 'x'", 7, "unknown key", "did you mean 'plan'?"),
        ("[customer.a]\nzzz = 'x'", 7, "unknown key", "keys are plan, contact"),
        ("[plan.a]\nrate = 101", 7, "must be from 1 to 100", ""),
        ("[plan.a]\nrate = [1, 2]", 7, "is given more than once", ""),
        ("[customer]\nplan = 'x'", 7, "stands outside of a table", "write [customer.NAME] above it"),
        ("[customer]", 6, "has no name", "write [customer.NAME]"),
        ("[custmer.a]\nplan = 'x'", 6, "unknown section", "did you mean 'customer'?"),
        ("[zzz.a]\nplan = 'x'", 6, "unknown section", "of plugins [customer.NAME], [plan.NAME]"),
        ("[blastbaet]\nplan = 'x'", 6, "unknown section", "did you mean 'blastbeat'?"),
        ("[vhost.b]\nnode = 'n'\ncustmer = 'x'", 8, "unknown key", "did you mean 'customer'?"),
        ("[vhost.b]\nnode = 'n'\ncustomer = 1", 8, "is not a text", ""),
        ("[plugins]\ncustomer = 'x'", 7, "unknown key", "it belongs in the section of a virtualhost"),
        (
            "[vhost.a.route.'/x']\ncustomer = 'x'",
            7,
            "is no key of a route: its plugin looks at the virtualhost as a whole",
            "write it in the section of a",
        ),
    ],
)
def test_what_is_refused(examine_text: Examine, text: str, line: int, message: str, hint: str) -> None:
    config, problems = examine_text(f'{SERVER}[vhost.a]\nnode = "n"\n{text}\n', declare=declare)

    assert config is None
    assert (problems[0].line, message in problems[0].message, hint in problems[0].hint) == (
        line,
        True,
        True,
    ), problems[0]


def test_a_secret_value_is_not_repeated(examine_text: Examine) -> None:
    _, problems = examine_text(f'{SERVER}[vhost.a]\nnode = "n"\n[plan.a]\ntoken = 4711\n', declare=declare)

    assert "4711" not in str(problems[0]) and "(secret)" in str(problems[0])


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("a.ini", "[blastbaet]\na = 1", "did you mean 'blastbeat'?"),
        ("a.ini", "[uwsgi]", "sections are [blastbeat], [blastbeat:HOST[:PORT]]"),
        ("a.ini", '[vhost."a"]', "that is TOML"),
        ("a.ini", "[plugin:]", "did you mean 'plugins'?"),
        ("a.toml", "[customers]\na = 1", "is the plugin installed that it is for?"),
    ],
)
def test_without_plugins_a_section_nobody_knows_is_one_problem(
    examine_text: Examine, name: str, text: str, hint: str
) -> None:
    problems = [each for each in examine_text(f"{text}\n", name)[1] if each.message == "unknown section"]

    assert len(problems) == 1
    assert hint in problems[0].hint


def test_many_tables_of_a_kind_nobody_knows_are_one_problem(examine_text: Examine) -> None:
    tables = "".join(f"[customer.c{number}]\nplan = 'x'\n" for number in range(50))
    _, problems = examine_text(f'{SERVER}[vhost.a]\nnode = "n"\n{tables}')

    assert [(each.message, each.key, each.line) for each in problems] == [("unknown section", "customer", 6)]


def test_a_plugin_that_is_not_active_is_named(examine_text: Examine) -> None:
    inactive = Declared(inactive={"policy": "disabled by the configuration"})
    text = f'{SERVER}[vhost.a]\nnode = "n"\ncustomer = "x"\n[customer.x]\n'
    _, problems = examine_text(text, declare=lambda config: inactive)

    assert [each.hint for each in problems] == [
        "if it is a plugin's key: not active is policy (disabled by the configuration)",
        "if it is a plugin's table: not active is policy (disabled by the configuration)",
    ]


def test_while_plugins_are_not_known_nothing_is_said_of_what_may_be_theirs(examine_text: Examine) -> None:
    asked = []

    def note(config: Config) -> Declared:
        asked.append(config)
        return DECLARED

    text = f"{SERVER}[plugins]\nfiles = 1\n[customer.a]\n[vhost.a]\nnode = 'n'\ncustomer = 'a'\n"
    _, problems = examine_text(text, declare=note)

    assert not asked
    assert [each.key for each in problems] == ["files"]


def test_plugins_are_asked_with_what_they_are_loaded_by(examine_text: Examine) -> None:
    asked = []

    def note(config: Config) -> Declared:
        asked.append(config)
        return DECLARED

    text = f"{SERVER}[plugins]\ndisabled = 'x'\n[plugin.policy]\nfile = 'y'\n[vhost.a]\nnode = 'n'\n"
    examine_text(text, declare=note)

    (config,) = asked
    assert config.server.plugins_disabled == ("x",)
    assert config.plugin_options == {"policy": {"file": "y"}}


def test_what_a_plugin_that_failed_had_declared_is_not_told_once_more(examine_text: Examine) -> None:
    failed = Declared(inactive={"policy": "error"}, withheld={"plan", "customer"})
    tables = '[plan.bronze]\nrequests = "1/s"\n[plam.bronze]\nrequests = "1/s"\n'
    text = f'{SERVER}[vhost.a]\nnode = "n"\ncustomer = "x"\n{tables}'
    _, problems = examine_text(text, declare=lambda config: failed)

    assert [problem.key for problem in problems] == ["plam"]
