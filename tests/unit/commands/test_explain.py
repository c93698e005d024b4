"""`blastbeat explain`: its words, its JSON, its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blastbeat.cli import main

TEXT = """\
[blastbeat]
bind = "127.0.0.1:80"
zmq = "ipc:///x"
[vhost."a.test"]
node = "app"
[vhost."a.test".route."/api"]
method = ["POST"]
header = "X-Key"
node = "api"
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "a.toml"
    path.write_text(TEXT)
    return str(path)


def test_in_words(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "http://a.test/api", "--config", config]) == 0
    said = capsys.readouterr()
    assert "/api: no, the method is not POST" in said.out and not said.err
    assert said.out.endswith("=> node app, as least-connections chooses; while none is available 503\n")


def test_as_json(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--method", "POST", "--header", "X-Key: 1", "--client", "::1", "--json"]
    assert main(["explain", "a.test/api", "--config", config, *arguments]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["route"], said["nodes"], said["client"]) == ("/api", ["api"], "::1")


def test_what_would_be_refused_is_an_answer_too(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "b.test", "--config", config]) == 0
    assert capsys.readouterr().out.endswith("=> 404: no virtualhost for b.test\n")


NONSENSE: tuple[list[str], ...] = (["/api"], ["a.test", "--client", "x"], ["a.test", "--method", "?:"], [])


@pytest.mark.parametrize("arguments", NONSENSE)
def test_questions_that_make_no_sense(
    config: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *arguments, "--config", config]) == 2
    said = capsys.readouterr()
    assert said.err and not said.out


def test_a_configuration_that_no_server_would_start_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.ini"
    path.write_text("[blastbeat]\nbnid = 1\n")
    assert main(["explain", "a.test", "--config", str(path)]) == 78
    assert "unknown key" in capsys.readouterr().err


def test_a_broken_plugin_is_told_and_the_rest_explained(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('oops')\n")
    (tmp_path / "a.toml").write_text(f'{TEXT}[plugins]\nfiles = "broken.py"\n')
    assert main(["explain", "a.test", "--config", config]) == 0
    said = capsys.readouterr()
    assert "=> node app" in said.out and "oops" in said.err
