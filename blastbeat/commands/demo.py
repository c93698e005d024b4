"""`blastbeat demo`: the demo, with the port that was asked for. Knows nothing of what it shows."""

from __future__ import annotations

import argparse
import sys

from blastbeat.demo import run_demo
from blastbeat.logs import set_up_logging


def run(options: argparse.Namespace) -> int:
    """Run the demo until a signal ends it."""
    set_up_logging(options.log_level or "warning")
    return run_demo(options.port, options.host, _announce)


def _announce(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
