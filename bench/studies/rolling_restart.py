"""An application of two instances is restarted again and again under constant load: no request may fail.

    python -m bench rolling-restart [--requests 5000] [--how signal|commands] [--connections 16]

`signal`: one `blastbeat node --workers 2`, which SIGHUP makes replace both. `commands`: two `blastbeat node`,
each stopped by SIGTERM and started anew in turn. The server's `hold` is its default, 0: no request waits.
Requests are GET and POST, quick ones, slow ones and streams, over kept and over new connections. A request
has failed when it has another answer than it should, or none. Ends with 1 when a single one has.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

APPLICATION = """
import asyncio, os

async def application(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    path = scope["path"]
    if path == "/slow":
        await asyncio.sleep(0.1)
    headers = [(b"x-process", b"%d" % os.getpid())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if path == "/stream":
        for _ in range(5):
            await send({"type": "http.response.body", "body": b"piece ", "more_body": True})
            await asyncio.sleep(0.02)
    await send({"type": "http.response.body", "body": b"%d bytes" % size})
"""
CONFIG = """
[blastbeat]
bind = "127.0.0.1:0"
zmq = "ipc://{folder}/nodes"
access-log = "off"
[vhost."*"]
node = "app"
"""
REQUESTS = (
    ("GET", "/", 0, b"0 bytes"),
    ("POST", "/", 20_000, b"20000 bytes"),
    ("GET", "/slow", 0, b"0 bytes"),
    ("POST", "/slow", 10, b"10 bytes"),
    ("GET", "/stream", 0, b"piece " * 5 + b"0 bytes"),
)
NEW_CONNECTION = 7
"""Each so many-th request is the last one of its connection."""

PATIENCE = 30.0
"""Seconds for any answer, and for a process to say that it is ready."""


class Program:
    """A command of blastbeat whose lines on standard error are awaited."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._changed = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, folder: Path, *arguments: str) -> Program:
        command = (sys.executable, "-m", "blastbeat", *arguments)
        return cls(await asyncio.create_subprocess_exec(*command, cwd=folder, stderr=asyncio.subprocess.PIPE))

    async def wait_line(self, pattern: str, count: int = 1) -> re.Match[str]:
        """The so many-th line that the pattern is found in."""
        async with asyncio.timeout(PATIENCE), self._changed:
            while True:
                found = [match for line in self.lines if (match := re.search(pattern, line))]
                if len(found) >= count:
                    return found[count - 1]
                if self._reader.done():
                    raise SystemExit(f"no line {pattern!r}:\n{''.join(self.lines)}")
                await self._changed.wait()

    async def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        code = await self.process.wait()
        if code:
            raise SystemExit(f"exit code {code}:\n{''.join(self.lines)}")

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._changed:
                self.lines.append(line.decode())
                self._changed.notify_all()
        async with self._changed:
            self._changed.notify_all()


class Load:
    """Clients that ask without a pause until `stop`."""

    def __init__(self, port: int) -> None:
        self.count = 0
        self.failures: Counter[str] = Counter()
        self.processes: set[bytes] = set()
        self._port = port
        self._is_over = False

    async def run(self, connections: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(connections):
                tasks.create_task(self._client(number))

    def stop(self) -> None:
        self._is_over = True

    async def _client(self, number: int) -> None:
        connection = None
        while not self._is_over:
            number += 1
            method, path, size, expected = REQUESTS[number % len(REQUESTS)]
            is_last = number % NEW_CONNECTION == 0
            try:
                async with asyncio.timeout(PATIENCE):
                    connection = connection or await asyncio.open_connection("127.0.0.1", self._port)
                    await self._ask(*connection, method, path, size, expected, is_last=is_last)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self.failures[f"{method} {path}: {type(error).__name__}: {error}"] += 1
                is_last = True
            self.count += 1
            if is_last and connection is not None:
                connection[1].close()
                connection = None
        if connection is not None:
            connection[1].close()

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        method: str,
        target: str,
        size: int,
        expected: bytes,
        *,
        is_last: bool,
    ) -> None:
        close = "Connection: close\r\n" if is_last else ""
        length = f"Content-Length: {size}\r\n" if method == "POST" else ""
        writer.write(f"{method} {target} HTTP/1.1\r\nHost: app.test\r\n{length}{close}\r\n".encode())
        writer.write(b"x" * size)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200 "):
            raise ValueError(head.partition(b"\r\n")[0].decode())
        if b"connection: close" in head and not is_last:
            raise ValueError("the connection is closed")
        body = await _read_body(reader, head)
        if body != expected:
            raise ValueError(f"{body[:50]!r}")
        process = re.search(rb"x-process: (\d+)", head)
        assert process is not None
        self.processes.add(process[1])


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    length = re.search(rb"content-length: (\d+)", head)
    if length is not None:
        return await reader.readexactly(int(length[1]))
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return body


async def by_signal(folder: Path, load: Load, options: argparse.Namespace) -> int:
    """One node command with two workers; returns how many workers were replaced."""
    node = await start_node(folder, "--workers", "2")
    task = asyncio.create_task(load.run(options.connections))
    rounds = 0
    while load.count < options.requests or not rounds:
        rounds += 1
        node.process.send_signal(signal.SIGHUP)
        await node.wait_line("serves ipc", 2 + 2 * rounds)
    load.stop()
    await task
    await node.stop()
    return 2 * rounds


async def by_commands(folder: Path, load: Load, options: argparse.Namespace) -> int:
    """Two node commands, restarted in turn; returns how often one was."""
    nodes = [await start_node(folder), await start_node(folder)]
    task = asyncio.create_task(load.run(options.connections))
    restarts = 0
    while load.count < options.requests or restarts < 2:
        node = nodes.pop(0)
        await node.stop()
        nodes.append(await start_node(folder))
        restarts += 1
    load.stop()
    await task
    for node in nodes:
        await node.stop()
    return restarts


async def start_node(folder: Path, *options: str) -> Program:
    node = await Program.start(
        folder, "node", "app", "--connect", f"ipc://{folder}/nodes", "--name", "app", *options
    )
    await node.wait_line("^ready node app zmq")
    return node


def main(arguments: Sequence[str]) -> int:
    return asyncio.run(restart(parse(arguments)))


async def restart(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "app.py").write_text(APPLICATION)
        (folder / "server.toml").write_text(CONFIG.format(folder=folder))
        server = await Program.start(folder, "serve", "server.toml")
        load = Load(int((await server.wait_line(r"^ready http://127\.0\.0\.1:(\d+)"))[1]))
        how = by_signal if options.how == "signal" else by_commands
        restarts = await how(folder, load, options)
        await server.stop()
    failed = load.failures.total()
    print(
        f"{load.count} requests, {restarts} restarts of an instance, {len(load.processes)} processes "
        f"answered: {failed} failed"
    )
    for failure, count in load.failures.most_common(20):
        print(f"  {count} x {failure}")
    return 1 if failed else 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--how", choices=("signal", "commands"), default="signal")
    parser.add_argument("--connections", type=int, default=16)
    return parser.parse_args(arguments)
