"""`blastbeat new-plugin`: what it says, and with which exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastbeat.cli import main


def run(*arguments: str) -> int:
    return main(["new-plugin", *arguments])


def test_it_tells_what_was_made_and_what_to_do_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("geo", "--kind", "filter", "--directory", str(tmp_path / "my plugins")) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "    src/blastbeat_geo/__init__.py\n" in said.out
    assert f"    cd '{tmp_path}/my plugins/blastbeat-geo'\n" in said.out
    assert "    python -m pytest\n" in said.out


def test_it_is_made_here_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("geo", "--kind", "encoder") == 0
    assert (tmp_path / "blastbeat-geo" / "pyproject.toml").is_file()


def test_a_name_that_is_none_is_a_matter_of_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("My_Plugin", "--kind", "filter", "--directory", str(tmp_path)) == 2
    assert "write my-plugin" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "blastbeat-geo").mkdir()
    assert run("geo", "--kind", "filter", "--directory", str(tmp_path)) == 1
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("geo",), ("geo", "--kind", "driver"), ("--kind", "filter")])
def test_what_is_missing_is_told(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert "usage:" in capsys.readouterr().err
