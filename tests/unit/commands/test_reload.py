"""`blastbeat reload`: what is asked, what is printed, the exit codes. The server is a fake."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from blastbeat.cli import main
from blastbeat.commands import reload
from blastbeat.config.model import Config
from blastbeat.errors import ControlError

TEXT = '[blastbeat]\nbind = "127.0.0.1:80"\nzmq = "ipc:///x"\n[vhost."a.test"]\nnode = "app"\n'
DONE = {"lines": [], "problems": [], "restart": [], "generation": 2, "applied": True}


class FakeServer:
    """Answers `answer`, or raises it; `asked` is what it was asked."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] | ControlError = DONE
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def ask(self, config: Config, command: str, arguments: Mapping[str, Any], *, timeout: float) -> Any:
        self.asked.append((command, arguments))
        if isinstance(self.answer, ControlError):
            raise self.answer
        return self.answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer()
    monkeypatch.setattr(reload, "ask", fake.ask)
    return fake


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "x.toml"
    path.write_text(TEXT)
    return path


def test_it_is_in_force(server: FakeServer, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.answer = {**DONE, "lines": ["+ virtualhost b.test"], "restart": ["[blastbeat] uid"]}
    assert main(["reload", str(config)]) == 0
    assert server.asked == [("reload", {"dry-run": False})]
    assert capsys.readouterr().out.splitlines() == [
        "+ virtualhost b.test",
        "needs a restart: [blastbeat] uid",
        "taken over; configuration 2 is in force",
    ]


@pytest.mark.parametrize(
    ("answer", "last"),
    [
        ({"lines": ["+ virtualhost b"], "applied": False}, "nothing was changed: this was a dry run"),
        ({"applied": False}, "no difference"),
        ({}, "no difference; configuration 2 is in force"),
        ({"lines": ["+ virtualhost b"]}, "taken over; configuration 2 is in force"),
    ],
)
def test_the_last_line(answer: dict[str, Any], last: str) -> None:
    assert reload.report({**DONE, **answer})[-1] == last


def test_a_dry_run_as_json(server: FakeServer, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reload", str(config), "--dry-run", "--json"]) == 0
    assert server.asked == [("reload", {"dry-run": True})]
    assert json.loads(capsys.readouterr().out) == DONE


def test_what_is_wrong_with_the_text_needs_no_server(
    server: FakeServer, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(TEXT + 'max-hops = "many"\nmax-body = "many"\n')
    assert main(["reload", str(config)]) == 78
    said = capsys.readouterr().err.splitlines()
    assert [
        line.startswith(f"{config}:{number}: error: ") for line, number in zip(said, (6, 7), strict=False)
    ]
    assert said[-1].endswith("not taken over, nothing has changed") and len(said) == 3
    assert not server.asked


@pytest.mark.parametrize("as_json", [False, True])
def test_what_the_server_has_against_it(
    server: FakeServer, config: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    server.answer = {"applied": False, "refused": ["x.toml:4: error: no such filter"]}
    assert main(["reload", str(config), *(["--json"] if as_json else [])]) == 78
    said = capsys.readouterr()
    if as_json:
        assert json.loads(said.out) == server.answer
    else:
        assert said.err.startswith("x.toml:4: error: no such filter\n") and not said.out


def test_a_server_that_is_not_reached(
    server: FakeServer, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(TEXT.replace("[vhost", 'control = "/run/x.sock"\n[vhost', 1))
    server.answer = ControlError("nobody listens on /run/x.sock: is the server running?")
    assert main(["reload", str(config)]) == 1
    assert capsys.readouterr().err == "blastbeat: nobody listens on /run/x.sock: is the server running?\n"


def test_without_a_control_socket_the_other_way_is_named(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reload", str(config)]) == 1
    said = capsys.readouterr().err
    assert "no control socket is configured" in said and "kill -HUP" in said


def test_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reload", str(tmp_path / "none.toml")]) == 78
    assert "there is no such file" in capsys.readouterr().err
