"""Arguments to a command, its outcome to an exit code.

Knows no server: a command's module is loaded when it was chosen, so that `--help` and `--version` are
instant. Whatever happens, the person at the terminal gets lines that say what is wrong, never a traceback.
"""

from __future__ import annotations

import argparse
import difflib
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from blastbeat import __version__
from blastbeat.errors import BlastBeatError, ConfigError, PluginError, StartError
from blastbeat.logs import LEVELS, describe_exception, tell

OK = 0
FAILED = 1
USAGE = 2
NOT_STARTED = 3
BAD_CONFIG = 78

_COMMANDS = {
    "serve": "accept clients and forward them to nodes (also plain: blastbeat FILE)",
    "reload": "let a running server read its configuration again",
    "check": "say everything that is wrong with a configuration",
    "status": "what a running server is doing: its virtualhosts, its nodes",
    "plugins": "list every plugin, where it comes from and what it offers",
    "demo": "a server and a node of its own, to look at in a browser",
}
_EPILOG = """\
CONFIG is a .toml or .ini file. Without it: $BLASTBEAT_CONFIG, ./blastbeat.toml, ./blastbeat.ini,
/etc/blastbeat/blastbeat.toml. `blastbeat COMMAND --help` tells a command's options.

exit codes: 0 clean, 1 failed while running, 2 usage, 3 could not start, 78 bad configuration
"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """argparse's own, without the line that only repeats that a command is expected."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=100)

    def _format_action(self, action: argparse.Action) -> str:
        text = super()._format_action(action)
        return text.partition("\n")[2] if isinstance(action, argparse._SubParsersAction) else text


def build_parser() -> argparse.ArgumentParser:
    """The whole command line. `command` is the chosen one's name, or None."""
    parser = argparse.ArgumentParser(
        prog="blastbeat",
        description="An HTTP proxy that hands each request to a node as ZeroMQ messages.",
        epilog=_EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
        add_help=False,
    )
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    general = parser.add_argument_group("options")
    general.add_argument("-h", "--help", action="help", help="show this and exit")
    general.add_argument(
        "-V",
        "--version",
        action="version",
        version=f"blastbeat {__version__}",
        help="show the version and exit",
    )
    parsers = {}
    for name, text in _COMMANDS.items():
        parsers[name] = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            formatter_class=_Formatter,
            allow_abbrev=False,
        )
    for name in ("serve", "reload", "status", "check", "plugins"):
        parsers[name].add_argument("config", nargs="?", metavar="CONFIG", help="a .toml or .ini file")
    for name in _COMMANDS:
        parsers[name].add_argument(
            "--log-level", choices=LEVELS, metavar="LEVEL", help=f"one of {', '.join(LEVELS)}"
        )
    serve = parsers["serve"]
    serve.add_argument("--bind", metavar="ADDRESS", help="listen here instead of `bind`, e.g. 127.0.0.1:8080")
    serve.add_argument("--zmq", metavar="ENDPOINT", help="await nodes here instead of `zmq`")
    serve.add_argument("--access-log", metavar="TARGET", help="stderr, off or a file, for `access-log`")
    serve.add_argument("--log-format", choices=("text", "json"), help="how both logs are written")
    reload = parsers["reload"]
    reload.add_argument("--dry-run", action="store_true", help="print what is different, change nothing")
    reload.add_argument("--json", action="store_true", help="print it as JSON")
    _add_status_options(parsers["status"])
    demo = parsers["demo"]
    demo.add_argument("--port", type=_port, metavar="N", help="the port to serve on (default 8080; 0: any)")
    demo.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default %(default)s")
    return parser


def _add_status_options(status: argparse.ArgumentParser) -> None:
    status.add_argument("--json", action="store_true", help="everything, as one line of JSON")
    again = "again and again, every 2 s by default, until Ctrl-C"
    status.add_argument("--watch", type=_seconds, nargs="?", const=2.0, metavar="SECONDS", help=again)
    status.add_argument("--virtualhost", metavar="NAME", help="only this virtualhost, and its nodes")
    status.add_argument("--search", metavar="TEXT", help="only those with the text in a name of theirs")
    status.add_argument("--limit", type=_count, metavar="N", help="at most so many (default 50; --json: all)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; `argv` without the program's name. Returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a reader that left can still be answered for
        return code
    except BrokenPipeError:
        # Whoever read our output has enough (`blastbeat plugins | head`); the interpreter's last flush would
        # complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        tell("blastbeat: interrupted")
        return FAILED
    except Exception as error:
        return _explain(error)


def _run(arguments: list[str]) -> int:
    parser = build_parser()
    if not arguments:
        parser.print_help(sys.stderr)
        return USAGE
    first, *rest = arguments
    if not (first in _COMMANDS or first.startswith("-") or _looks_like_file(first)):
        return _run_added_command(first, rest)
    if _means_serve(arguments):
        arguments = ["serve", *arguments]
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:  # argparse has said what there is to say
        return stop.code if isinstance(stop.code, int) else USAGE
    command = import_module(f"blastbeat.commands.{options.command}")
    code: int = command.run(options)
    return code


def _looks_like_file(argument: str) -> bool:
    return argument.endswith((".ini", ".toml")) or os.sep in argument or os.path.isfile(argument)


def _means_serve(arguments: Sequence[str]) -> bool:
    """`blastbeat FILE.ini`, as the original's users type it, with options before or after the file."""
    first = arguments[0]
    if first in _COMMANDS or first in ("-h", "--help", "-V", "--version"):
        return False
    return _looks_like_file(first) or any(map(_looks_like_file, arguments[1:]))


def _run_added_command(name: str, arguments: Sequence[str]) -> int:
    """A command that a plugin adds; the only time that plugins are looked for before one is chosen."""
    from blastbeat.commands.plugins import added_commands

    added = added_commands()
    if name in added:
        return added[name].run(arguments)
    known = [*_COMMANDS, *added]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}."
    tell(f"blastbeat: no command and no file {name!r}; {hint}")
    return USAGE


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 0xFFFF):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; a number from 0 to 65535 is")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds; one from 0.1 to 86400 is")
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= 2000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 2000")
    return int(text)


def _explain(error: BaseException) -> int:
    """Say what went wrong; the exit code that means it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    logging.getLogger("blastbeat").debug("what led to it", exc_info=error)
    if isinstance(error, ConfigError):
        for problem in error.problems:
            tell(str(problem))
        return BAD_CONFIG
    if isinstance(error, BlastBeatError):
        tell(f"blastbeat: {error}")
        return NOT_STARTED if isinstance(error, StartError | PluginError) else FAILED
    tell(f"blastbeat: failed: {describe_exception(error)}; --log-level debug shows where")
    return FAILED
