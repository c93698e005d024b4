"""The command line: which command runs, what is said, which code comes out."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from blastbeat import __version__, cli
from blastbeat.errors import ConfigError, NodeError, PluginError, Problem, StartError

Outcome = Callable[[argparse.Namespace], int]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Outcome], None]:
    """Put a function in a command's place."""

    def replace(name: str, outcome: Outcome) -> None:
        module = ModuleType(f"blastbeat.commands.{name}")
        module.run = outcome  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)

    return replace


def raising(error: BaseException) -> Outcome:
    def run(_: argparse.Namespace) -> int:
        raise error

    return run


def recording(seen: list[argparse.Namespace]) -> Outcome:
    def run(options: argparse.Namespace) -> int:
        seen.append(options)
        return 7

    return run


def test_without_arguments_the_help_is_shown_as_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == cli.USAGE
    assert "serve" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["serve", "--help"], ["demo", "-h"]])
def test_help_goes_to_standard_output(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == cli.OK
    said = capsys.readouterr()
    assert said.out.startswith("usage: blastbeat") and not said.err


def test_the_help_fits_a_small_terminal_and_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    assert {"serve", "check", "plugins", "demo"} <= {
        line.split()[0] for line in lines if line.startswith("    ")
    }


@pytest.mark.parametrize("argument", ["--version", "-V"])
def test_version(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([argument]) == cli.OK
    assert capsys.readouterr().out == f"blastbeat {__version__}\n"


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_load_no_server(argument: str) -> None:
    script = (
        "import sys; from blastbeat.cli import main; main(sys.argv[1:]); "
        "print({'zmq', 'anyio', 'h11', 'pluggy', 'asyncio', 'blastbeat.config'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, argument], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "set()", done.stderr


@pytest.mark.parametrize(
    ("arguments", "config"),
    [
        (["serve"], None),
        (["serve", "a.toml"], "a.toml"),
        (["a.ini"], "a.ini"),
        (["b.toml"], "b.toml"),
        (["./conf"], "./conf"),
        (["a.ini", "--bind", ":80"], "a.ini"),
        (["--bind", ":80", "a.ini"], "a.ini"),
        (["--log-level=debug", "etc/a"], "etc/a"),
    ],
)
def test_a_file_alone_means_serve(
    arguments: list[str], config: str | None, command: Callable[[str, Outcome], None]
) -> None:
    seen: list[argparse.Namespace] = []
    command("serve", recording(seen))
    assert cli.main(arguments) == 7
    assert [options.config for options in seen] == [config]


def test_serve_takes_single_keys_from_the_command_line(command: Callable[[str, Outcome], None]) -> None:
    seen: list[argparse.Namespace] = []
    command("serve", recording(seen))
    cli.main(
        ["serve", "--bind", "[::1]:8080", "--zmq", "ipc:///tmp/x", "--log-level", "debug", "x.ini"]
        + ["--access-log", "a.log", "--log-format", "json", "--profile-plugins"]
    )
    assert vars(seen[0]) == {
        "command": "serve",
        "config": "x.ini",
        "bind": "[::1]:8080",
        "zmq": "ipc:///tmp/x",
        "access_log": "a.log",
        "log_format": "json",
        "log_level": "debug",
        "profile_plugins": True,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["srve"], "did you mean 'serve'?"),
        (["frobnicate"], "there are serve, node, run, "),
        (["serve", "--bnd", "x"], "unrecognized arguments: --bnd"),
        (["serve", "--log-level", "loud"], "invalid choice: 'loud'"),
        (["serve", "--log-format", "xml"], "invalid choice: 'xml'"),
        (["serve", "a.ini", "b.ini"], "unrecognized arguments: b.ini"),
        (["demo", "--port", "x"], "'x' is no port"),
        (["demo", "--port", "65536"], "a number from 0 to 65535"),
        (["--frobnicate"], "unrecognized arguments: --frobnicate"),
    ],
)
def test_usage_errors(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == cli.USAGE
    captured = capsys.readouterr()
    assert said in captured.err and not captured.out


PROBLEMS = [Problem("too small", file="a.ini", line=3), Problem("no such option", file="a.ini", line=9)]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError(PROBLEMS), 78, "a.ini:3: error: too small\na.ini:9: error: no such option\n"),
        (StartError("127.0.0.1:80 is in use"), 3, "blastbeat: 127.0.0.1:80 is in use\n"),
        (PluginError("shiny", "is broken"), 3, "blastbeat: plugin 'shiny': is broken\n"),
        (NodeError("odd"), 1, "blastbeat: odd\n"),
        (ExceptionGroup("tasks", [ExceptionGroup("more", [StartError("in use")])]), 3, "blastbeat: in use\n"),
        (
            ValueError("two\nlines"),
            1,
            "blastbeat: failed: ValueError: two\\nlines; --log-level debug shows where\n",
        ),
        (KeyboardInterrupt(), 1, "blastbeat: interrupted\n"),
    ],
)
def test_failures_are_told_in_lines_and_codes(
    error: BaseException,
    code: int,
    said: str,
    command: Callable[[str, Outcome], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    command("serve", raising(error))
    assert cli.main(["serve"]) == code
    assert capsys.readouterr().err == said


def test_a_reader_that_leaves_gets_no_traceback() -> None:
    script = "import sys; from blastbeat.cli import main; sys.exit(main(['plugins']))"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), said) == (cli.FAILED, b"")
