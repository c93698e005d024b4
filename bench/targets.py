"""The servers that are measured, each a context that yields its process and port once it answers.

Knows how to start them, nothing of load and figures.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

BACKENDS = Path(__file__).parent / "backends"
PATIENCE = 20.0

T = TypeVar("T")

CONFIG = """\
[blastbeat]
bind = "127.0.0.1:0"
zmq = "{endpoint}"
log-level = "warning"

[plugins]
disabled = ["access-log"]

[vhost."*"]
node = "bench"
"""

# The server takes uvloop where it is installed; a name that is None cannot be imported.
WITHOUT_UVLOOP = "import sys; sys.modules['uvloop'] = None; "
RUN = "import sys; from blastbeat.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class Pins:
    """Where processes run: the server alone on one CPU, everything else on another, where there are two."""

    server: int | None = None
    others: int | None = None

    def pin_server(self) -> None:
        _pin(self.server)

    def pin_others(self) -> None:
        _pin(self.others)


def _pin(cpu: int | None) -> None:
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})


def choose_pins() -> Pins:
    """No pins on a machine, or in a container, with a single CPU."""
    cpus = sorted(os.sched_getaffinity(0))
    return Pins(cpus[0], cpus[1]) if len(cpus) > 1 else Pins()


@dataclass(frozen=True)
class Target:
    """A server that answers. `pid` is the root of its process tree; a node is not part of it."""

    name: str
    pid: int
    port: int


def node_command(kind: str) -> list[str]:
    """The command of the node, without its arguments: "c", "python", or "auto" for the best there is."""
    if kind != "python":
        binary, source = BACKENDS / "node.bin", BACKENDS / "node.c"
        if binary.exists() and binary.stat().st_mtime >= source.stat().st_mtime:
            return [str(binary)]
        compiler = shutil.which("gcc") or shutil.which("cc")
        build = [compiler or "cc", "-O2", "-o", str(binary), str(source), "-lzmq"]
        if compiler and subprocess.run(build, stderr=subprocess.DEVNULL).returncode == 0:
            return [str(binary)]
        if kind == "c":
            raise SystemExit("the C node needs a C compiler and libzmq's headers (libzmq3-dev)")
    return [sys.executable, str(BACKENDS / "node.py")]


@contextmanager
def blastbeat(node: list[str], pins: Pins, *, uvloop: bool, options: Sequence[str] = ()) -> Iterator[Target]:
    """`blastbeat serve` with one node on an ipc endpoint, and further `options`."""
    made = _server_and_node(node, (), pins.pin_server, pins.pin_others, uvloop=uvloop, options=options)
    with made as (server, _, port):
        yield Target(" ".join(["blastbeat", *options]), server, port)


@contextmanager
def node_behind_blastbeat(node: list[str], loop: str, pins: Pins) -> Iterator[Target]:
    """The same, with the node as what is measured; the server shares the load's CPU."""
    with _server_and_node(node, (loop,), pins.pin_others, pins.pin_server, uvloop=True) as (_, pid, port):
        yield Target("blastbeat.node", pid, port)


@contextmanager
def _server_and_node(
    node: list[str],
    arguments: tuple[str, ...],
    pin_server: Callable[[], None],
    pin_node: Callable[[], None],
    *,
    uvloop: bool,
    options: Sequence[str] = (),
) -> Iterator[tuple[int, int, int]]:
    """Process of the server, process of the node, port."""
    with tempfile.TemporaryDirectory(prefix="blastbeat-bench-") as folder:
        endpoint = f"ipc://{folder}/nodes"
        config = Path(folder) / "bench.toml"
        config.write_text(CONFIG.format(endpoint=endpoint))
        command = [sys.executable, "-c", RUN if uvloop else WITHOUT_UVLOOP + RUN, "serve", str(config)]
        command += options
        log = Path(folder) / "log"
        with log.open("w") as stderr, running(command, pin_server, stderr=stderr) as server:
            ready = wait(
                lambda: re.search(r"^ready http://127\.0\.0\.1:(\d+)", log.read_text(), re.M), server, log
            )
            with running([*node, endpoint, "bench", *arguments], pin_node) as process:
                port = int(ready[1])
                wait(lambda: _answers(port), server, log)
                yield server.pid, process.pid, port


@contextmanager
def uvicorn(pins: Pins, *, uvloop: bool, http: str = "h11") -> Iterator[Target]:
    """uvicorn, with h11 unless `http` says another, the same bytes from an application in its own process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(BACKENDS), "asgi_app:app"]
    command += [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--http",
        http,
        "--ws",
        "none",
        "--lifespan",
        "off",
    ]
    command += ["--loop", "uvloop" if uvloop else "asyncio", "--log-level", "warning", "--no-access-log"]
    with running(command, pins.pin_server) as server:
        wait(lambda: _answers(port), server, None)
        yield Target(f"uvicorn[{http}]", server.pid, port)


@contextmanager
def running(
    command: list[str], pin: Callable[[], None], stderr: IO[str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    process: subprocess.Popen[bytes] = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        preexec_fn=pin,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait(condition: Callable[[], T | None], server: subprocess.Popen[bytes], log: Path | None) -> T:
    """The first true value of `condition()`; ends the run with what the server said when none comes."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        if value := condition():
            return value
        time.sleep(0.05)
    said = log.read_text() if log else ""
    raise SystemExit(f"a server did not come up: {server.args!r}\n{said}")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        return response.status == 200 and response.read() == b"Hello, world!"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
