"""What a look at a server with very many virtualhosts costs its event loop: `python -m bench status-cost`.

Prints the best of five of each, in milliseconds. What is written down beside the loop is told apart.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import anyio

from blastbeat.config.model import Config, NodeRef, ServerConfig, VirtualHostConfig
from blastbeat.monitoring.metrics import prepare, take_snapshot
from blastbeat.monitoring.status import DEFAULT_LIMIT, Query
from blastbeat.server import Server

T = TypeVar("T")
ROUNDS = 5


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--virtualhosts", type=int, default=10_000, metavar="N", help="default %(default)s")
    number = parser.parse_args(arguments).virtualhosts
    with tempfile.TemporaryDirectory() as folder:
        server = Server(configure(number, Path(folder)))
        anyio.run(lambda: server.run(measure, handle_signals=False))
    return 0


def configure(number: int, folder: Path) -> Config:
    """Each virtualhost with an alias and a node of its own, none of which is there."""
    virtualhosts = tuple(
        VirtualHostConfig(f"site{n}.example", nodes=(NodeRef(f"node{n}"),), alias=(f"www.site{n}.example",))
        for n in range(number)
    )
    return Config(ServerConfig(zmq=(f"ipc://{folder}/nodes",)), virtualhosts)


def measure(server: Server) -> None:
    """In the server's loop, where whoever looks makes it wait."""
    take_status = server.monitoring.take_status
    status = timed(f"status.json, {DEFAULT_LIMIT} virtualhosts", lambda: take_status(Query()))
    timed("status.json, one virtualhost", lambda: take_status(Query(virtualhost="site1.example")))
    timed("status.json, searched", lambda: take_status(Query(search="site1")))
    timed("  written down, in a thread", lambda: json.dumps(status))
    snapshot = timed("metrics", lambda: take_snapshot(server, 0.0, 0.0))
    timed("  written down, in a thread", lambda: prepare("")(snapshot))
    server.stop()


def timed(what: str, function: Callable[[], T]) -> T:
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - begin)
    print(f"{what:32} {best * 1000:7.1f} ms")
    return result
