"""`blastbeat check`: a line per problem, a last line that counts, the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blastbeat.cli import main
from blastbeat.commands.check import count, in_order
from blastbeat.errors import Problem


def test_problems_come_in_the_order_of_the_file() -> None:
    problems = [Problem(text, file="b", line=line) for text, line in (("x", 9), ("y", 2), ("z", 2))]
    problems.append(Problem("w", file="a", line=30))
    assert [problem.message for problem in in_order(problems)] == ["w", "y", "z", "x"]


@pytest.mark.parametrize(
    ("severities", "text"),
    [
        ([], "0 errors, 0 warnings, 0 notes"),
        (["error"], "1 error, 0 warnings, 0 notes"),
        (["note", "warning", "warning", "error"], "1 error, 2 warnings, 1 note"),
    ],
)
def test_the_count_in_words(severities: list[str], text: str) -> None:
    assert count([Problem("", severity=severity) for severity in severities]) == text


def test_a_good_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "good.toml"
    path.write_text('[blastbeat]\nbind = "127.0.0.1:80"\nzmq = "ipc:///x"\n[vhost."a.test"]\nnode = "app"\n')
    assert main(["check", str(path)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith(f"{path}: 0 errors, ") and not said.err


def test_everything_wrong_is_said_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.ini"
    path.write_text("[blastbeat]\nbind = nonsense:x\nfrobnicate = 1\n[blastbeat:a.test]\nselector = nope\n")
    assert main(["check", str(path)]) == 78
    lines = capsys.readouterr().out.splitlines()
    places = [line.partition(": ")[0] for line in lines[:-1] if ": error: " in line]
    assert {f"{path}:2", f"{path}:3", f"{path}:5"} <= set(places)
    assert lines[-1].startswith(f"{path}: {len(places)} errors, ")


@pytest.mark.parametrize("name", ["none.toml", "folder"])
def test_a_file_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / "folder").mkdir()
    assert main(["check", str(tmp_path / name)]) == 78
    said = capsys.readouterr()
    assert f"{tmp_path / name}: error: " in said.out + said.err


def test_json_has_every_field_of_every_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.ini"
    path.write_text("[blastbeat]\nbind = 127.0.0.1:0\nfrobnicate = 1\n[blastbeat:a.test]\nnode = app\n")
    assert main(["check", "--json", str(path)]) == 78
    told = json.loads(capsys.readouterr().out)
    assert told["file"] == str(path) and told["ok"] is False
    assert told["summary"]["errors"] == len([it for it in told["problems"] if it["severity"] == "error"]) > 0
    unknown = next(problem for problem in told["problems"] if problem["key"] == "frobnicate")
    assert unknown == {
        "message": "unknown key",
        "severity": "error",
        "file": str(path),
        "line": 3,
        "section": "blastbeat",
        "key": "frobnicate",
        "value": "1",
        "hint": "",
    }


def test_json_tells_of_a_missing_file_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", str(tmp_path / "none.toml")]) == 78
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False and told["problems"][0]["file"] == str(tmp_path / "none.toml")


def test_strict_does_not_let_warnings_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "open.toml"
    path.write_text('[blastbeat]\nbind = "127.0.0.1:0"\nzmq = "tcp://*:0"\n[vhost."a.test"]\nnode = "app"\n')
    assert main(["check", str(path)]) == 0
    assert ", 1 warning, " in capsys.readouterr().out
    assert main(["check", "--strict", str(path)]) == 78


def test_what_a_plugin_prints_is_no_part_of_the_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loud.py").write_text("print('look at me')\n")
    path = tmp_path / "x.toml"
    host = 'zmq = "tcp://127.0.0.1:0"\n[vhost."a.test"]\nnode = "app"\n'
    path.write_text(f'[blastbeat]\nbind = "127.0.0.1:0"\n{host}[plugins]\nfiles = ["loud.py"]\n')
    for command in ("check", "plugins"):
        main([command, "--json", str(path)])
        said = capsys.readouterr()
        json.loads(said.out)
        assert "look at me" in said.err
