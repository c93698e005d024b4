"""Fill performance.md and its charts from performance.json: `python docs/explanation/make_performance.py`.

The words stand in the page; what is between `<!-- NAME -->` and `<!-- /NAME -->` is written anew.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from bench.charts import Column, bars  # noqa: E402
from bench.contenders import PEERS  # noqa: E402

Results = dict[str, Any]

PAGE, RESULTS, IMAGES = HERE / "performance.md", HERE / "performance.json", HERE.parent / "images"

UNITS = {"cpu": "µs", "each": "KiB", "spread": "×"}
MODULES = {
    "commands.serve": "the event loop: uvloop, and the kernel's part of reading and writing",
    "none of ours": "Python's own threads and start",
    "others": "all others",
}


def figure(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{float(f'{value:.3g}'):,.10g}"


def surroundings(results: Results) -> str:
    run = results["run"]
    packages = ", ".join(f"{name} {version}" for name, version in run["packages"].items())
    return busy(results) + (
        f"Measured on: {run['cpu']}, {run['cores']} cores "
        f"({run['pinned']}), Linux {run['kernel']}, Python {run['python']}, libzmq {run['libzmq']}, "
        f"{packages}, nginx {run['nginx']}."
    )


def busy(results: Results) -> str:
    """A warning where other programs had the processors as well."""
    cores = results["run"]["cores"]
    taken = [workload["taken"] for workload in results["workloads"].values()]
    if all(one["load"] is not None and one["load"] < cores / 2 for one in taken):
        return ""
    return (
        "**From a busy machine:** while these figures were taken others wanted the processors as well. "
        "Read the ratios, and those loosely; each workload tells how it was measured.\n\n"
    )


def how(workload: Results) -> str:
    """When and how often it was measured."""
    taken = workload["taken"]
    turns = "one turn" if taken["turns"] == 1 else f"medians of {taken['turns']} turns"
    settings = "".join(f', `{key} = "{value}"`' for key, value in taken["settings"].items())
    load = "not taken down, high" if taken["load"] is None else f"{taken['load']:g}"
    return f"{turns} of {taken['seconds']:g} s{settings}; load of the machine before: {load}"


def verdict(bar: Results) -> str:
    return "aim" if bar["value"] <= bar["aim"] else "bar" if bar["value"] <= bar["bar"] else "**missed**"


def compared(workload: Results, bar: Results) -> str:
    """The measured figures, and what they are in units of."""
    contenders, kind = workload["contenders"], bar["figure"]
    ours = contenders[bar["of"]]["median"][kind]
    if bar["to"] is None:
        return f"`{bar['of']}`: {figure(ours)} {UNITS[kind]}"
    theirs = contenders[bar["to"]]["median"][kind]
    return f"`{bar['of']}` {figure(ours)} : `{bar['to']}` {figure(theirs)} {UNITS[kind]}"


def limit(bar: Results, value: float) -> str:
    unit = "×" if bar["to"] or bar["figure"] == "spread" else UNITS[bar["figure"]]
    return f"{figure(value)} {unit}"


def bars_table(results: Results) -> str:
    rows = ["| workload | measured | result | bar | aim | reached |", "| --- | --- | --: | --: | --: | --- |"]
    for name, workload in results["workloads"].items():
        rows += [
            f"| [{workload['title']}](#{name}) | {compared(workload, bar)} | {limit(bar, bar['value'])} "
            f"| {limit(bar, bar['bar'])} | {limit(bar, bar['aim'])} | {verdict(bar)} |"
            for bar in workload["bars"]
        ]
    return "\n".join(rows)


def details(results: Results) -> str:
    parts = []
    for name, workload in results["workloads"].items():
        parts += [
            f"### {name}\n\n{workload['title']}: `python -m bench {name}`, {how(workload)}.\n",
            details_table(workload),
            "",
        ]
    return "\n".join(parts)


COLUMNS: dict[str, tuple[str, Callable[[Results], str]]] = {
    "cpu": ("CPU µs per {unit}", lambda one: f"**{figure(one['median']['cpu'])}** ({span(one, 'cpu')})"),
    "each": ("KiB per {unit}", lambda one: f"**{figure(one['median']['each'])}** ({span(one, 'each')})"),
    "kernel": ("kernel", lambda one: f"{figure(one['median']['kernel'])}"),
    "zmq": ("ZeroMQ's threads", lambda one: f"{figure(one['median']['zmq'])}"),
    "node": ("node or backend", lambda one: f"{figure(one['median']['node'])}"),
    "rate": ("{unit}s/s", lambda one: f"{one['median']['rate']:,.0f}"),
    "busy": ("of a core", lambda one: f"{one['median']['busy']:.0%}"),
    "p50": ("p50 ms", lambda one: f"{figure(one['median']['p50'])}"),
    "p99": ("p99 ms", lambda one: f"{figure(one['median']['p99'])}"),
    "spread": ("p99 : p50", lambda one: f"{figure(one['median']['spread'])} ({span(one, 'spread')})"),
    "memory": ("MB", lambda one: f"{figure(one['median']['memory'])}"),
}


def span(one: Results, name: str) -> str:
    return f"{figure(one['low'][name])}–{figure(one['high'][name])}"


def details_table(workload: Results) -> str:
    contenders: dict[str, Results] = workload["contenders"]
    told = {key for one in contenders.values() for key in one["median"]}
    columns = {key: column for key, column in COLUMNS.items() if key in told}
    heads = [head.format(unit=workload["unit"]) for head, _ in columns.values()]
    rows = [f"| server | {' | '.join(heads)} |", f"| --- |{' --: |' * len(heads)}"]
    for name, one in contenders.items():
        cells = [show(one) if key in one["median"] else "" for key, (_, show) in columns.items()]
        rows.append(f"| `{name}`: {one['about']} | {' | '.join(cells)} |")
    return "\n".join(rows)


def profile_table(results: Results) -> str:
    rows = ["| share | module |", "| --: | --- |"]
    for module, share in results.get("profile", {}).items():
        rows.append(f"| {share:.1%} | {MODULES.get(module, f'`blastbeat.{module}`')} |")
    return "\n".join(rows)


def ratio_chart(results: Results) -> str:
    """Each bar of the issue: what was measured, and the limit as a line."""
    groups = []
    for workload in results["workloads"].values():
        columns = []
        for bar in workload["bars"]:
            label = (
                f"in units of {bar['to']}" if bar["to"] else "p99 : p50" if bar["figure"] == "spread" else ""
            )
            text = f"{limit(bar, bar['value'])} (bar {limit(bar, bar['bar'])})"
            columns.append(Column(label or UNITS[bar["figure"]], bar["value"], text, mark=bar["bar"]))
        if columns:
            groups.append((plain(workload["title"]), columns))
    return bars("What was measured, and the bar (red)", groups, scale_each=True)


def cpu_chart(results: Results) -> str:
    """CPU per unit of every contender, each workload on its own scale."""
    groups = []
    for workload in results["workloads"].values():
        columns = [
            Column(name, one["median"]["cpu"], f"{figure(one['median']['cpu'])} µs", name not in PEERS)
            for name, one in workload["contenders"].items()
            if "cpu" in one["median"]
        ]
        if len(columns) > 1:
            groups.append((f"{plain(workload['title'])}: CPU µs per {workload['unit']}", columns))
    return bars("CPU time of the server's process tree (blue: ours)", groups, scale_each=True)


def plain(title: str) -> str:
    return title.replace("`", "")


TABLES = {"surroundings": surroundings, "bars": bars_table, "details": details, "profile": profile_table}
CHARTS = {"performance-bars.svg": ratio_chart, "performance-cpu.svg": cpu_chart}


def page(text: str, results: Results) -> str:
    """The page with its tables written anew."""
    for name, make in TABLES.items():
        made = f"<!-- {name} -->\n{make(results)}\n<!-- /{name} -->"
        text, count = re.subn(rf"<!-- {name} -->.*?<!-- /{name} -->", lambda _: made, text, flags=re.S)  # noqa: B023
        if count != 1:
            raise SystemExit(f"{PAGE}: there is no place <!-- {name} --> … <!-- /{name} -->")
    return text


def main() -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    for name, draw in CHARTS.items():
        (IMAGES / name).write_text(draw(results), encoding="utf-8")


if __name__ == "__main__":
    main()
