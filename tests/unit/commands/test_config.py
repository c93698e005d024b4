"""`blastbeat config show` and `blastbeat config convert`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blastbeat.cli import main
from blastbeat.config import load_config

TEXT = """[blastbeat]
bind = "127.0.0.1:0"
zmq = "ipc://x"
access-log = "access.log"
[vhost."a.test"]
node = "app"
[vhost."a.test".route."/api"]
method = "GET"
[vhost."b.test"]
node = "other"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.toml").write_text(TEXT)
    return tmp_path


def test_what_is_shown_can_be_loaded_anywhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "x.toml"]) == 0
    (folder / "other").mkdir()
    (folder / "other" / "shown.toml").write_text(capsys.readouterr().out)
    shown, problems = load_config(folder / "other" / "shown.toml")
    assert shown.server == load_config(folder / "x.toml")[0].server
    assert shown.server.access_log == str(folder / "access.log")
    assert problems == load_config(folder / "x.toml")[1] == []


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        (["--virtualhost", "A.test"], ['vhost."a.test"', 'vhost."a.test".route."/api"']),
        (["--section", "blastbeat"], ["blastbeat"]),
        (["--section", "[plugins]"], ["plugins"]),
        (["--section", "vhost.b.test"], ['vhost."b.test"']),
    ],
)
def test_a_part(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], headers: list[str]
) -> None:
    assert main(["config", "show", "x.toml", "--json", *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [section["section"] for section in told["sections"]] == headers


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--virtualhost", "a.tst"], "did you mean 'a.test'?"),
        (["--section", "quux"], "there are blastbeat, plugins, "),
    ],
)
def test_a_part_that_there_is_not(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["config", "show", "x.toml", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_bad_configuration_is_not_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.toml").write_text("[blastbeat]\nfrobnicate = 1\n")
    assert main(["config", "show", "bad.toml"]) == 78
    said = capsys.readouterr()
    assert "unknown key" in said.err and not said.out


def test_convert_prints_or_writes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "old.ini").write_text("[blastbeat]\nping-freq = 5\n")
    assert main(["config", "convert", "old.ini"]) == 0
    assert capsys.readouterr().out == "[blastbeat]\nping-freq = 5\n"
    assert main(["config", "convert", "old.ini", "-o", "new.toml"]) == 0
    assert (folder / "new.toml").read_text() == "[blastbeat]\nping-freq = 5\n"
    assert capsys.readouterr().err == ""


def test_convert_overwrites_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "old.ini").write_text("[blastbeat]\nping-freq = 5\n")
    assert main(["config", "convert", "old.ini", "-o", "x.toml"]) == 1
    assert "is there already" in capsys.readouterr().err
    assert (folder / "x.toml").read_text() == TEXT
    assert main(["config", "convert", "old.ini", "-o", "none/x.toml"]) == 1
    assert "can't be written" in capsys.readouterr().err


def test_convert_says_where_relative_names_start(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "old.ini").write_text("[blastbeat]\naccess-log = a.log\n")
    (folder / "other").mkdir()
    assert main(["config", "convert", "old.ini", "-o", "other/new.toml"]) == 0
    assert f"means the same in {folder}" in capsys.readouterr().err


def test_a_bad_ini_is_told_like_check_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.ini").write_text("[blastbeat]\nfrobnicate = 1\n")
    assert main(["config", "convert", "bad.ini"]) == 78
    assert "bad.ini:2: error: [blastbeat] frobnicate" in capsys.readouterr().err


def test_config_alone_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config"]) == 2
