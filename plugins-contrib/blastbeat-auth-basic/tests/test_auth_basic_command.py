"""`blastbeat auth-basic-hash`: what it prints is what the files take."""

from __future__ import annotations

import io

import pytest

from blastbeat_auth_basic.command import format_line, make_line
from blastbeat_auth_basic.hashes import fits
from blastbeat_auth_basic.users import parse_users


def test_the_line_is_one_for_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("s\u00e9cret 1\nmore\n"))
    assert make_line(["b\u00e9rt", "--cost", "4"]) == 0
    printed = capsys.readouterr()
    users = parse_users(printed.out.encode(), "printed")
    assert fits("s\u00e9cret 1".encode(), users["b\u00e9rt".encode()])
    assert printed.err == ""


@pytest.mark.parametrize(
    ("user", "password", "cost", "fault"),
    [
        ("anna", "", 4, "1 to 72 bytes"),
        ("anna", "x" * 73, 4, "1 to 72 bytes"),
        ("anna", "a\tb", 4, "control"),
        ("an:na", "x", 4, "no colon"),
        ("#anna", "x", 4, "no #"),
        (" anna", "x", 4, "blanks"),
        ("", "x", 4, "1 to 255"),
        ("anna", "x", 30, "from 4 to 16"),
    ],
)
def test_what_makes_no_line_is_explained(user: str, password: str, cost: int, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        format_line(user, password, cost)


def test_a_mistake_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert make_line(["anna"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1


def test_two_passwords_that_differ(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    answers = iter(["one", "two"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    assert make_line(["anna"]) == 1
    assert "different" in capsys.readouterr().err
