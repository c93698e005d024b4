"""`blastbeat check`: everything that is wrong with a configuration, a line each, and a last line that counts.

Finds nothing by itself: the text and what lies beyond it are `preflight`'s.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence

from blastbeat.config import find_config
from blastbeat.errors import Problem
from blastbeat.logs import set_up_logging
from blastbeat.preflight import examine_file

_GOOD, _BAD = 0, 78


def run(options: argparse.Namespace) -> int:
    """Print every problem to standard output; 78 when one of them is an error.

    Raises ConfigError when there is no file to check.
    """
    set_up_logging(options.log_level or "warning")
    path = find_config(options.config, os.environ)
    problems = examine_file(path, os.environ)
    for problem in in_order(problems):
        sys.stdout.write(f"{problem}\n")
    sys.stdout.write(f"{path}: {count(problems)}\n")
    return _BAD if any(problem.severity == "error" for problem in problems) else _GOOD


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """By file and line, as a reader mends them; in one line as they were found."""
    return sorted(problems, key=lambda problem: (problem.file, problem.line))


def count(problems: Sequence[Problem]) -> str:
    """``2 errors, 1 warning, 0 notes``."""
    found = Counter(problem.severity for problem in problems)
    return ", ".join(
        f"{found[kind]} {kind}{'' if found[kind] == 1 else 's'}" for kind in ("error", "warning", "note")
    )
