"""`blastbeat config`: shows the configuration in force, converts the ini notation to TOML.

Knows how to ask and where to write; what is told is the business of config/show.py and config/convert.py.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

from blastbeat.config import find_config, rows
from blastbeat.config.build import build
from blastbeat.config.check import check
from blastbeat.config.convert import convert
from blastbeat.config.files import read_files
from blastbeat.config.show import ShownSection, as_data, as_toml, show_config
from blastbeat.config.values import did_you_mean
from blastbeat.config_file import ConfigFile
from blastbeat.errors import BlastBeatError, ConfigError, Problem
from blastbeat.logs import set_up_logging, tell

_OK, _USAGE = 0, 2


def run(options: argparse.Namespace) -> int:
    """Raises ConfigError for a configuration with errors or none at all, BlastBeatError where the result
    can't be written."""
    set_up_logging(options.log_level or "warning")
    return _show(options) if options.action == "show" else _convert(options)


def _show(options: argparse.Namespace) -> int:
    # Absolute, so that the file names in what is printed mean the same wherever it is read again.
    path = os.path.abspath(find_config(options.config, os.environ))
    document = read_files(Path(path), os.environ)
    source = ConfigFile(path)
    with redirect_stdout(sys.stderr):  # whatever a plugin prints while it loads
        built = build(document, path, {}, source.load_plugins)
    problems = [*built.problems, *check(built)]
    _tell_or_raise([*(source.plugin_problems if _has_errors(problems) else ()), *problems])
    sections = show_config(built, document)
    chosen = _choose(sections, options.section, options.virtualhost)
    if not chosen:
        return _nothing_of_that_name(sections, options.section, options.virtualhost)
    if options.json:
        sys.stdout.write(
            f"{json.dumps({'file': path, 'sections': as_data(chosen)}, indent=2, default=str)}\n"
        )
    else:
        sys.stdout.write(as_toml(chosen))
    return _OK


def _has_errors(problems: Sequence[Problem]) -> bool:
    return any(problem.severity == "error" for problem in problems)


def _choose(sections: Sequence[ShownSection], header: str | None, host: str | None) -> list[ShownSection]:
    if header is not None:
        wanted = header.strip("[]")
        return [section for section in sections if section.header.replace('"', "") == wanted.replace('"', "")]
    if host is not None:
        hosts = (rows.VIRTUALHOST, rows.ROUTE)
        return [it for it in sections if it.kind in hosts and it.name.lower() == host.lower()]
    return list(sections)


def _nothing_of_that_name(sections: Sequence[ShownSection], header: str | None, host: str | None) -> int:
    if host is not None:
        what, wanted = "virtualhost", host
        known = [section.name for section in sections if section.kind == rows.VIRTUALHOST]
    else:
        what, wanted = "section", header or ""
        known = [section.header for section in sections]
    hint = did_you_mean(wanted, known) or f"there are {', '.join(known[:10])}"
    tell(f"blastbeat: the configuration has no {what} {wanted!r}; {hint}")
    return _USAGE


def _tell_or_raise(problems: Sequence[Problem]) -> None:
    """Errors are raised, all of them; everything else goes to standard error."""
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise ConfigError(errors)
    for problem in problems:
        tell(str(problem))


def _convert(options: argparse.Namespace) -> int:
    path = find_config(options.file, os.environ)
    source = ConfigFile(path)
    with redirect_stdout(sys.stderr):
        text, problems = convert(path, source.load_plugins)
    problems = [*(source.plugin_problems if _has_errors(problems) else ()), *problems]
    _tell_or_raise(problems)
    if options.output is None:
        sys.stdout.write(text)
        return _OK
    try:
        with open(options.output, "x", encoding="utf-8") as output:
            output.write(text)
    except FileExistsError:
        raise BlastBeatError(f"{options.output} is there already, and is not overwritten") from None
    except OSError as error:
        raise BlastBeatError(f"{options.output} can't be written: {error.strerror}") from error
    here, there = (os.path.dirname(os.path.abspath(name)) for name in (path, options.output))
    if here != there:
        tell(f"note: relative file names in it start at its folder: it means the same in {here}")
    return _OK
