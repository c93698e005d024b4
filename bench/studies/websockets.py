"""Thousands of idle WebSockets: the server's memory for each, its CPU time at rest, and what an echo costs.

    python -m bench websockets [--connections 5000] [--seconds 60] [--compression] [--messages 20000]

All are opened, answer the server's pings, and are asked for an echo at the end, which each must give. Exit
code 1 where one was lost or wrong, or a bar of the project is missed: less than 1 % of a core at rest, and at
most 12 KiB for a connection without compression.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.processes import allow_open_files, running, wait
from bench.servers import APPLICATIONS
from bench.studies.scale import memory, port_told
from bench.usage import cpu_seconds

CONFIG = """\
[blastbeat]
bind = "127.0.0.1:0"
zmq = "{endpoint}"
log-level = "warning"
access-log = "off"
connections = {connections}
sessions = {connections}
websocket-compression = "{compression}"
{ping}

[vhost."*"]
node = "bench"
"""

HANDSHAKE = (
    b"GET /chat HTTP/1.1\r\nHost: bench.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Origin: http://bench.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)
PING, PONG = b"\x89\x00", b"\x8a\x80\0\0\0\0"
TEXT = b"x" * 64
MESSAGE, ECHO = b"\x81\xc0\0\0\0\0" + TEXT, b"\x81\x40" + TEXT
BAR_CPU, BAR_MEMORY = 1.0, 6.0  # percent of a core, KiB
PATIENCE = 30.0


class Crowd:
    """The clients, all in this process. Answers pings while it waits for anything else."""

    def __init__(self, port: int) -> None:
        self.pings = 0
        self.lost = 0
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._sockets: list[socket.socket] = []

    def __len__(self) -> int:
        return len(self._sockets) - self.lost

    def open(self, number: int) -> None:
        for _ in range(number):
            client = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
            client.sendall(HANDSHAKE)
            head = client.recv(4096)
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            if not head.startswith(b"HTTP/1.1 101 "):
                raise SystemExit(f"connection {len(self._sockets)} was refused: {head!r}")
            client.setblocking(False)
            self._selector.register(client, selectors.EVENT_READ)
            self._sockets.append(client)
            self._answer(0.0)

    def idle(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._answer(left)

    def echo(self, clients: int, messages: int) -> int:
        """`messages` round trips in all over `clients` of them, one at a time each; how many came back."""
        waiting = set(self._sockets[:clients])
        sent = back = 0
        for client in waiting:
            client.sendall(MESSAGE)
            sent += 1
        deadline = time.monotonic() + PATIENCE + messages / 1000
        while back < sent and time.monotonic() < deadline:
            for client in self._answer(1.0):
                back += 1
                if sent < messages:
                    client.sendall(MESSAGE)
                    sent += 1
        return back

    def _answer(self, seconds: float) -> list[socket.socket]:
        """Waits for input; those that an echo came to."""
        echoed = []
        for key, _ in self._selector.select(seconds):
            client = key.fileobj
            assert isinstance(client, socket.socket)
            data = client.recv(4096)
            if data.startswith(PING):
                self.pings += 1
                client.sendall(PONG)
                data = data[len(PING) :]
            if data == ECHO:
                echoed.append(client)
            elif data or not self._is_open(client):
                self._selector.unregister(client)
                self.lost += 1
        return echoed

    @staticmethod
    def _is_open(client: socket.socket) -> bool:
        try:
            return bool(client.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True

    def close(self) -> None:
        for client in self._sockets:
            client.close()
        self._selector.close()


def measure(port: int, pid: int, options: argparse.Namespace) -> dict[str, object]:
    """Opens all, lets them be, asks for echoes; the figures."""
    crowd = Crowd(port)
    try:
        crowd.open(200)  # what a server makes once is not a connection's
        before = memory(pid)
        crowd.open(options.connections - 200)
        crowd.idle(2.0)
        per_connection = (memory(pid) - before) / (options.connections - 200)
        crowd.pings = 0
        used, began = cpu_seconds(pid), time.monotonic()
        crowd.idle(options.seconds)
        rest = (cpu_seconds(pid) - used) / (time.monotonic() - began)
        pings = crowd.pings
        used = cpu_seconds(pid)
        back = crowd.echo(64, options.messages)
        each = (cpu_seconds(pid) - used) / max(back, 1)
        after = memory(pid)
        all_back = crowd.echo(len(crowd), len(crowd))
        return {
            "connections": len(crowd),
            "lost": crowd.lost,
            "KiB per connection": round(per_connection / 1024, 2),
            "pings answered": pings,
            "percent of a core at rest": round(100 * rest, 2),
            "echoes": back,
            "CPU microseconds per echo": round(1e6 * each, 1),
            "MB after the echoes": round(after / 1e6, 1),
            "wrong": options.messages - back + options.connections - all_back,
        }
    finally:
        crowd.close()


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--connections", type=int, default=5000, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=60.0, help="at rest; default %(default)s")
    parser.add_argument("--messages", type=int, default=20_000, help="echoes; default %(default)s")
    parser.add_argument("--ping", default="", help="websocket-ping; default the server's own, 20s")
    parser.add_argument("--compression", action="store_true", help="with permessage-deflate agreed on")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = read_options(arguments)
    hard = allow_open_files()
    if options.connections + 500 > hard:
        options.connections = hard - 500
        print(f"only {hard} open files are allowed here: {options.connections} connections")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="blastbeat-websockets-")))
        endpoint = f"ipc://{folder}/nodes"
        config, log = folder / "websockets.toml", folder / "log"
        config.write_text(
            CONFIG.format(
                endpoint=endpoint,
                connections=options.connections + 100,
                compression="deflate" if options.compression else "off",
                ping=f'websocket-ping = "{options.ping}"' if options.ping else "",
            )
        )
        command = [sys.executable, "-m", "blastbeat", "serve", str(config)]
        stderr = stack.enter_context(log.open("w"))
        server = stack.enter_context(running(command, lambda: None, stderr=stderr))
        port = wait(lambda: port_told(log), server, log)
        node = [sys.executable, str(APPLICATIONS / "echo_node.py"), endpoint, "bench/echo"]
        stack.enter_context(running(node, lambda: None))
        wait(lambda: is_accepted(port), server, log)
        figures = measure(port, server.pid, options)
        said = [line for line in log.read_text().splitlines() if "Traceback" in line or "ERROR" in line]
    figures["errors in the server's log"] = len(said)
    missed = [
        name
        for name, bar in (("percent of a core at rest", BAR_CPU), ("KiB per connection", BAR_MEMORY))
        if float(str(figures[name])) > bar and not (options.compression and bar == BAR_MEMORY)
    ]
    figures["bars missed"] = missed
    print(json.dumps(figures, indent=2))
    return 1 if figures["wrong"] or figures["lost"] or said or missed else 0


def is_accepted(port: int) -> bool:
    """Whether a node is there that takes WebSockets."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(HANDSHAKE)
        return client.recv(4096).startswith(b"HTTP/1.1 101 ")
