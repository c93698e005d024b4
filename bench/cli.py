"""`python -m bench`: arguments to a workload, several, all, or a study."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from bench import report
from bench.contenders import ABOUT, PEERS, missing
from bench.measure import Figures, Run, Workload, take_turns
from bench.processes import Pins, allow_open_files, choose_pins
from bench.servers import Bench
from bench.workloads import WORKLOADS

STUDIES = {
    "flame": "a flame graph of the plain GET as SVG, and what each module of ours takes",
    "hosts": "what virtualhosts cost by their number: to load, to check, to start with, to find",
    "scale": "10,000 connections and virtualhosts with 500 nodes at once: no error, and the memory of each",
    "websockets": "5,000 idle WebSockets: memory of each, CPU at rest, and what an echo costs",
    "memory": "where the memory of idle connections goes: each one's, and what it is made of",
    "websocket-path": "what an echoed message costs the server's own code, without kernel and ZeroMQ",
    "isp": "what a provider's other customers notice while one of them comes to its limits",
    "instructions": "instructions that a request takes in our own Python, by valgrind; or by function",
    "reload": "what clients notice while the configuration is read again",
    "rolling-restart": "an application restarted again and again under load: no request may fail",
    "status-cost": "what a look at the status of a server with very many virtualhosts costs",
    "peer-addresses": "what it costs to look at the address of each message of a node",
    "plugin-hooks": "what plugins that listen to exchange_closed cost a request",
}
"""Each a module of bench/studies."""


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    names = "\n".join(f"  {name:<18} {workload.title}" for name, workload in WORKLOADS.items())
    peers = "\n".join(f"  {name:<24} {ABOUT[name]}" for name in PEERS)
    studies = "\n".join(f"  {name:<18} {about}" for name, about in STUDIES.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="CPU per request of the server beside its peers, in turns within one run.",
        epilog=f"workloads:\n{names}\n\npeers:\n{peers}\n\n"
        f"studies (python -m bench STUDY --help):\n{studies}",
    )
    parser.add_argument("workload", nargs="*", default=["get"], help="names, or all (default: get)")
    parser.add_argument(
        "--peer", action="append", choices=PEERS, help="beside ours, in place of the usual ones"
    )
    parser.add_argument("--turns", type=int, default=5, help="visits of each server (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=1, help="length of one (default %(default)s)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a key of [blastbeat]"
    )
    parser.add_argument(
        "--zmq", choices=("tcp", "ipc"), default="tcp", help="default %(default)s, as nginx's"
    )
    parser.add_argument("--no-pin", action="store_true", help="let the kernel choose the CPUs")
    parser.add_argument("--json", action="store_true", help="print nothing but JSON")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the results into this file too")
    parser.add_argument("--strict", action="store_true", help="end with 1 where a bar is missed")
    options = parser.parse_args(arguments)
    if options.workload == ["all"]:
        options.workload = [name for name, workload in WORKLOADS.items() if not workload.is_extra]
    for name in options.workload:
        if name not in WORKLOADS:
            parser.error(f"there is no workload {name!r}; known: all, {', '.join(WORKLOADS)}")
    return options


def with_peers(workload: Workload, peers: list[str] | None) -> Workload:
    if not peers:
        return workload
    ours = tuple(name for name in workload.contenders if name not in PEERS)
    return replace(workload, contenders=(*ours, *peers))


def main(arguments: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] in STUDIES:
        return int(import_module(f"bench.studies.{arguments[0].replace('-', '_')}").main(arguments[1:]))
    options = read_options(arguments)
    allow_open_files()
    workloads = {name: with_peers(WORKLOADS[name], options.peer) for name in options.workload}
    for contender in {name for workload in workloads.values() for name in workload.contenders}:
        if packages := missing(contender):
            raise SystemExit(f"{contender} needs {packages}, not installed here; `make bench` does that")
    with tempfile.TemporaryDirectory(prefix="blastbeat-bench-") as folder:
        return measure(workloads, options, Path(folder))


def measure(workloads: dict[str, Workload], options: argparse.Namespace, folder: Path) -> int:
    """One after the other; 1 where a bar is missed and that matters."""
    pins = Pins() if options.no_pin else choose_pins()
    settings = dict(each.partition("=")[::2] for each in options.set)
    bench = Bench(folder, pins, options.zmq, settings)
    run = Run(options.turns, options.seconds, pins, folder)
    surroundings = report.surroundings(run)
    results, is_missed = {}, False

    def tell(text: str) -> None:
        if not options.json:
            print(text, flush=True)

    def visited(turn: int, contender: str, figures: Figures) -> None:
        tell(report.line(f"turn {turn}", contender, figures))

    tell(f"{pins}; {options.turns} turns of {options.seconds:g} s")
    for name, workload in workloads.items():
        tell(f"\n{name}: {workload.title} (figures per {workload.unit})")
        taken = report.circumstances(run, settings)
        outcome = take_turns(workload, bench, run, visited)
        for text in report.summary(outcome):
            tell(text)
            is_missed |= report.MISSED in text
        results[name] = report.as_json(outcome, taken)
        if options.write:
            report.write(options.write, surroundings, {name: results[name]})
    if options.json:
        print(json.dumps({"run": surroundings, "workloads": results}, indent=1, ensure_ascii=False))
    return 1 if options.strict and is_missed else 0
