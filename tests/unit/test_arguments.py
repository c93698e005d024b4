"""What may stand on the command line: every command has a module, its options are its own."""

from __future__ import annotations

import importlib.util

import pytest

from blastbeat.arguments import COMMANDS, build_parser


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_module(name: str) -> None:
    assert importlib.util.find_spec(f"blastbeat.commands.{name.replace('-', '_')}") is not None


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args([name, "--help"])
    said = capsys.readouterr().out
    assert COMMANDS[name][0][1:] in " ".join(said.split())


def test_no_command_is_no_error_of_the_parser() -> None:
    assert build_parser().parse_args([]).command is None
