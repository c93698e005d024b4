"""Settings from the command line, the environment and a file: who wins, what is refused, and where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from blastbeat.errors import ConfigError
from blastbeat.node.options import Settings
from blastbeat.node.settings import read_settings

GIVEN: Mapping[str, Any] = {"app": "shop:application", "connect": ["tcp://front:5000"], "name": "shop"}


def settings(
    given: Mapping[str, Any] = GIVEN, environ: Mapping[str, str] | None = None, folder: str = "/tmp"
) -> Settings:
    return read_settings(given, environ or {}, folder=folder)


def refused(given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as error:
        settings(given, environ)
    return [str(problem) for problem in error.value.problems]


def test_what_nobody_says_has_its_default(tmp_path: Path) -> None:
    assert settings(folder=str(tmp_path)) == Settings(
        "shop:application", ("tcp://front:5000",), "shop", app_dir=str(tmp_path)
    )


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('[node]\nworkers = 2\nthreads = 2\ncredit = "1MiB"\nfactory = true\n')
    environ = {
        "BLASTBEAT_NODE_WORKERS": "3",
        "BLASTBEAT_NODE_THREADS": "3",
        "BLASTBEAT_NODE_CONFIG": str(file),
    }
    found = settings({**GIVEN, "workers": "4", "factory": False}, environ)
    assert (found.workers, found.threads, found.credit, found.factory) == (4, 3, 1024**2, False)


def test_everything_may_come_from_the_environment_alone() -> None:
    environ = {
        "BLASTBEAT_NODE_APP": "shop:application",
        "BLASTBEAT_NODE_CONNECT": "tcp://a:1 tcp://b:1 tcp://a:1",
        "BLASTBEAT_NODE_NAME": "shop",
        "BLASTBEAT_NODE_GRACEFUL_TIMEOUT": "2m",
        "BLASTBEAT_NODE_RELOAD": "yes",
    }
    found = settings({}, environ)
    assert (found.connect, found.graceful_timeout, found.reload) == (("tcp://a:1", "tcp://b:1"), 120.0, True)


def test_a_relative_folder_in_a_file_starts_at_the_file(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "etc" / "node.toml").write_text('[node]\napp-dir = "../src"\n')
    found = settings({**GIVEN, "config": "etc/node.toml"}, folder=str(tmp_path))
    assert found.app_dir == str(tmp_path / "src")


def test_what_must_be_given_is_told_with_the_three_ways() -> None:
    told = refused({})
    assert len(told) == 3
    assert told[2] == (
        "error: name: not given: the node's name, as `node` of a virtualhost says it; give --name NAME, "
        "set BLASTBEAT_NODE_NAME, or write name below [node] in --config FILE"
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"workers": "0"}, "command line: error: --workers = '0': is out of bounds; from 1 to 256"),
        ({"hang_timeout": "1ms"}, "from 1s to 1d, or 0 for never"),
        ({"interface": "asig"}, "must be one of auto, asgi, wsgi; did you mean 'asgi'?"),
        ({"connect": ["front:5000"]}, "--connect = 'front:5000': is not an endpoint; write tcp://host:port"),
        ({"connect": ["tcp://*:5000"]}, "is where a server would bind"),
        ({"connect": ["tcp://a:0"]}, "is where a server would bind"),
        ({"name": "shop/a"}, "is no name of a node"),
        ({"name": "x" * 191}, "has more than 190 characters"),
        ({"root_path": "shop"}, "must begin with / and not end so"),
        ({"app": "shop/asgi.py"}, "APP = 'shop/asgi.py': is not module:attribute"),
        ({"app": "shop/asgi.py:app"}, "did you mean 'shop.asgi:app'?"),
        ({"app_dir": "/nowhere/at/all"}, "is not a folder (/nowhere/at/all)"),
        ({"log_level": "loud"}, "must be one of debug"),
    ],
)
def test_what_is_wrong_is_told_with_what_would_be_right(given: Mapping[str, Any], told: str) -> None:
    (line,) = refused({**GIVEN, **given})
    assert told in line
    assert line.startswith("command line: error: ")


def test_a_variable_is_named_and_so_is_a_mistyped_one() -> None:
    hint = "did you mean 'BLASTBEAT_NODE_WORKERS'?"
    assert refused(GIVEN, {"BLASTBEAT_NODE_WORKERS": "many", "BLASTBEAT_NODE_WORKER": "2"}) == [
        f"environment: error: BLASTBEAT_NODE_WORKER: there is no such option; {hint}",
        "environment: error: BLASTBEAT_NODE_WORKERS = 'many': is not a whole number",
    ]


def test_a_key_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text("[node]\nworkers = [1, 2]\nthread = 4\n")
    told = refused({**GIVEN, "config": str(file)})
    assert told == [
        f"{file}:3: error: [node] thread: there is no such key; did you mean 'threads'?",
        f"{file}:2: error: [node] workers = '1 2': is a list; only one is expected",
    ]


def test_what_is_implied_can_not_be_said_otherwise() -> None:
    implied = {"connect": ("ipc:///x",), "name": "app"}
    found = read_settings({"app": "a:b"}, {"BLASTBEAT_NODE_NAME": "x"}, folder="/tmp", implied=implied)
    assert (found.connect, found.name) == (("ipc:///x",), "app")
