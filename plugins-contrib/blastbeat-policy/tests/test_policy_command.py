"""`blastbeat policy` at a terminal: what it prints, and what it says where it can't."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blastbeat_policy.command import Command
from blastbeat_policy.months import Calendar
from blastbeat_policy.storage import Storage
from blastbeat_policy.usage import PlanInForce, Usage, Where
from policy_case import NOVEMBER


def run(file: str, *arguments: str) -> int:
    return Command(file, Calendar("UTC"), lambda: NOVEMBER).run(arguments)


@pytest.fixture
def file(tmp_path: Path) -> str:
    storage = Storage(str(tmp_path / "usage.sqlite"))
    rows = {Where("2026-11", "acme", "a.example"): Usage(3), Where("2026-10", "bolt", "b.example"): Usage(4)}
    storage.write(rows, {("2026-11", "acme"): PlanInForce("bronze")})
    storage.close()
    return storage.path


def test_usage_of_this_month(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(file, "usage") == 0
    assert "acme" in capsys.readouterr().out


def test_usage_as_json_of_one_customer_in_another_month(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("", "usage", "--file", file, "--json", "--month", "2026-10", "--customer", "bolt") == 0
    data = json.loads(capsys.readouterr().out)
    assert [each["requests"] for each in data["customers"]] == [4]


def test_export(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(file, "export", "--month", "2026-11") == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("2026-11,acme,bronze,3,")


def test_a_month_without_usage_names_those_with(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(file, "usage", "--month", "2026-09") == 0
    assert "months with usage: 2026-10, 2026-11" in capsys.readouterr().out


def test_rename(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(file, "rename", "acme", "apex") == 0
    assert run(file, "usage") == 0
    assert "apex" in capsys.readouterr().out
    assert run(file, "rename", "acme", "apex") == 1
    assert "nothing of a customer 'acme'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["usage", "--month", "2026-13"], 2, "write it as 2026-11"),
        (["usage", "--customer", "nobody"], 1, "nothing of a customer 'nobody'"),
        (["usage", "--file", "/nowhere/usage.sqlite"], 1, "is not there"),
        (["rename", "a", "b", "--file", "/nowhere/usage.sqlite"], 1, "is not there"),
        (["usage", "--file", __file__], 1, "not a database"),
        ([], 2, "usage: blastbeat policy"),
        (["expotr"], 2, "invalid choice"),
    ],
)
def test_what_is_wrong_is_one_line(
    file: str, arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(file, *arguments) == code
    assert words in capsys.readouterr().err


def test_without_a_file_it_says_how_to_name_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("", "usage") == 2
    assert "--file" in capsys.readouterr().err
