"""What clients notice while a server with many virtualhosts reads its configuration again.

    python -m bench reload [--virtualhosts 10000] [--nodes 500] [--turns 3]

One virtualhost changes each time; a client asks another one without a pause. A wrong answer ends the run.
"""

from __future__ import annotations

import argparse
import http.client
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.processes import running, wait
from bench.servers import APPLICATIONS
from bench.studies.scale import last_node_answers, port_told, write_config

CHANGED = '[vhost."www9.example"]\n'
LIMIT = 60.0


def visitor(port: int) -> Callable[[], float]:
    """Asks once over one connection; seconds until the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask() -> float:
        began = time.monotonic()
        connection.request("GET", "/", headers={"Host": "www3.example"})
        response = connection.getresponse()
        body = response.read()
        if response.status != 200 or not body.startswith(b"node3 "):
            raise SystemExit(f"a wrong answer: {response.status} {body!r}")
        return time.monotonic() - began

    return ask


def row(lead: str, took: list[float]) -> str:
    last = sorted(took)[int(len(took) * 0.99)]
    figures = f"median {statistics.median(took) * 1e3:.1f} ms, 99 % within {last * 1e3:.0f} ms"
    return f"{lead:<24} {len(took):>5} requests, {figures}, longest {max(took) * 1e3:.0f} ms"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--virtualhosts", type=int, default=10_000, help="default %(default)s")
    parser.add_argument("--nodes", type=int, default=500, help="default %(default)s")
    parser.add_argument("--turns", type=int, default=3, help="default %(default)s")
    options = parser.parse_args(arguments)
    options.connections = 100
    with tempfile.TemporaryDirectory(prefix="blastbeat-reload-") as name:
        folder = Path(name)
        endpoint, config, log = f"ipc://{folder}/nodes", folder / "reload.toml", folder / "log"
        write_config(config, endpoint, options)
        text = config.read_text()
        serve = [sys.executable, "-m", "blastbeat", "serve", "--log-level", "info", str(config)]
        nodes = [sys.executable, str(APPLICATIONS / "many_nodes.py"), endpoint, str(options.nodes)]
        with log.open("w") as stderr, running(serve, lambda: None, stderr=stderr) as server:
            port = wait(lambda: port_told(log), server, log)
            with running(nodes, lambda: None):
                wait(lambda: last_node_answers(port, options), server, log)
                ask = visitor(port)
                print(row("without a reload", [ask() for _ in range(300)]))
                for turn in range(1, options.turns + 1):
                    config.write_text(text.replace(CHANGED, f"{CHANGED}hold = {turn}\n", 1))
                    began = time.monotonic()
                    server.send_signal(signal.SIGHUP)
                    took = []
                    while log.read_text().count("configuration read again") < turn:
                        took.append(ask())
                        if time.monotonic() - began > LIMIT:
                            raise SystemExit(f"no reload within {LIMIT:g} s:\n{log.read_text()}")
                    print(row(f"reload in {time.monotonic() - began:.1f} s", took))
    return 0
