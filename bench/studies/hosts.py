"""What virtualhosts cost by their number: to load, to check, to start with, to find by the name asked for.

    python -m bench hosts [--numbers 10,1000,10000] [--rounds 3]

Every other virtualhost has aliases, a selector, a filter and limits of its own; every 200th a ROUTER. Times
are the best of the rounds, each in a process of its own; memory is the most that process had resident.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from bench.processes import allow_open_files, running, wait
from blastbeat.vhosts import HostTable

HEAD = """\
[blastbeat]
bind = "127.0.0.1:0"
zmq = "ipc://{folder}/nodes"
access-log = "off"
log-level = "warning"
"""
LOAD = "import sys; from blastbeat.config import load_config; load_config(sys.argv[1])"
LOOKUPS = 200_000


def write_config(folder: Path, count: int) -> Path:
    text = [HEAD.format(folder=folder)]
    for number in range(count):
        text.append(f'[vhost."www{number}.example"]\nnode = ["app{number % 500}", "spare{number % 500}"]\n')
        if number % 2:
            text.append(
                f'alias = ["shop{number}.example", "*.c{number}.example"]\nselector = "two-choices"\n'
                'filters = ["headers set=X-Served:yes"]\nmax-body = "10MiB"\nresponse-timeout = "30s"\n'
            )
        if number % 200 == 199:
            text.append(f'zmq = "ipc://{folder}/own{number}"\n')
    path = folder / f"{count}.toml"
    path.write_text("".join(text))
    return path


def run_to_end(command: list[str]) -> tuple[float, float]:
    """Seconds it took, and MB it had at most."""
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, peak_memory(process.pid))
            time.sleep(0.01)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return time.monotonic() - began, peak


def peak_memory(pid: int) -> float:
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    except OSError:
        return 0.0
    return int(found[1]) / 1000 if found else 0.0


def start(path: Path, folder: Path) -> tuple[float, float]:
    """Seconds until the server is ready, and its MB then."""
    log = folder / "log"
    began = time.monotonic()
    with log.open("w") as stderr:
        command = [sys.executable, "-m", "blastbeat", "serve", str(path)]
        with running(command, lambda: None, stderr=stderr) as server:
            wait(lambda: re.search(r"^ready ", log.read_text(), re.M), server, log)
            return time.monotonic() - began, peak_memory(server.pid)


def lookup(count: int) -> tuple[float, float]:
    """Microseconds to find a virtualhost: one that was asked for lately, and one of all of them at random."""
    hosts: HostTable[int] = HostTable()
    for number in range(count):
        aliases = (f"shop{number}.example", f"*.c{number}.example") if number % 2 else ()
        hosts.add(f"www{number}.example", number, aliases=aliases)
    known = [f"www{number}.example".encode() for number in range(min(count, 100))]
    random = Random(1)
    any_of_all = [f"www{random.randrange(count)}.example".encode() for _ in range(LOOKUPS)]
    return seconds_each(hosts, known * (LOOKUPS // len(known))), seconds_each(hosts, any_of_all)


def seconds_each(hosts: HostTable[int], asked: list[bytes]) -> float:
    began = time.perf_counter()
    for authority in asked:
        hosts.find(authority, 80)
    return 1e6 * (time.perf_counter() - began) / len(asked)


def measure(count: int, rounds: int, folder: Path) -> dict[str, object]:
    path = write_config(folder, count)
    loads = [run_to_end([sys.executable, "-c", LOAD, str(path)]) for _ in range(rounds)]
    checks = [run_to_end([sys.executable, "-m", "blastbeat", "check", str(path)]) for _ in range(rounds)]
    starts = [start(path, folder) for _ in range(rounds)]
    lookups = [lookup(count) for _ in range(rounds)]
    return {
        "virtualhosts": count,
        "load s": round(min(loads)[0], 2),
        "check s": round(min(checks)[0], 2),
        "start s": round(min(starts)[0], 2),
        "check MB": round(min(checks)[1]),
        "server MB": round(min(starts)[1]),
        "look-up µs, asked for lately": round(min(each[0] for each in lookups), 2),
        "look-up µs, any of all": round(min(each[1] for each in lookups), 2),
    }


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--numbers", default="10,1000,10000", help="default %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default %(default)s")
    options = parser.parse_args(arguments)
    allow_open_files()
    with tempfile.TemporaryDirectory(prefix="blastbeat-hosts-") as name:
        for number in options.numbers.split(","):
            print(json.dumps(measure(int(number), options.rounds, Path(name)), ensure_ascii=False))
    return 0
