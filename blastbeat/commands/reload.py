"""`blastbeat reload`: asks a running server to read its configuration again, and says what came of it.

What is different and whether it can be done is the server's business; here it is only told.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blastbeat.config import examine, find_config
from blastbeat.config.declared import UNKNOWN
from blastbeat.config.model import Config
from blastbeat.errors import ControlError
from blastbeat.logs import set_up_logging, tell
from blastbeat.transport.control_client import ask

_DONE, _BAD = 0, 78

TIMEOUT = 300.0
"""Seconds: the server reads, builds and binds while it serves everybody else."""


def run(options: argparse.Namespace) -> int:
    """0 when the configuration is in force, or with `--dry-run` when it was compared; 78 when it is bad.

    Raises ConfigError when there is no file, ControlError when the server can't be reached, or can't do it
    for a reason that is not the configuration's.
    """
    set_up_logging(options.log_level or "warning")
    path = find_config(options.config, os.environ)
    # What plugins declare, and whether it is good, the server says: it has loaded them.
    config, problems = examine(path, declare=lambda _: UNKNOWN)
    if config is None:
        errors = [problem for problem in problems if problem.severity == "error"]
        return _refused([str(problem) for problem in errors], path, options.json)
    answer = _ask(config, options.dry_run)
    if "refused" in answer:
        return _refused(answer["refused"], path, options.json)
    if options.json:
        sys.stdout.write(f"{json.dumps(answer)}\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in report(answer)))
    return _DONE


def _ask(config: Config, dry_run: bool) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = ask(config, "reload", {"dry-run": dry_run}, timeout=TIMEOUT)
    except ControlError as error:
        if config.server.control:
            raise
        raise ControlError(f"{error}; without one, kill -HUP does the same, and the log tells") from None
    return answer


def _refused(problems: list[str], path: Path, as_json: bool) -> int:
    """As `check` tells them."""
    if as_json:
        sys.stdout.write(f"{json.dumps({'applied': False, 'refused': problems})}\n")
        return _BAD
    for problem in problems:
        tell(problem)
    tell(f"blastbeat: {path}: not taken over, nothing has changed")
    return _BAD


def report(answer: Mapping[str, Any]) -> list[str]:
    """What the server answered, for a reader."""
    lines = [*answer["problems"], *answer["lines"]]
    restart = answer["restart"]
    if restart:
        lines.append(f"needs a restart: {', '.join(restart)}")
    if not answer["applied"]:
        lines.append("nothing was changed: this was a dry run" if answer["lines"] else "no difference")
    elif not answer["lines"]:
        lines.append(f"no difference; configuration {answer['generation']} is in force")
    else:
        lines.append(f"taken over; configuration {answer['generation']} is in force")
    return lines
