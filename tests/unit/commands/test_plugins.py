"""`blastbeat plugins`, and the commands that plugins add."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blastbeat.cli import main

CONFIG = '[blastbeat]\nbind = "127.0.0.1:80"\nzmq = "ipc:///x"\n[vhost."a.test"]\nnode = "app"\n'
PLUGIN = """
from blastbeat import hookimpl

def greet(arguments):
    print("hello", *arguments)
    return 5

@hookimpl
def blastbeat_register_commands(register):
    register("greet", greet, summary="says hello")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with nothing in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BLASTBEAT_CONFIG", raising=False)
    return tmp_path


def test_without_a_configuration_the_installed_ones_are_listed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plugins"]) == 0
    said = capsys.readouterr()
    assert "least-connections: active (built in" in said.out and not said.err


def test_a_broken_plugin_is_listed_and_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "sad.py").write_text("import nothing_of_this_name\n")
    (folder / "x.toml").write_text(CONFIG + '[plugins]\nfiles = ["sad.py"]\n')
    assert main(["plugins", "x.toml"]) == 0
    said = capsys.readouterr()
    assert "sad: failed (" in said.out
    assert "nothing_of_this_name" in said.err


@pytest.mark.parametrize("name", ["none.toml", "bad.toml"])
def test_a_configuration_that_was_named_must_be_usable(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (folder / "bad.toml").write_text("[blastbeat]\nbind = 1\n[plugins]\nlaod = 1\n")
    assert main(["plugins", name]) == 78
    assert "error: " in capsys.readouterr().err


def test_what_a_missing_plugin_would_declare_is_no_reason_to_list_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "x.toml").write_text(CONFIG + '[customer.acme]\nplan = "gold"\n')
    assert main(["plugins", "x.toml"]) == 0
    said = capsys.readouterr()
    assert "limits: active" in said.out and not said.err


def test_plugins_add_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "hello.py").write_text(PLUGIN)
    (folder / "blastbeat.toml").write_text(CONFIG + '[plugins]\nfiles = ["hello.py"]\n')
    assert main(["greet", "a", "--b"]) == 5
    assert capsys.readouterr().out == "hello a --b\n"


def test_a_misspelt_command_is_compared_with_those_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "hello.py").write_text(PLUGIN)
    (folder / "blastbeat.toml").write_text(CONFIG + '[plugins]\nfiles = ["hello.py"]\n')
    assert main(["gret"]) == 2
    assert "did you mean 'greet'?" in capsys.readouterr().err


def test_a_bad_configuration_in_the_folder_does_not_hide_a_typing_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "blastbeat.toml").write_text("[blastbeat]\nfrobnicate = 1\n")
    assert main(["srve"]) == 2
    assert "did you mean 'serve'?" in capsys.readouterr().err


def test_the_listing_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "sad.py").write_text("raise SystemExit('no')\n")
    (folder / "x.toml").write_text(CONFIG + '[plugins]\nfiles = ["sad.py"]\n')
    assert main(["plugins", "--json", "x.toml"]) == 0
    told = {plugin["name"]: plugin for plugin in json.loads(capsys.readouterr().out)}
    hashing = told["hash-selector"]
    assert hashing["origin"] == "built in" and hashing["state"] == "active"
    [registered] = hashing["registered"]
    assert registered["kind"] == "selector" and registered["name"] == "hash"
    assert "key" in registered["options"] and registered["replaced_by"] is None
    assert told["sad"]["state"] == "failed" and "SystemExit: no" in told["sad"]["reason"]
