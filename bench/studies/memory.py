"""Where the memory of idle connections goes: the server's for each, and what each is made of.

    python -m bench memory [--connections 2000] [--kind websocket|kept|fresh] [--asyncio] [--driver fast]

`fresh` connections have sent nothing, `kept` ones are between two requests, `websocket` ones are open and
silent. The table is of one of them: bytes of the Python objects that it alone holds, by the way to them.
What lies between its sum and the resident memory are allocations of C libraries, the tables that all
connections are in, and what the allocators lose.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.native_programs import native
from bench.processes import allow_open_files, running, wait
from bench.servers import APPLICATIONS, WITHOUT_UVLOOP
from bench.studies.scale import memory, port_told
from bench.studies.websockets import CONFIG, HANDSHAKE, is_accepted

ENDS = {"websocket": b"\r\n\r\n", "kept": b"Hello, world!"}
GET = (
    b"GET / HTTP/1.1\r\nHost: bench.example\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0\r\n"
    b"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.5\r\n"
    b"Accept-Encoding: gzip, deflate\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n"
)
LAUNCH = "import runpy; runpy.run_path(sys.argv[1], run_name='__main__')"
PATIENCE = 30.0


class Server:
    """The server with its census, as a process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self.port = port

    def memory(self) -> int:
        return memory(self._process.pid)

    def census(self) -> dict[str, int]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(b"census "):
                sizes: dict[str, int] = json.loads(line.partition(b" ")[2])
                return sizes
        raise SystemExit("the server has gone")


def open_clients(port: int, kind: str, number: int) -> list[socket.socket]:
    clients = []
    for _ in range(number):
        client = socket.create_connection(("127.0.0.1", port), PATIENCE)
        clients.append(client)
        if kind == "fresh":
            continue
        client.sendall(HANDSHAKE if kind == "websocket" else GET)
        answer = client.recv(4096)
        while ENDS[kind] not in answer:
            answer += client.recv(4096)
    return clients


def measure(server: Server, options: argparse.Namespace) -> tuple[float, dict[str, int]]:
    """KiB of resident memory for each connection, and bytes by way of one."""
    kept = open_clients(server.port, options.kind, 200)  # what a server makes once is not a connection's
    time.sleep(0.5)
    before = server.memory()
    kept += open_clients(server.port, options.kind, options.connections - 200)
    time.sleep(options.seconds)
    each = (server.memory() - before) / (options.connections - 200) / 1024
    sizes = server.census()
    for client in kept:
        client.close()
    return each, sizes


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--connections", type=int, default=2000, help="default %(default)s")
    parser.add_argument("--kind", choices=("websocket", "kept", "fresh"), default="websocket")
    parser.add_argument("--seconds", type=float, default=4.0, help="that they idle; default %(default)s")
    parser.add_argument("--asyncio", action="store_true", help="asyncio's event loop instead of uvloop")
    parser.add_argument("--driver", default="auto", help="the HTTP driver; default %(default)s")
    parser.add_argument("--websocket-driver", default="auto", help="default %(default)s")
    parser.add_argument("--no-table", action="store_true", help="the sums only")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = read_options(arguments)
    allow_open_files()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="blastbeat-memory-")))
        endpoint = f"ipc://{folder}/nodes"
        config, log = folder / "memory.toml", folder / "log"
        text = CONFIG.format(
            endpoint=endpoint, connections=options.connections + 100, compression="off",
            ping=f'driver = "{options.driver}"\nwebsocket-driver = "{options.websocket_driver}"',
        )  # fmt: skip
        config.write_text(text)
        launch = (WITHOUT_UVLOOP if options.asyncio else "import sys; ") + LAUNCH
        command = [sys.executable, "-c", launch, str(APPLICATIONS / "census.py"), "serve", str(config)]
        stderr = stack.enter_context(log.open("w"))
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr)
        stack.callback(process.kill)
        port = wait(lambda: port_told(log), process, log)
        command = [native("node"), endpoint, "bench"]
        stack.enter_context(running(command, lambda: None))
        wait(lambda: is_accepted(port), process, log)
        each, sizes = measure(Server(process, port), options)
    if not options.no_table:
        for way, size in sorted(sizes.items(), key=lambda item: -item[1]):
            print(f"{size:6} {way}")
    print(
        f"{sum(sizes.values()) / 1024:6.2f} KiB in {len(sizes)} kinds of Python objects of a connection's own"
    )
    print(f"{each:6.2f} KiB of resident memory for each of {options.connections}")
    return 0
