"""The load: N keep-alive connections, each asking again as soon as it has its answer.

wrk where it is installed; else this file as a process of its own, which loads a server less hard but counts
as well. Knows no server, only a port.
"""

from __future__ import annotations

import json
import re
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PAYLOAD = b"Hello, world!"


@dataclass(frozen=True)
class Load:
    """What one run did. `errors`: connections lost, and answers other than the 13 bytes with 200."""

    requests: int
    seconds: float
    errors: int


def best_generator() -> str:
    return "wrk" if shutil.which("wrk") else "python"


def run_load(
    generator: str, port: int, connections: int, seconds: float, pin: Callable[[], None] | None
) -> Load:
    """Run `generator` (``"wrk"`` or ``"python"``) to its end. `pin` is called in the new process."""
    command = [sys.executable, str(Path(__file__)), str(port), str(connections), str(seconds)]
    if generator == "wrk":
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            f"http://127.0.0.1:{port}/",
        ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, preexec_fn=pin)
    return _read_wrk(done.stdout) if generator == "wrk" else Load(**json.loads(done.stdout))


def _read_wrk(text: str) -> Load:
    summary = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m),", text)
    if summary is None:
        raise SystemExit(f"wrk said something else than expected:\n{text}")
    failures = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = sum(map(int, failures.groups())) if failures else 0
    errors += int(refused[1]) if refused else 0
    seconds = float(summary[2]) * {"ms": 0.001, "s": 1, "m": 60}[summary[3]]
    return Load(int(summary[1]), seconds, errors)


class _Client:
    """One connection: what it has read of the present answer."""

    def __init__(self, port: int) -> None:
        self.request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer = b""
        self.socket.sendall(self.request)

    def read(self) -> tuple[int, int]:
        """(complete answers, errors) that this read brought; asks again after an answer."""
        data = self.socket.recv(65536)
        if not data:
            return 0, 1
        self.answer += data
        head, blank, body = self.answer.partition(b"\r\n\r\n")
        if not blank or len(body) < len(PAYLOAD):
            return 0, 0
        self.answer = b""
        self.socket.sendall(self.request)
        return 1, int(body != PAYLOAD or not head.startswith(b"HTTP/1.1 200 "))


def _generate(port: int, connections: int, seconds: float) -> Load:
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        client = _Client(port)
        selector.register(client.socket, selectors.EVENT_READ, client)
    requests = errors = 0
    began = now = time.monotonic()
    while now < began + seconds and selector.get_map():
        for key, _ in selector.select(1):
            answers, failures = key.data.read()
            requests += answers
            errors += failures
            if failures and not answers:
                selector.unregister(key.data.socket)
        now = time.monotonic()
    return Load(requests, now - began, errors)


if __name__ == "__main__":
    port, connections, seconds = sys.argv[1:]
    print(json.dumps(_generate(int(port), int(connections), float(seconds)).__dict__))
