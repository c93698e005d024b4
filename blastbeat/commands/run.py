"""`blastbeat run APP`: a server and an application behind it in one go, for development.

The server runs in this process, beside the supervisor of the application's workers; all that they share is a
socket. Knows how the two are started and ended, nothing of what they do.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace

import anyio

from blastbeat.commands.node import supervise, watch_signals
from blastbeat.commands.serve import can_use_uvloop
from blastbeat.config.model import Address, Config, NodeRef, ServerConfig, VirtualHostConfig
from blastbeat.demo.run import node_endpoint, shown_url
from blastbeat.errors import BlastBeatError, StartError
from blastbeat.logs import tell
from blastbeat.node.log_lines import set_up_log
from blastbeat.node.options import Settings
from blastbeat.node.settings import read_settings
from blastbeat.node.supervisor import Supervisor
from blastbeat.server import Server

NODE = "app"

DRAIN = 2.0
"""Seconds a stop waits for what runs: who presses Ctrl-C wants the prompt back."""

HOLD = 10.0
"""Seconds a request waits for an application that is starting."""

IMPLIED = {"connect": ("(its own)",), "name": NODE, "graceful_timeout": DRAIN, "hang_timeout": 0.0}
"""A debugger may stop the loop for as long as it likes."""


def run(options: argparse.Namespace) -> int:
    """Run both until a signal ends them. Raises ConfigError, StartError."""
    settings = read_settings(vars(options), os.environ, folder=os.getcwd(), implied=IMPLIED)
    address = Address(options.host, options.port)
    set_up_log(settings.log_level, settings.log_format, NODE)
    with tempfile.TemporaryDirectory(prefix="blastbeat-run-") as folder:
        both = Both(settings, Server(server_config(address, settings, node_endpoint(folder))))
        anyio.run(both.run, backend_options={"use_uvloop": can_use_uvloop()})
    if both.failure is not None:
        raise both.failure
    return 0


def server_config(address: Address, settings: Settings, endpoint: str) -> Config:
    """One listener, one private ROUTER, and one virtualhost that takes every host name."""
    server = ServerConfig(
        bind=(address,),
        zmq=(endpoint,),
        drain=DRAIN,
        log_level=settings.log_level,
        log_format=settings.log_format,
    )
    host = VirtualHostConfig(
        name="*", nodes=(NodeRef(NODE),), hold=HOLD, response_timeout=0.0, instances=2 * settings.workers + 2
    )
    return Config(server=server, virtualhosts=(host,))


class Both:
    """One run. `failure` says afterwards why it ended, None after a clean stop."""

    def __init__(self, settings: Settings, server: Server) -> None:
        self.failure: BlastBeatError | None = None
        self._settings = settings
        self._server = server
        self._supervisor: Supervisor | None = None
        self._is_stopping = False
        self._bound = anyio.Event()
        self._server_ended = anyio.Event()

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._serve)
            await self._bound.wait()
            if not self._server_ended.is_set():
                await tasks.start(watch_signals, self._stop, self._replace)
                await self._supervise()
                self._server.stop()
                await self._server_ended.wait()
            tasks.cancel_scope.cancel()

    async def _serve(self) -> None:
        try:
            await self._server.run(lambda _: self._bound.set(), handle_signals=False)
        except BlastBeatError as error:
            self.failure = error
        self._server_ended.set()
        self._bound.set()
        if self._supervisor is not None:
            self._supervisor.stop()

    async def _supervise(self) -> None:
        settings = replace(self._settings, connect=(self._server.endpoints[0],))
        self._supervisor = Supervisor(settings, ready=self._ready)
        try:
            await supervise(self._supervisor, settings)
        except StartError as error:
            self.failure = error

    def _ready(self, silent: Sequence[str]) -> None:
        tell(ready_line(shown_url(self._server.addresses[0]), self._settings))

    def _stop(self) -> None:
        """The application first, as long as there is somebody to take what it answers; the second time both
        at once."""
        if self._is_stopping:
            self._server.stop()
            self._server.stop()
        self._is_stopping = True
        if self._supervisor is not None:
            self._supervisor.stop()

    def _replace(self) -> None:
        if self._supervisor is not None:
            self._supervisor.replace()


def ready_line(url: str, settings: Settings) -> str:
    """The address to open, and what is there."""
    workers = f"{settings.workers} worker{'' if settings.workers == 1 else 's'}"
    reloads = ", reloads changed code" if settings.reload else ""
    return f"ready {url} serves {settings.app} ({workers}{reloads}; Ctrl-C ends it)"
