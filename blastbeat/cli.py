"""A command to its module, its outcome to an exit code.

Knows no server: a command's module is loaded when it was chosen, so that `--help` and `--version` are
instant. Whatever happens, the person at the terminal gets lines that say what is wrong, never a traceback.
"""

from __future__ import annotations

import difflib
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from blastbeat.arguments import COMMANDS, build_parser
from blastbeat.errors import BlastBeatError, ConfigError, PluginError, StartError
from blastbeat.logs import describe_exception, tell

OK = 0
FAILED = 1
USAGE = 2
NOT_STARTED = 3
BAD_CONFIG = 78


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
    if not (first in COMMANDS or first.startswith("-") or _looks_like_file(first)):
        return _run_added_command(first, rest)
    if _means_serve(arguments):
        arguments = ["serve", *arguments]
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:  # argparse has said what there is to say
        return stop.code if isinstance(stop.code, int) else USAGE
    command = import_module(f"blastbeat.commands.{options.command.replace('-', '_')}")
    code: int = command.run(options)
    return code


def _looks_like_file(argument: str) -> bool:
    return argument.endswith((".ini", ".toml")) or os.sep in argument or os.path.isfile(argument)


def _means_serve(arguments: Sequence[str]) -> bool:
    """`blastbeat FILE.ini`, as the original's users type it, with options before or after the file."""
    first = arguments[0]
    if first in COMMANDS or first in ("-h", "--help", "-V", "--version"):
        return False
    return _looks_like_file(first) or any(map(_looks_like_file, arguments[1:]))


def _run_added_command(name: str, arguments: Sequence[str]) -> int:
    """A command that a plugin adds; the only time that plugins are looked for before one is chosen."""
    from blastbeat.commands.plugins import added_commands

    added = added_commands()
    if name in added:
        return added[name].run(arguments)
    known = [*COMMANDS, *added]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}."
    tell(f"blastbeat: no command and no file {name!r}; {hint}")
    return USAGE


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
