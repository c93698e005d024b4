"""A flame graph of the server under the plain GET: which function called which, and how long each took.

    python -m bench flame [--write FILE.svg] [--results docs/explanation/performance.json]

py-spy looks at the server's Python stacks a thousand times per second, without stopping it. ZeroMQ's own
thread has no Python stack and is not in it. Prints, and with --results writes down, the share of each module
of ours: of all samples, those in which it is the innermost of ours.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.flame_graph import draw, read_folded
from bench.loads import wrk
from bench.processes import choose_pins
from bench.servers import Bench, blastbeat

RATE = 1000
OURS = re.compile(r"\(blastbeat/([\w/]+)\.py:\d+\)")
LEAST = 0.01


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--write", type=Path, metavar="FILE", default=Path("flame.svg"), help="default %(default)s"
    )
    parser.add_argument("--results", type=Path, metavar="FILE", help="put each module's share into this file")
    parser.add_argument("--seconds", type=int, default=8, help="default %(default)s")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a key of [blastbeat]"
    )
    options = parser.parse_args(arguments)
    settings = dict(each.partition("=")[::2] for each in options.set)
    with tempfile.TemporaryDirectory(prefix="blastbeat-bench-") as name:
        folded = record(Bench(Path(name), choose_pins(), settings=settings), options.seconds)
    title = "A plain GET in blastbeat serve (uvloop, access log on), by Python function"
    options.write.write_text(draw(read_folded(without_lines(folded)), title))
    found = shares(folded)
    for module, share in found.items():
        print(f"{share:6.1%}  {module}")
    if options.results:
        results = json.loads(options.results.read_text()) if options.results.exists() else {}
        text = json.dumps(results | {"profile": found}, indent=1, ensure_ascii=False)
        options.results.write_text(text + "\n")
    return 0


def record(bench: Bench, seconds: int) -> str:
    """The folded stacks of a server under load."""
    spy = Path(sys.executable).with_name("py-spy")
    if not spy.exists():
        raise SystemExit("py-spy is not installed here: pip install py-spy")
    raw, pin = bench.folder / "stacks", bench.pins.pin_others
    with blastbeat(bench, "blastbeat") as server:
        command = [str(spy), "record", "--rate", str(RATE), "--duration", str(seconds), "--nonblocking"]
        command += ["--format", "raw", "--output", str(raw), "--pid", str(server.pid)]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, stdout=quiet, stderr=quiet, preexec_fn=pin) as watching:
            wrk(server, "/", 64, seconds + 2, pin, ("fields", "2"))
            watching.wait(30)
    if not raw.exists():
        raise SystemExit("py-spy took no samples: it needs to be allowed to look at other processes (ptrace)")
    return raw.read_text()


def without_lines(folded: str) -> str:
    """Each function once, however many of its lines were found."""
    return re.sub(r"\.py:\d+\)", ".py)", folded)


def shares(folded: str) -> dict[str, float]:
    """By module, the largest first; the smallest together at the end."""
    counts: Counter[str] = Counter()
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        ours = OURS.findall(stack)
        counts[ours[-1].replace("/", ".") if ours else "none of ours"] += int(count)
    total = counts.total()
    large = {name: count / total for name, count in counts.most_common() if count >= LEAST * total}
    return {name: round(share, 4) for name, share in large.items()} | {
        "others": round(1 - sum(large.values()), 4)
    }
