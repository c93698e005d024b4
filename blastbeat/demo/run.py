"""The server and the node process of `blastbeat demo`, from start to stop.

The one place of the demo that knows the server. The node is a separate process that is told an endpoint and
a name, as any other node would be; all they share is the socket.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

import anyio
from anyio.abc import Process

from blastbeat.config.model import Address, Config, NodeRef, ServerConfig, VirtualHostConfig
from blastbeat.demo.node import PING_FREQ
from blastbeat.errors import BlastBeatError, StartError
from blastbeat.server import Server

NODE = "demo"

DRAIN = 2.0
"""Seconds a stop waits for streams: the demo's are short, and who presses Ctrl-C wants the prompt back."""

NODE_START = 20.0
"""Seconds the node may take until it is heard for the first time."""

NODE_STOP = 2.0
"""Seconds between asking the node to end and ending it."""

EARLY = 5.0
MAX_EARLY_ENDS = 3
"""A node that ends within EARLY seconds so many times in a row would do so for ever: the demo gives up."""

IPC_PATH_MAX = 100
"""Bytes; the address of a UNIX socket holds 107, ZeroMQ's own needs included."""


def serve_demo(host: str, port: int, announce: Callable[[str], object]) -> int:
    """See `blastbeat.demo.run_demo`."""
    with tempfile.TemporaryDirectory(prefix="blastbeat-demo-") as folder:
        demo = Demo(Server(demo_config(host, port, node_endpoint(folder))), announce)
        anyio.run(demo.run)
    if isinstance(demo.failure, StartError):
        hint = f"another port: blastbeat demo --port {port + 1 if port < 65535 else 8080}"
        sys.stderr.write(f"blastbeat demo: {demo.failure}; {hint}\n")
        return 3
    if demo.failure is not None:
        raise demo.failure
    return 0


def demo_config(host: str, port: int, endpoint: str) -> Config:
    """One listener, one ROUTER, and one virtualhost that takes every host name."""
    return Config(
        server=ServerConfig(bind=(Address(host, port),), zmq=(endpoint,), ping_freq=PING_FREQ, drain=DRAIN),
        virtualhosts=(VirtualHostConfig(name="*", nodes=(NodeRef(NODE),)),),
    )


def node_endpoint(folder: str) -> str:
    """Where the node connects: a socket file that only this user can reach, unless its path is too long."""
    endpoint = f"ipc://{folder}/nodes"
    return endpoint if len(endpoint.encode()) <= IPC_PATH_MAX else "tcp://127.0.0.1:*"


def shown_url(address: Address) -> str:
    """The URL to open for a bound address; an address that stands for all of them is shown as localhost."""
    host = "localhost" if address.host in ("", "0.0.0.0", "::") else address.host
    return f"http://{Address(host, address.port)}/"


@dataclass(slots=True)
class Demo:
    """One run of the demo. `failure` says afterwards why it ended, None after a clean stop."""

    server: Server
    announce: Callable[[str], object]
    failure: BlastBeatError | None = None

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:

            def bound(server: Server) -> None:
                tasks.start_soon(self._announce_when_served)
                tasks.start_soon(self._keep_node)

            try:
                await self.server.run(bound)
            except* BlastBeatError as group:
                self.failure = _first_of(group)
            tasks.cancel_scope.cancel()

    def _give_up(self, why: str) -> None:
        self.failure = BlastBeatError(why)
        self.server.stop()

    async def _announce_when_served(self) -> None:
        with anyio.move_on_after(NODE_START):
            # The counter is what the server shows of its nodes; it has no event to wait for.
            while not self.server.counters["nodes.up"]:  # noqa: ASYNC110
                await anyio.sleep(0.02)
            self.announce(f"BlastBeat demo: {shown_url(self.server.addresses[0])} (Ctrl-C ends it)")
            return
        self._give_up(f"the node was not heard within {NODE_START:g} seconds")

    async def _keep_node(self) -> None:
        """Start the node, and another one whenever it ends, until cancelled."""
        early_ends = 0
        while True:
            started = anyio.current_time()
            try:
                status = await self._run_node()
            except OSError as error:
                self._give_up(f"the node process cannot be started: {error}")
                return
            early_ends = early_ends + 1 if anyio.current_time() - started < EARLY else 0
            if early_ends == MAX_EARLY_ENDS:
                self._give_up(
                    f"the node ended {early_ends} times in a row, the last time with status {status}"
                )
                return
            self.announce(f"The node ended with status {status}; starting another one")

    async def _run_node(self) -> int:
        command = [sys.executable, "-m", "blastbeat.demo.node", self.server.endpoints[0], NODE]
        # A session of its own keeps the terminal's Ctrl-C away from the node: it is needed until the server
        # has answered what it still has to answer.
        process = await anyio.open_process(
            [*command, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=None,
            stderr=None,
            start_new_session=True,
        )
        try:
            return await process.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)


def _first_of(group: BaseExceptionGroup[BlastBeatError]) -> BlastBeatError:
    """The first error in a group, however deep task groups have wrapped it."""
    error = group.exceptions[0]
    return _first_of(error) if isinstance(error, BaseExceptionGroup) else error


async def _end(process: Process) -> None:
    """Ask the process to end, then make it."""
    if process.returncode is None:
        process.terminate()
        with anyio.move_on_after(NODE_STOP):
            await process.wait()
    await process.aclose()
