"""`blastbeat status`: where it asks, what it prints, and what it says when there is nobody to ask."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from blastbeat.cli import main
from blastbeat.commands import status
from blastbeat.commands.status import ask_server, take_all
from blastbeat.config.model import Address, Config, ServerConfig
from blastbeat.errors import ControlError
from tests.helpers.status import StatusStage


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "blastbeat.toml"
    path.write_text('[blastbeat]\ncontrol = "control.sock"\n')
    return str(path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Each query of a server that answers."""
    queries: list[dict[str, Any]] = []
    stage = StatusStage()

    def answer(config: Config, command: str, query: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        assert command == "status" and config.server.control.endswith("/control.sock")
        queries.append(query)
        return stage.status(**query)

    monkeypatch.setattr(status, "ask", answer)
    return queries


def test_it_is_printed(config: str, asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", config]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("BlastBeat ") and "app.test" in said.out and not said.err
    assert asked == [{"limit": 50}]


def test_json_is_everything_in_a_line(
    config: str, asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", config, "--json"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["virtualhosts"][0]["name"] == "app.test"


def test_some_of_them(config: str, asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    main(["status", config, "--virtualhost", "a.test", "--search", "b", "--limit", "3", "--json"])
    assert asked == [{"virtualhost": "a.test", "search": "b", "limit": 3}]


def test_a_configuration_that_became_bad_keeps_nobody_from_looking(
    config: str, asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    with open(config, "a") as file:
        file.write('nonsense = 1\n[vhost."x"]\nnode = 3.5\nselector = 7\n')
    assert main(["status", config]) == 0


def test_no_configuration_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(tmp_path / "missing.toml")]) == 78
    assert "missing.toml" in capsys.readouterr().err


def test_nobody_to_ask(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", config]) == 1
    assert "control.sock: is the server running?" in capsys.readouterr().err


def test_nothing_is_configured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "blastbeat.toml"
    path.write_text("[blastbeat]\n")
    assert main(["status", str(path)]) == 1
    assert "write `control = " in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", [["--watch", "0"], ["--watch", "x"], ["--limit", "0"], ["--limit", "2001"]]
)
def test_usage(config: str, option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", config, *option]) == 2
    assert "argument --" in capsys.readouterr().err


def test_watching_goes_on_until_it_is_interrupted(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also while nobody answers; with rates as soon as there are two."""
    stage, pauses = StatusStage(), list[float]()
    answers: list[dict[str, Any] | ControlError] = [
        stage.status(),
        ControlError("nobody listens"),
        {**stage.status(), "at": 1e10},
    ]

    def answer(*_: object, **__: object) -> dict[str, Any]:
        next_one = answers.pop(0)
        if isinstance(next_one, ControlError):
            raise next_one
        return next_one

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if not answers:
            raise KeyboardInterrupt

    monkeypatch.setattr(status, "ask", answer)
    monkeypatch.setattr(time, "sleep", sleep)
    assert main(["status", config, "--watch", "0.5"]) == 0
    said = capsys.readouterr().out
    assert said.count("BlastBeat ") == 2 and "nobody listens; asking again every 0.5 s" in said
    assert said.count("/S") == 1 and pauses == [0.5] * 3


# ---------------------------------------------------------------- where it asks


def test_the_status_address_is_asked_where_there_is_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "ask_address", lambda *asked: {"asked": asked})
    address = Address("127.0.0.1", 9180)
    found = ask_server(Config(ServerConfig(stats_bind=address)), {"limit": 1})
    assert found == {"asked": (address, {"limit": 1})}


def test_all_of_them_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "PAGE", 2)
    stage = StatusStage()
    for number in range(4):
        stage.engine.add_virtualhost(f"site{number}.test", ["app", f"own{number}"])
    whole = take_all(lambda query: stage.status(**query), {})
    assert [each["name"] for each in whole["virtualhosts"]] == [
        "app.test", "site0.test", "site1.test", "site2.test", "site3.test",
    ]  # fmt: skip
    assert [node["name"] for node in whole["nodes"]] == ["app", "own0", "own1", "own2", "own3"]
    assert whole["limit"] == 5


def test_virtualhosts_that_go_meanwhile_do_not_keep_it_asking() -> None:
    def ask(query: dict[str, Any]) -> dict[str, Any]:
        return {"virtualhosts": [], "virtualhosts_matching": 3, "nodes": []}

    assert take_all(ask, {})["virtualhosts"] == []  # type: ignore[arg-type]
