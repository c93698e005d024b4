"""Figures for people on a terminal, and the results file that the page of figures is made from."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import zmq

from bench.contenders import ABOUT
from bench.measure import Bar, Figures, Outcome, Run

MISSED = "BAR MISSED"

_PRINTED = {
    "cpu": "{:8.1f} CPU µs",
    "kernel": "(kernel {:5.1f})",
    "zmq": "(ZeroMQ's {:5.1f})",
    "node": "{:7.1f} of the node",
    "each": "{:7.2f} KiB each",
    "rate": "{:9,.0f}/s",
    "p50": "p50 {:7.2f} ms",
    "p99": "p99 {:7.2f} ms",
    "spread": "p99/p50 {:5.2f}",
    "memory": "{:6.1f} MB",
    "busy": "{:4.0%} busy",
}


def line(lead: str, name: str, figures: Figures) -> str:
    told = "  ".join(text.format(figures[key]) for key, text in _PRINTED.items() if key in figures)
    return f"{lead:<7} {name:<24} {told}"


def summary(outcome: Outcome) -> list[str]:
    """Medians, and every bar with what was measured."""
    lines = [line("median", name, outcome.median(name)) for name in outcome.taken]
    return lines + [told for bar in outcome.workload.bars if (told := judged(outcome, bar))]


def judged(outcome: Outcome, bar: Bar) -> str:
    value = outcome.ratio(bar)
    if value is None:
        return ""
    met = "aim met" if value <= bar.aim else "bar met" if value <= bar.bar else MISSED
    beside = f" / {bar.to}" if bar.to else f" ({bar.figure})"
    return f"ratio   {bar.of}{beside}: {value:.2f}, bar {bar.bar:g}, aim {bar.aim:g}: {met}"


def circumstances(run: Run, settings: Mapping[str, str]) -> dict[str, Any]:
    """What belongs to the figures of one workload; `load` is the machine's before it begins."""
    load = round(os.getloadavg()[0], 1)
    return {"turns": run.turns, "seconds": run.seconds, "load": load, "settings": dict(settings)}


def as_json(outcome: Outcome, taken: dict[str, Any]) -> dict[str, Any]:
    workload = outcome.workload
    return {
        "title": workload.title,
        "taken": taken,
        "unit": workload.unit,
        "contenders": {
            name: {
                "about": ABOUT[name],
                "median": rounded(outcome.median(name)),
                "low": rounded({key: outcome.span(name, key)[0] for key in turns[0]}),
                "high": rounded({key: outcome.span(name, key)[1] for key in turns[0]}),
            }
            for name, turns in outcome.taken.items()
        },
        "bars": [
            {
                "of": bar.of,
                "to": bar.to,
                "figure": bar.figure,
                "bar": bar.bar,
                "aim": bar.aim,
                "value": round(value, 3),
            }
            for bar in workload.bars
            if (value := outcome.ratio(bar)) is not None
        ],
    }


def rounded(figures: Figures) -> Figures:
    return {name: float(f"{value:.4g}") for name, value in figures.items()}


def surroundings(run: Run) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "pinned": str(run.pins),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "libzmq": zmq.zmq_version(),
        "nginx": _said(["nginx", "-v"], r"nginx/([\d.]+)"),
        "packages": {
            name: _installed(name) for name in ("pyzmq", "uvloop", "h11", "wsproto", "uvicorn", "httptools")
        },
    }


def _cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    return found[1] if found else platform.machine()


def _said(command: list[str], pattern: str) -> str:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError:
        return "not installed"
    found = re.search(pattern, done.stdout)
    return found[1] if found else "unknown"


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def write(path: Path, surroundings: dict[str, Any], outcomes: dict[str, dict[str, Any]]) -> None:
    """A run of a few workloads replaces theirs and leaves the others' figures."""
    before = json.loads(path.read_text()) if path.exists() else {}
    workloads = before.get("workloads", {}) | outcomes
    text = json.dumps(before | {"run": surroundings, "workloads": workloads}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n")
