"""`blastbeat new-plugin`: writes a new distribution, and says what to do with it. Knows no template."""

from __future__ import annotations

import argparse
import datetime
import os
import shlex
import sys
from pathlib import Path

from blastbeat.logs import set_up_logging, tell
from blastbeat.new_plugin import Names, derive_names, write_distribution

_OK, _USAGE = 0, 2


def run(options: argparse.Namespace) -> int:
    """Write it. Raises BlastBeatError where that can't be."""
    set_up_logging(options.log_level or "warning")
    try:
        names = derive_names(options.name, options.kind)
    except ValueError as error:
        tell(f"blastbeat: {error}")
        return _USAGE
    folder = write_distribution(names, Path(options.directory), datetime.date.today().year)
    sys.stdout.write(_next_steps(names, folder))
    return _OK


def _next_steps(names: Names, folder: Path) -> str:
    made = "".join(
        f"    {path.relative_to(folder)}\n" for path in sorted(folder.rglob("*")) if path.is_file()
    )
    return f"""\
{folder} is made:
{made}
Next:
    cd {shlex.quote(os.fspath(folder))}
    python3 -m venv .venv && . .venv/bin/activate
    pip install --editable '.[test,lint]'
    python -m pytest
    blastbeat plugins blastbeat.toml
    blastbeat serve blastbeat.toml

src/{names.module}/__init__.py is yours to change, and README.md says how to try it and publish it.
The license is MIT until you choose another.
"""
