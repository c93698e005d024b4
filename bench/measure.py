"""Turns: the load visits each server in alternation, so that what the machine does meanwhile meets all.

Knows what a figure is, no workload. CPU time is what to compare: it is the server's own, of its process tree
with all threads; what answers behind it and the load are not in it. Requests per second depend on both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.contenders import CONTENDERS
from bench.loads import Load, OpenClients
from bench.processes import Pins
from bench.servers import Bench, Needs, Server
from bench.usage import cpu_seconds, kernel_seconds, resident_bytes, zmq_seconds

Figures = dict[str, float]
"""By name: see `MEANINGS`."""

MEANINGS = {
    "cpu": "CPU µs of the server per unit",
    "kernel": "of that, in the kernel",
    "zmq": "of that, ZeroMQ's own threads",
    "node": "CPU µs of what answers behind it per unit",
    "rate": "units per second",
    "p50": "median of the time to an answer, ms",
    "p99": "99th percentile of it, ms",
    "spread": "p99 in units of p50",
    "memory": "MB resident (PSS) of the server",
    "each": "KiB of the server per connection",
    "busy": "share of a core that the server used",
}

WARM_UP = 1.0


@dataclass(frozen=True)
class Run:
    """How it is measured."""

    turns: int
    seconds: float
    pins: Pins
    folder: Path
    held: dict[str, OpenClients] = field(default_factory=dict)
    """By server: connections that all visits of a workload use."""

    stack: ExitStack = field(default_factory=ExitStack)
    """What ends with the workload."""


@dataclass(frozen=True)
class Bar:
    """At most `bar` (and better `aim`) is a figure of `of`, in units of that of `to` where there is one."""

    of: str
    bar: float
    aim: float
    to: str | None = None
    figure: str = "cpu"


@dataclass(frozen=True)
class Workload:
    """What is asked, and of whom."""

    title: str
    contenders: tuple[str, ...]
    visit: Callable[[Server, Run], Figures]
    bars: tuple[Bar, ...] = ()
    unit: str = "request"
    needs: Needs = field(default_factory=Needs)
    is_extra: bool = False
    """Not one of those that `all` means."""

    is_fresh: bool = False
    """A server is started for each visit: what a visit leaves behind would be in the next one's figures."""


@dataclass(frozen=True)
class Outcome:
    """The figures of every turn, by contender."""

    workload: Workload
    taken: dict[str, list[Figures]]

    def median(self, contender: str) -> Figures:
        turns = self.taken[contender]
        return {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}

    def span(self, contender: str, figure: str) -> tuple[float, float]:
        values = [turn[figure] for turn in self.taken[contender]]
        return min(values), max(values)

    def ratio(self, bar: Bar) -> float | None:
        """What is to be at most `bar.bar`; None where one of the two was not measured."""
        if bar.of not in self.taken or (bar.to is not None and bar.to not in self.taken):
            return None
        value = self.median(bar.of)[bar.figure]
        return value if bar.to is None else value / self.median(bar.to)[bar.figure]


def measured(server: Server, run: Callable[[], Load]) -> Figures:
    """What the server used while the load ran, for each of its units."""
    before, began = _spent(server), time.monotonic()
    load = run()
    wall = time.monotonic() - began
    spent = {name: seconds - before[name] for name, seconds in _spent(server).items()}
    used = spent["cpu"]
    if not used:
        raise SystemExit(f"{server.name}: got no CPU to speak of; this machine does other things now")
    units = load.units
    return {name: seconds / units * 1e6 for name, seconds in spent.items()} | {
        "rate": units / load.seconds,
        "p50": load.p50_ms,
        "p99": load.p99_ms,
        "memory": resident_bytes(server.pid) / 1e6,
        "busy": used / wall,
    }


def _spent(server: Server) -> dict[str, float]:
    """Seconds of CPU until now, by the name of the figure they are for."""
    spent = {"cpu": cpu_seconds(server.pid), "kernel": kernel_seconds(server.pid)}
    if zmq := zmq_seconds(server.pid):
        spent["zmq"] = zmq
    if server.node_pid is not None:
        spent["node"] = cpu_seconds(server.node_pid)
    return spent


def take_turns(
    workload: Workload, bench: Bench, run: Run, said: Callable[[int, str, Figures], None]
) -> Outcome:
    """`run.turns` times each contender, every other time in the opposite order."""
    bench = replace(bench, needs=workload.needs)
    taken: dict[str, list[Figures]] = {name: [] for name in workload.contenders}
    with ExitStack() as stack:
        run = replace(run, held={}, stack=stack)
        standing = {} if workload.is_fresh else _start(workload.contenders, bench, stack)
        for server in standing.values():
            workload.visit(server, replace(run, seconds=min(run.seconds, WARM_UP)))
        for turn in range(1, run.turns + 1):
            order: Iterable[str] = workload.contenders if turn % 2 else reversed(workload.contenders)
            for name in order:
                if workload.is_fresh:
                    with CONTENDERS[name](bench, name) as server:
                        figures = workload.visit(server, run)
                else:
                    figures = workload.visit(standing[name], run)
                taken[name].append(figures)
                said(turn, name, figures)
    return Outcome(workload, taken)


def _start(names: Iterable[str], bench: Bench, stack: ExitStack) -> dict[str, Server]:
    return {name: stack.enter_context(CONTENDERS[name](bench, name)) for name in names}
