"""What `check` finds beyond the text, and at which line it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastbeat.errors import Problem
from blastbeat.preflight import examine_file

SERVER = '[blastbeat]\nbind = "127.0.0.1:8080"\nzmq = "tcp://127.0.0.1:5000"\n'
HOST = '[vhost."a.test"]\nnode = "app"\n'

PLUGIN = """
from blastbeat import hookimpl
from blastbeat.interfaces import Filter

class Picky:
    def select(self, candidates, request):
        return candidates[0]

def number(value):
    if not str(value).isdigit():
        raise ValueError("is not a number")
    return int(value)

def broken(options):
    raise RuntimeError("out of luck")

@hookimpl
def blastbeat_register_selectors(register):
    register("picky", lambda options: Picky(), options={"weight": number})
    register("broken", broken)

@hookimpl
def blastbeat_register_filters(register):
    register("odd", lambda options: object())
    register("even", lambda options: Filter())
"""


def errors(tmp_path: Path, text: str, name: str = "x.toml") -> list[Problem]:
    path = tmp_path / name
    path.write_text(text)
    return [problem for problem in examine_file(path, {}) if problem.severity == "error"]


@pytest.fixture
def plugin(tmp_path: Path) -> str:
    (tmp_path / "shiny.py").write_text(PLUGIN)
    return '[plugins]\nfiles = ["shiny.py"]\n'


def test_a_good_configuration_has_no_errors(tmp_path: Path) -> None:
    assert errors(tmp_path, SERVER + HOST) == []


@pytest.mark.parametrize(
    ("line", "key", "said", "hint"),
    [
        ('selector = "least-conections"', "selector", "no selector of this name", "'least-connections'"),
        ('filters = ["nope"]', "filters", "no filter of this name", ""),
        ('node-authenticators = ["identty"]', "node-authenticators", "no node-authenticator", "'identity'"),
        ('request-authenticators = ["nope"]', "request-authenticators", "no request-authenticator", ""),
        ('request-encoder = "uwsgl"', "request-encoder", "no encoder of this name", "'uwsgi'"),
        (
            'request-encoder = "body"',
            "request-encoder",
            "writes no requests; those that do: headers, uwsgi",
            "",
        ),
        ('selector = "round-robin weight=3"', "selector", "weight=3: unknown option", ""),
        ('selector = "picky weight=heavy"', "selector", "weight=heavy: is not a number", ""),
        ('selector = "broken"', "selector", "RuntimeError: out of luck", ""),
        ('filters = ["even", "odd"]', "filters", "not a subclass of blastbeat.interfaces.Filter", ""),
    ],
)
def test_picks_are_examined_where_they_are_written(
    tmp_path: Path, plugin: str, line: str, key: str, said: str, hint: str
) -> None:
    (problem,) = errors(tmp_path, f"{SERVER}{HOST}{line}\n{plugin}")
    assert (problem.line, problem.section, problem.key) == (6, 'vhost."a.test"', key)
    assert said in problem.message and hint in problem.hint


def test_a_default_of_the_server_is_told_once_at_its_own_line(tmp_path: Path) -> None:
    other = HOST.replace("a.test", "b.test")
    (problem,) = errors(tmp_path, f'{SERVER}selector = "nope"\n{HOST}{other}')
    assert (problem.section, problem.line) == ("blastbeat", 4)


def test_the_driver_is_looked_up(tmp_path: Path) -> None:
    (problem,) = errors(tmp_path, f'{SERVER}driver = "h12"\n{HOST}')
    assert (problem.section, problem.key, problem.line) == ("blastbeat", "driver", 4)
    assert "'h11'" in problem.hint


@pytest.mark.parametrize("driver", ["auto", "h11"])
def test_drivers_that_exist(tmp_path: Path, driver: str) -> None:
    assert errors(tmp_path, f'{SERVER}driver = "{driver}"\n{HOST}') == []


def test_a_default_whose_plugin_was_disabled_is_told(tmp_path: Path) -> None:
    (problem,) = errors(tmp_path, f'{SERVER}{HOST}[plugins]\ndisabled = ["identity"]\n')
    assert (problem.section, problem.line) == ('vhost."a.test"', 4)
    assert problem.message.startswith("node-authenticators, by default identity: there is no")


def test_a_broken_plugin_is_named_and_the_rest_examined(tmp_path: Path) -> None:
    (tmp_path / "sad.py").write_text("import nothing_of_this_name\n")
    text = f'{SERVER}selector = "nope"\n{HOST}[plugins]\nfiles = ["sad.py"]\n'
    selector, sad = sorted(errors(tmp_path, text), key=lambda problem: problem.key, reverse=True)
    assert selector.key == "selector"
    assert "plugin 'sad'" in sad.message and "ModuleNotFoundError" in sad.message
    assert sad.file == str(tmp_path / "x.toml")


@pytest.mark.parametrize(
    ("tables", "line", "key"),
    [
        ('[plugins]\ndisabled = ["identty"]\n', 7, "disabled"),
        ("[plugin.shiny]\nweight = 3\n[plugins]\nfiles = ['shiny.py']\n", 7, "weight"),
        ("[plugin.nonsense]\nweight = 3\n", 6, ""),
    ],
)
def test_problems_of_plugin_tables_have_a_line(
    tmp_path: Path, plugin: str, tables: str, line: int, key: str
) -> None:
    (problem,) = errors(tmp_path, SERVER + HOST + tables)
    assert (problem.line, problem.key) == (line, key)


def test_plugins_are_examined_even_if_the_text_has_errors(tmp_path: Path) -> None:
    text = f'{SERVER}frobnicate = 1\nselector = "nope"\n{HOST}'
    assert {problem.key for problem in errors(tmp_path, text)} == {"frobnicate", "selector"}


def test_in_ini_too(tmp_path: Path) -> None:
    text = "[blastbeat]\nbind=127.0.0.1:80\nzmq=ipc:///x\n[blastbeat:a.test]\nnode=app\nselector=nope\n"
    (problem,) = errors(tmp_path, text, "x.ini")
    assert (problem.section, problem.line) == ("blastbeat:a.test", 6)


def test_an_unreadable_file_is_a_problem_not_an_exception(tmp_path: Path) -> None:
    (problem, *_) = examine_file(tmp_path, {})
    assert problem.severity == "error" and "cannot be read" in problem.message


def test_bandwidth_needs_the_filter_limits(tmp_path: Path) -> None:
    disabled = '[plugins]\ndisabled = ["limits"]\n'
    assert errors(tmp_path, SERVER + HOST + "bandwidth = 1000\n") == []
    (problem,) = errors(tmp_path, SERVER + HOST + "bandwidth = 1000\n" + disabled)
    assert (problem.line, problem.key) == (6, "bandwidth") and "plugin `limits`" in problem.message
