"""A process of its own that imports a plugin's module, and tells what that did besides.

Run as ``python -m blastbeat.testing.import_probe MODULE``; `probe` does so for a test.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from importlib import import_module

PATIENCE = 30.0
"""Seconds that an import may take."""

# Audit events (PEP 578) of what a module has no business with while it is imported.
_WORK = {
    "socket.connect": "opens a connection",
    "socket.bind": "binds a socket",
    "socket.getaddrinfo": "looks up a name",
    "subprocess.Popen": "starts a process",
    "os.fork": "starts a process",
    "os.system": "starts a process",
    "sqlite3.connect": "opens a database",
    "signal.signal": "sets a signal handler",
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def probe(module: str) -> str:
    """What is wrong with importing `module`, a line each; empty where nothing is."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", __name__, module],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return (done.stdout + done.stderr).strip()


def main(module: str) -> int:
    """Imports, and prints what that did."""
    done: list[str] = []

    def listen(event: str, arguments: tuple[object, ...]) -> None:
        if event in _WORK:
            done.append(_WORK[event])
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            done.append(f"writes to {arguments[0]!r}")

    import_module("blastbeat.hookspecs")  # what that does is not the plugin's doing
    start = threading.Thread.start

    def start_thread(self: threading.Thread) -> None:
        done.append("starts a thread")
        start(self)

    threading.Thread.start = start_thread  # type: ignore[method-assign]  # not every Python audits it
    sys.addaudithook(listen)
    import_module(module)
    found, done = sorted(set(done)), []
    for each in found:
        sys.stdout.write(f"importing {module} {each}\n")
    return bool(found)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
