"""`blastbeat check`: everything that is wrong with a configuration, a line each, and a last line that counts.

Finds nothing by itself: the text and what lies beyond it are `preflight`'s.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from blastbeat.config import find_config
from blastbeat.errors import ConfigError, Problem
from blastbeat.logs import set_up_logging
from blastbeat.preflight import examine_file

_GOOD, _BAD = 0, 78


def run(options: argparse.Namespace) -> int:
    """Print every problem to standard output; 78 when one of them is an error, with `--strict` also when one
    is a warning.

    Raises ConfigError when there is no file to check, but with `--json` prints that, too.
    """
    set_up_logging(options.log_level or "warning")
    try:
        file = find_config(options.config, os.environ)
        path = str(file)
        # Whatever a plugin prints while it loads is no part of the answer.
        with contextlib.redirect_stdout(sys.stderr):
            problems = in_order(examine_file(file, os.environ))
    except ConfigError as error:
        if not options.json:
            raise
        path, problems = options.config or "", list(error.problems)
    is_good = not any(problem.severity in _refused(options.strict) for problem in problems)
    if options.json:
        sys.stdout.write(f"{json.dumps(as_data(path, problems, is_good), indent=2)}\n")
    else:
        sys.stdout.write("".join(f"{problem}\n" for problem in problems))
        sys.stdout.write(f"{path}: {count(problems)}\n")
    return _GOOD if is_good else _BAD


def _refused(strict: bool) -> tuple[str, ...]:
    return ("error", "warning") if strict else ("error",)


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """By file and line, as a reader mends them; in one line as they were found."""
    return sorted(problems, key=lambda problem: (problem.file, problem.line))


def count(problems: Sequence[Problem]) -> str:
    """``2 errors, 1 warning, 0 notes``."""
    found = Counter(problem.severity for problem in problems)
    numbers = [(found[severity], severity) for severity in ("error", "warning", "note")]
    return ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for number, word in numbers)


def as_data(path: str, problems: Sequence[Problem], is_good: bool) -> dict[str, Any]:
    """What `--json` prints; every problem has every field of Problem, `line` 0 where there is none."""
    found = Counter(problem.severity for problem in problems)
    return {
        "file": path,
        "ok": is_good,
        "summary": {f"{severity}s": found[severity] for severity in ("error", "warning", "note")},
        "problems": [asdict(problem) for problem in problems],
    }
