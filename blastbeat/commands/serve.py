"""`blastbeat serve`: a configuration to a running server, until it was stopped.

Knows how to start one and what to tell the person who did; what a server does is the server's business.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import anyio

from blastbeat.config import find_config
from blastbeat.config.model import Address, Config
from blastbeat.config_file import ConfigFile
from blastbeat.logs import set_up_logging, tell
from blastbeat.server_logs import ServerLogs, close_error_log, open_error_log


class RunnableServer(Protocol):
    """What this command needs of a server."""

    @property
    def addresses(self) -> Sequence[Address]: ...
    @property
    def endpoints(self) -> Sequence[str]: ...
    @property
    def warnings(self) -> Sequence[str]: ...
    @property
    def driver_name(self) -> str: ...
    @property
    def logs(self) -> ServerLogs: ...
    async def run(self, ready: Callable[..., None] | None = None) -> None: ...


def run(options: argparse.Namespace, new_server: Callable[[Config], RunnableServer] | None = None) -> int:
    """Serve until a signal ends it. Raises ConfigError, PluginError, StartError."""
    # Until the server looks out for it, logrotate's signal would end a start that reads much.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    set_up_logging(options.log_level or "info")
    path = find_config(options.config, os.environ)
    source = ConfigFile(path, _overrides(options))
    config, problems = source.load()
    for problem in problems:
        tell(str(problem))
    if new_server is None:
        from blastbeat.server import Server
        from blastbeat.transport.activation import PassedSockets
        from blastbeat.transport.systemd import Notifier

        new_server = partial(
            Server,
            load=source.load_again,
            manager=source.manager,
            notifier=Notifier.from_environment(os.environ),
            passed=PassedSockets.from_environment(os.environ),
            profile_plugins=options.profile_plugins,
        )
    server = new_server(config)

    def announce(_: object = None) -> None:
        for warning in server.warnings:
            tell(f"warning: {warning}")
        loop = type(asyncio.get_running_loop()).__module__
        # What is there now stays: the collector need not look at it again during every full round.
        gc.collect()
        gc.freeze()
        tell(ready_line(server, len(config.virtualhosts), loop))

    server.logs.error = open_error_log(config.server)
    try:
        anyio.run(lambda: server.run(announce), backend_options={"use_uvloop": can_use_uvloop()})
    finally:
        close_error_log(server.logs.error, config.server.log_level)
    return 0


def ready_line(server: RunnableServer, virtualhosts: int, loop_module: str) -> str:
    """`ready`, every bound address and endpoint, and what serves them."""
    places = [_place(address) for address in server.addresses]
    if server.endpoints:
        places += ["zmq", *server.endpoints]
    hosts = f"{virtualhosts} virtualhost{'' if virtualhosts == 1 else 's'}"
    loop = "uvloop" if loop_module.startswith("uvloop") else "asyncio"
    return f"ready {' '.join(places)} ({hosts}, driver {server.driver_name}, loop {loop})"


def _place(address: Address) -> str:
    scheme = "https" if address.tls else "http"
    return f"{scheme}://{address}" if address.host else f"{scheme}://*{address}"


def can_use_uvloop() -> bool:
    """Whether the faster loop is installed and loads here."""
    try:
        import uvloop  # noqa: F401
    except ImportError:
        return False
    return True


def _overrides(options: argparse.Namespace) -> dict[str, str]:
    """The keys of `[blastbeat]` that the command line replaces."""
    given = {
        "bind": options.bind,
        "zmq": options.zmq,
        "access-log": _as_typed(options.access_log),
        "log-format": options.log_format,
        "log-level": options.log_level,
    }
    return {key: value for key, value in given.items() if value is not None}


def _as_typed(target: str | None) -> str | None:
    """A file on the command line is relative to where it was typed, not to the configuration."""
    return os.path.abspath(target) if target and target not in ("stderr", "off") else target
