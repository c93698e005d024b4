"""The clients: wrk, h2load, and WebSockets; what one run of them did.

Knows no server, only an address. An answer that is wrong or missing ends the run: such figures mean nothing.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.native_programs import native
from bench.processes import program
from bench.servers import Server

SCRIPT = Path(__file__).parent / "wrk" / "requests.lua"

Pin = Callable[[], None]


@dataclass(frozen=True)
class Load:
    """What one run did: requests or messages, and how long they took (wall-clock milliseconds)."""

    units: int
    seconds: float
    errors: int
    p50_ms: float
    p99_ms: float

    def checked(self, server: Server) -> Load:
        if self.errors or not self.units:
            raise SystemExit(f"{server.name}: {self.errors} errors in {self.units} answers")
        return self


def wrk(
    server: Server, path: str, connections: int, seconds: float, pin: Pin, words: Sequence[str] = ()
) -> Load:
    """`words` are what `requests.lua` takes."""
    command = [
        program("wrk", "wrk"),
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "10s",
    ]
    command += ["--latency", "-s", str(SCRIPT), server.url + path, "--", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, preexec_fn=pin)
    told = re.search(r"^JSON (.*)", done.stdout, re.M)
    if told is None:
        raise SystemExit(f"wrk said something else than expected:\n{done.stdout}")
    return Load(**json.loads(told[1])).checked(server)


def h2load(
    server: Server, connections: int, seconds: float, pin: Pin, log: Path, per_second: float | None = None
) -> Load:
    """HTTP/1.1 at `per_second` requests in all, or as many as go."""
    log.unlink(missing_ok=True)
    command = [
        program("h2load", "nghttp2-client"),
        "--h1",
        "-t1",
        f"-c{connections}",
        f"-D{max(1, round(seconds))}",
    ]
    command += [f"--rps={per_second / connections:.3f}"] if per_second else []
    command += [f"--log-file={log}", server.url + "/"]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=pin
    )
    told = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", done.stdout)
    if told is None:
        raise SystemExit(f"h2load said something else than expected:\n{done.stdout}")
    rows = [line.split() for line in log.read_text().splitlines()]
    took = sorted(int(row[2]) for row in rows)
    wrong = sum(row[1] != "200" for row in rows)
    errors = sum(map(int, told.groups()[1:])) + wrong
    began, ended = int(rows[0][0]), int(rows[-1][0])
    p50, p99 = took[len(took) // 2] / 1e3, took[int(len(took) * 0.99)] / 1e3
    return Load(len(rows), (ended - began) / 1e6, errors, p50, p99).checked(server)


class OpenClients:
    """Connections that one program has opened."""

    def __init__(self, server: Server, process: subprocess.Popen[str]) -> None:
        self._server, self._process = server, process

    def ask(self, seconds: float) -> Load:
        """Requests or messages for so long."""
        return self._told(seconds).checked(self._server)

    def check(self) -> None:
        """One that was lost ends the run."""
        if self._told(0).errors:
            raise SystemExit(f"{self._server.name}: connections were lost")

    def _told(self, seconds: float) -> Load:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return Load(**json.loads(self._process.stdout.readline()))


@contextmanager
def opened(server: Server, connections: int, pin: Pin, hosts: int = 0) -> Iterator[OpenClients]:
    """So many WebSockets, or HTTP connections that ask for `hosts` in turn; idle until told to ask."""
    command = [native("client_load"), str(server.port), str(connections)]
    command += [str(hosts)] if hosts else []
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=pin
    )
    with process:
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "open":
                raise SystemExit(f"{server.name}: connections did not open")
            yield OpenClients(server, process)
        finally:
            process.terminate()
