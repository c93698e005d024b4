"""Programs that a measurement starts: on which CPU they run, how they are awaited and stopped.

Knows nothing of what the programs are.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

PATIENCE = 30.0

T = TypeVar("T")


@dataclass(frozen=True)
class Pins:
    """Where processes run: the server alone on one CPU, everything else on another, where there are two."""

    server: int | None = None
    others: int | None = None

    def pin_server(self) -> None:
        _pin(self.server)

    def pin_others(self) -> None:
        _pin(self.others)

    def __str__(self) -> str:
        return (
            "not pinned" if self.server is None else f"server on CPU {self.server}, the rest on {self.others}"
        )


def _pin(cpu: int | None) -> None:
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})


def choose_pins() -> Pins:
    """No pins on a machine, or in a container, with a single CPU."""
    cpus = sorted(os.sched_getaffinity(0))
    return Pins(cpus[0], cpus[1]) if len(cpus) > 1 else Pins()


def program(name: str, package: str) -> str:
    """The path of a program; ends the run with the package it comes in where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        raise SystemExit(f"{name} is not installed here: apt install {package}")
    return found


def allow_open_files() -> int:
    """As many as this user may have, for this process and those it starts; how many that is."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str],
    pin: Callable[[], None] = lambda: None,
    stderr: IO[str] | int | None = None,
    stdout: IO[str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    process: subprocess.Popen[bytes] = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=stdout or subprocess.DEVNULL,
        stderr=stderr,
        preexec_fn=pin,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
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
