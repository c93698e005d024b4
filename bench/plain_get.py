"""The plain GET: 13 bytes over keep-alive connections, BlastBeat with a fast node beside uvicorn[h11].

    python bench/plain_get.py [--uvloop] [--turns 5] [--seconds 5]

Both servers run all the time; the load visits them in turns, so that what the machine does meanwhile meets
both. CPU per request is the server's own (its process tree with all threads; the node and the load are not in
it), and it is what to compare: requests per second depend on what else shares the CPUs.
"""

from __future__ import annotations

import argparse
import json
import statistics
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from load import best_generator, run_load
from targets import Pins, Target, blastbeat, choose_pins, node_command, uvicorn
from usage import cpu_seconds

WARM_UP = 1.0


@dataclass(frozen=True)
class Measurement:
    """One turn of one server."""

    target: str
    turn: int
    requests_per_second: float
    cpu_us_per_request: float


def measure(target: Target, turn: int, options: argparse.Namespace, pins: Pins) -> Measurement:
    """One visit of the load. An answer that is wrong or missing ends the run: such figures mean nothing."""
    before = cpu_seconds(target.pid)
    load = run_load(options.load, target.port, options.connections, options.seconds, pins.pin_others)
    used = cpu_seconds(target.pid) - before
    if load.errors or not load.requests:
        raise SystemExit(f"{target.name}: {load.errors} errors in {load.requests} requests")
    if not used:
        raise SystemExit(f"{target.name}: got no CPU to speak of; this machine does other things now")
    return Measurement(target.name, turn, load.requests / load.seconds, used / load.requests * 1e6)


def take_turns(targets: list[Target], options: argparse.Namespace, pins: Pins) -> list[Measurement]:
    """`options.turns` times each target, every other time in the opposite order."""
    for target in targets:
        run_load(options.load, target.port, options.connections, WARM_UP, pins.pin_others)
    taken = []
    for turn in range(1, options.turns + 1):
        for target in targets if turn % 2 else reversed(targets):
            one = measure(target, turn, options, pins)
            print(
                row(f"turn {turn}", one.target, one.requests_per_second, one.cpu_us_per_request), flush=True
            )
            taken.append(one)
    return taken


def row(lead: str, name: str, requests_per_second: float, cpu_us: float) -> str:
    return f"{lead:<8} {name:<14} {requests_per_second:>10,.0f} requests/s {cpu_us:>8.1f} µs CPU per request"


def report(taken: list[Measurement]) -> float:
    """Print the medians; returns the first target's CPU per request over the second's."""
    cpu = {}
    for name in dict.fromkeys(one.target for one in taken):
        own = [one for one in taken if one.target == name]
        cpu[name] = statistics.median(one.cpu_us_per_request for one in own)
        rate = statistics.median(one.requests_per_second for one in own)
        lowest = min(one.cpu_us_per_request for one in own)
        highest = max(one.cpu_us_per_request for one in own)
        print(f"{row('median', name, rate, cpu[name])} ({lowest:.1f} to {highest:.1f})")
    ours, theirs = cpu.values()
    print(f"ratio of the medians (CPU per request): {ours / theirs:.3f}")
    return ours / theirs


def read_options(about: str | None = __doc__) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument(
        "--uvloop", action="store_true", help="both servers on uvloop instead of asyncio's loop"
    )
    parser.add_argument(
        "--turns", type=int, default=5, help="measurements of each server (default %(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=5, help="length of one (default %(default)s)")
    parser.add_argument("--connections", type=int, default=64, help="default %(default)s")
    parser.add_argument("--node", choices=("auto", "c", "python"), default="auto")
    parser.add_argument("--load", choices=("wrk", "python"), default=best_generator())
    parser.add_argument("--no-pin", action="store_true", help="let the kernel choose the CPUs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement there")
    parser.add_argument("--at-most", type=float, metavar="RATIO", help="fail when the ratio is above")
    return parser.parse_args()


def main() -> int:
    options = read_options()
    missing = [name for name in ("uvicorn", "uvloop")[: 1 + options.uvloop] if find_spec(name) is None]
    if missing:
        raise SystemExit(f"{' and '.join(missing)} is not installed here; `make bench` does that")
    pins = Pins() if options.no_pin else choose_pins()
    node = node_command(options.node)
    where = (
        "not pinned" if pins.server is None else f"server on CPU {pins.server}, the rest on CPU {pins.others}"
    )
    loop = "uvloop" if options.uvloop else "asyncio"
    print(
        f"{options.connections} connections, load {options.load}, node {Path(node[-1]).name}, {loop}, {where}"
    )
    with ExitStack() as stack:
        ours = stack.enter_context(blastbeat(node, pins, uvloop=options.uvloop))
        theirs = stack.enter_context(uvicorn(pins, uvloop=options.uvloop))
        taken = take_turns([ours, theirs], options, pins)
    ratio = report(taken)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in taken], indent=1) + "\n")
    return 1 if options.at_most is not None and ratio > options.at_most else 0


if __name__ == "__main__":
    raise SystemExit(main())
