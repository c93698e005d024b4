"""`blastbeat check`: a line per problem, a last line that counts, the exit code."""

from __future__ import annotations

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
