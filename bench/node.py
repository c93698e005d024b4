"""A node's own CPU per request: an ASGI application behind BlastBeat, beside uvicorn that serves it directly.

    python bench/node.py [--asyncio] [--turns 5] [--seconds 5]

What is compared is the process that runs the application: the node with all its threads, ZeroMQ's among them
(the server and the load are not in it), and uvicorn with httptools, which reads and writes HTTP itself. The
load visits them in turns within one run.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from importlib.util import find_spec

from load import best_generator
from plain_get import report, take_turns
from targets import BACKENDS, Pins, Target, choose_pins, node_behind_blastbeat, uvicorn


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--asyncio", action="store_true", help="both on asyncio's own loop instead of uvloop")
    parser.add_argument("--turns", type=int, default=5, help="measurements of each (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=5, help="length of one (default %(default)s)")
    parser.add_argument("--connections", type=int, default=64, help="default %(default)s")
    parser.add_argument("--load", choices=("wrk", "python"), default=best_generator())
    parser.add_argument("--no-pin", action="store_true", help="let the kernel choose the CPUs")
    parser.add_argument("--at-most", type=float, metavar="RATIO", help="fail when the ratio is above")
    return parser.parse_args()


def main() -> int:
    options = read_options()
    missing = [name for name in ("uvicorn", "httptools", "uvloop") if find_spec(name) is None]
    if missing:
        raise SystemExit(f"{' and '.join(missing)} is not installed here; `make bench` does that")
    pins = Pins() if options.no_pin else choose_pins()
    loop = "asyncio" if options.asyncio else "uvloop"
    where = (
        "not pinned" if pins.server is None else f"node on CPU {pins.server}, the rest on CPU {pins.others}"
    )
    print(f"{options.connections} connections, load {options.load}, {loop}, {where}")
    with ExitStack() as stack:
        command = [sys.executable, str(BACKENDS / "asgi_node.py")]
        ours: Target = stack.enter_context(node_behind_blastbeat(command, loop, pins))
        theirs = stack.enter_context(uvicorn(pins, uvloop=loop == "uvloop", http="httptools"))
        taken = take_turns([ours, theirs], options, pins)
    ratio = report(taken)
    return 1 if options.at_most is not None and ratio > options.at_most else 0


if __name__ == "__main__":
    raise SystemExit(main())
