"""What a provider's other customers notice while one of them comes to its limits.

    python -m bench isp [--turns 3] [--seconds 4] [--kinds requests,download]

`blastbeat serve` with blastbeat-policy: three customers on two plans, those of the how-to `host-many-
customers`. Acme offends in one way after the other (see `offender.py`); Bolt, on the same plan, and Corp
ask 100 times a second each, and are timed: alone, and beside each offence, in turns. Prints medians and
99th percentiles, and their ratios to those without the offence. One answer of theirs that is not right ends
the run with 1.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench.processes import Pins, choose_pins, running, wait
from bench.servers import APPLICATIONS
from bench.studies.offender import KINDS

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "plugins-contrib" / "blastbeat-policy" / "src"
PAGE = ROOT / "docs" / "how-to" / "host-many-customers.md"
PERIOD = 0.01
ALONE = "alone"
REGULAR = ("bolt.example", "corp.example")
NODES = ("acme-web", "acme-api", "bolt", "corp")

# The other customers are measured from one address each; what their plans allow of one client would be in the
# way of measuring.
CHANGES = {
    "client-requests": None,
    "client-sessions": None,
    "new-sessions": '"1000/s"',
    "virtualhost-requests": None,
}
PLUGIN = """
from blastbeat_policy import PolicyPlugin
plugin = PolicyPlugin()
globals().update({name: getattr(plugin, name) for name in dir(plugin) if name.startswith("blastbeat_")})
"""


def write_config(folder: Path, endpoint: str) -> Path:
    """The how-to's configuration, on a free port, with a larger rate for Bolt."""
    text = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[0]
    text = text.replace("0.0.0.0:80", "127.0.0.1:0").replace("tcp://*:5000", endpoint)
    text = text.replace("/var/lib/blastbeat/", "")
    for key, value in CHANGES.items():
        text = re.sub(rf"^{key} = .*\n", f"{key} = {value}\n" if value else "", text, flags=re.MULTILINE)
    text = text.replace("[customer.bolt]\n", '[customer.bolt]\nrequests = "200/s"\n')
    text = text.replace(
        "[plugin.policy]", '[plugins]\nfiles = ["policy.py"]\ndisabled = ["access-log"]\n\n[plugin.policy]'
    )
    text = text.replace("node-networks", "# node-networks")  # of ipc there are none
    (folder / "policy.py").write_text(PLUGIN, encoding="utf-8")
    config = folder / "isp.toml"
    config.write_text(text, encoding="utf-8")
    return config


@contextmanager
def provider(pins: Pins) -> Iterator[int]:
    """The server and its customers' nodes; yields the port."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="blastbeat-isp-")))
        os.environ["PYTHONPATH"] = os.pathsep.join((str(POLICY), str(APPLICATIONS)))
        endpoint, log = f"ipc://{folder}/nodes", folder / "log"
        command = [sys.executable, "-m", "blastbeat", "serve", str(write_config(folder, endpoint))]
        stderr = stack.enter_context(log.open("w"))
        server = stack.enter_context(running(command, pins.pin_server, stderr=stderr))
        ready = wait(
            lambda: re.search(r"^ready http://127\.0\.0\.1:(\d+)", log.read_text(), re.M), server, log
        )
        for name in NODES:
            node = [sys.executable, "-m", "blastbeat", "node", "customer_app:app", "--connect", endpoint]
            stack.enter_context(running([*node, "--name", name], pins.pin_others, stderr=subprocess.DEVNULL))
        port = int(ready[1])
        for host in ("www.acme.example", *REGULAR):
            wait(partial(is_served, port, host), server, log)
        yield port


class Regular:
    """A client that asks at its times, over one connection."""

    def __init__(self, port: int, virtualhost: str) -> None:
        self.took: list[float] = []
        self.failure = ""
        self._request = f"GET / HTTP/1.1\r\nHost: {virtualhost}\r\n\r\n".encode()
        self._name = virtualhost
        self._socket = socket.create_connection(("127.0.0.1", port), 10)

    def is_served(self) -> bool:
        answer = self._ask()
        self._socket.close()
        return answer.startswith(b"HTTP/1.1 200 ")

    def _ask(self) -> bytes:
        self._socket.sendall(self._request)
        answer = b""
        while not answer.endswith(b"Hello, world!"):
            if not (data := self._socket.recv(65536)):
                break
            answer += data
            if not answer.startswith(b"HTTP/1.1 200 "):
                break
        return answer

    def run(self, seconds: float) -> None:
        """An answer that is late does not make the next request late: what waits meanwhile counts as well."""
        start = time.monotonic()
        for number in range(round(seconds / PERIOD)):
            due = start + number * PERIOD
            time.sleep(max(0.0, due - time.monotonic()))
            answer = self._ask()
            if not answer.startswith(b"HTTP/1.1 200 "):
                self.failure = f"{self._name} was answered {answer[:60]!r}"
                return
            self.took.append(time.monotonic() - due)


def is_served(port: int, virtualhost: str) -> bool:
    return Regular(port, virtualhost).is_served()


def measure(port: int, kind: str, seconds: float, pins: Pins) -> list[float]:
    """Seconds until each answer to Bolt and Corp, beside the offence."""
    with ExitStack() as stack:
        if kind != ALONE:
            command = [sys.executable, str(Path(__file__).with_name("offender.py")), kind, str(port)]
            stack.enter_context(running([*command, "www.acme.example"], pins.pin_others))
            time.sleep(1)  # past its burst
        regulars = [Regular(port, host) for host in REGULAR]
        threads = [threading.Thread(target=each.run, args=(seconds,)) for each in regulars]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for each in regulars:
        if each.failure:
            raise SystemExit(f"beside {kind}: {each.failure}")
    return [took for each in regulars for took in each.took]


def last_of(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]


def report(taken: dict[str, list[float]]) -> None:
    alone = taken[ALONE]
    for kind, took in taken.items():
        middle, last = statistics.median(took), last_of(took)
        figures = f"median {middle * 1e3:6.2f} ms, 99 % {last * 1e3:6.2f} ms"
        row = f"{kind:<10} {len(took):>6} requests, all answered; {figures}"
        ratios = f"; {middle / statistics.median(alone):.2f} and {last / last_of(alone):.2f} times alone"
        print(row + (ratios if kind != ALONE else ""))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=3, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement; default %(default)s")
    parser.add_argument("--kinds", default=",".join(KINDS), help="offences; default %(default)s")
    options = parser.parse_args(arguments)
    pins = choose_pins()
    kinds = [ALONE, *options.kinds.split(",")]
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    with provider(pins) as port:
        pins.pin_others()
        for _ in range(options.turns):
            for kind in kinds:
                taken[kind] += measure(port, kind, options.seconds, pins)
    report(taken)
    return 0
