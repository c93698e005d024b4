"""Many connections, virtualhosts and nodes at once: no error, and what the server takes of memory for each.

    python -m bench scale [--connections 10000] [--virtualhosts 10000] [--nodes 500]

Every connection asks twice, for another host each time, and each answer must come from that host's node.
Between the two all are open and idle. A single wrong or missing answer: exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.processes import allow_open_files, running, wait
from bench.servers import APPLICATIONS
from bench.usage import cpu_seconds

AT_ONCE = 200
"""Connections that are dialled, or asked on, at the same time."""

IDLE_SECONDS = 5.0

HEAD = """\
[blastbeat]
bind = "127.0.0.1:0"
zmq = "{endpoint}"
log-level = "warning"
access-log = "off"
connections = {connections}
sessions = {connections}

[vhost."*"]
node = "node0"
keep-alive = 0
"""


def write_config(path: Path, endpoint: str, options: argparse.Namespace) -> None:
    text = [HEAD.format(endpoint=endpoint, connections=options.connections + 100)]
    for number in range(options.virtualhosts):
        node = number % options.nodes
        text.append(f'[vhost."www{number}.example"]\nnode = "node{node}"\nkeep-alive = 0\n')
    path.write_text("\n".join(text))


def memory(pid: int) -> int:
    """Resident bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Client:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, number: int, nodes: int) -> str:
        """What is wrong with the answer for virtualhost `number`, empty when nothing is."""
        host = f"www{number}.example"
        self._writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.I)
        body = (await self._reader.readexactly(int(length[1]) if length else 0)).decode()
        expected = f"node{number % nodes} {host}"
        if head.startswith("HTTP/1.1 200 ") and body == expected:
            return ""
        return f"{host}: {head.splitlines()[0]}: {body!r} instead of {expected!r}"


async def visit(port: int, pid: int, options: argparse.Namespace) -> dict[str, object]:
    """Opens all connections, asks on each, lets them idle, asks again; the figures."""
    gate = asyncio.Semaphore(AT_ONCE)
    errors: list[str] = []

    async def dial(number: int) -> Client | None:
        async with gate:
            try:
                client = Client(*await asyncio.open_connection("127.0.0.1", port))
            except OSError as error:
                errors.append(f"connection {number}: {error}")
                return None
            await ask(client, number)
            return client

    async def ask(client: Client, number: int) -> None:
        try:
            wrong = await asyncio.wait_for(client.ask(number % options.virtualhosts, options.nodes), 60)
        except (OSError, EOFError, asyncio.IncompleteReadError, TimeoutError) as error:
            wrong = f"connection {number}: {type(error).__name__} {error}"
        if wrong:
            errors.append(wrong)

    async def ask_again(client: Client, number: int) -> None:
        async with gate:
            await ask(client, number)

    before = memory(pid)
    dialled = await asyncio.gather(*(dial(number) for number in range(options.connections)))
    clients = [client for client in dialled if client is not None]
    connected = memory(pid)
    used = cpu_seconds(pid)
    await asyncio.sleep(IDLE_SECONDS)
    idle_cpu = (cpu_seconds(pid) - used) / IDLE_SECONDS
    await asyncio.gather(*(ask_again(client, number + 7) for number, client in enumerate(clients)))
    return {
        "connections": len(clients),
        "requests": 2 * options.connections,
        "errors": len(errors),
        "first errors": errors[:5],
        "kB per connection": round((connected - before) / max(len(clients), 1) / 1000, 2),
        "MB with all connected": round(connected / 1e6, 1),
        "MB after the second request of each": round(memory(pid) / 1e6, 1),
        "percent of a core while idle": round(100 * idle_cpu, 1),
    }


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--connections", type=int, default=10_000, help="default %(default)s")
    parser.add_argument("--virtualhosts", type=int, default=10_000, help="default %(default)s")
    parser.add_argument("--nodes", type=int, default=500, help="default %(default)s")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = read_options(arguments)
    hard = allow_open_files()
    if options.connections + options.nodes + 500 > hard:
        options.connections = hard - options.nodes - 500
        print(f"only {hard} open files are allowed here: {options.connections} connections")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="blastbeat-scale-")))
        endpoint = f"ipc://{folder}/nodes"
        config, log = folder / "scale.toml", folder / "log"
        write_config(config, endpoint, options)
        began = time.monotonic()
        command = [sys.executable, "-m", "blastbeat", "serve", str(config)]
        stderr = stack.enter_context(log.open("w"))
        server = stack.enter_context(running(command, lambda: None, stderr=stderr))
        port = wait(lambda: port_told(log), server, log)
        figures: dict[str, object] = {
            "virtualhosts": options.virtualhosts,
            "nodes": options.nodes,
            "seconds to ready": round(time.monotonic() - began, 1),
            "MB when ready": round(memory(server.pid) / 1e6, 1),
        }
        nodes = [sys.executable, str(APPLICATIONS / "many_nodes.py"), endpoint, str(options.nodes)]
        stack.enter_context(running(nodes, lambda: None))
        wait(lambda: last_node_answers(port, options), server, log)
        figures["MB with all nodes"] = round(memory(server.pid) / 1e6, 1)
        figures |= asyncio.run(visit(port, server.pid, options))
        said = [line for line in log.read_text().splitlines() if "Traceback" in line or "ERROR" in line]
    figures["errors in the server's log"] = len(said)
    print(json.dumps(figures, indent=2))
    return 1 if figures["errors"] or said else 0


def port_told(log: Path) -> int:
    """The port in the line that says the server is ready; 0 before."""
    found = re.search(r"^ready http://127\.0\.0\.1:(\d+)", log.read_text(), re.M)
    return int(found[1]) if found else 0


def last_node_answers(port: int, options: argparse.Namespace) -> bool:
    async def ask() -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            return await Client(reader, writer).ask(options.nodes - 1, options.nodes)
        finally:
            writer.close()

    try:
        return asyncio.run(ask()) == ""
    except (OSError, EOFError):
        return False
