"""A server's life without any address: what it builds, tells and leaves. What needs sockets is in
tests/integration (test_stop, test_cli, test_notices)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import anyio
import pytest

from blastbeat import hookimpl
from blastbeat.config.model import Config, NodeRef, PluginRef, ServerConfig, VirtualHostConfig
from blastbeat.errors import ConfigError, PluginError, StartError
from blastbeat.interfaces import ServerView
from blastbeat.server import Server


class Notices:
    """A plugin that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.views: list[ServerView] = []

    @hookimpl
    def blastbeat_server_started(self, view: ServerView) -> None:
        self.told.append("started")
        self.views.append(view)

    @hookimpl
    def blastbeat_server_stopping(self) -> None:
        self.told.append("stopping")

    @hookimpl
    def blastbeat_server_stopped(self) -> None:
        self.told.append("stopped")


def run(server: Server, ready: Callable[[Server], None], *, handle_signals: bool = False) -> None:
    async def serve() -> None:
        with anyio.fail_after(5):
            await server.run(ready, handle_signals=handle_signals)

    anyio.run(serve)


def test_life() -> None:
    notices = Notices()
    server = Server(Config(), plugins=[notices])

    def ready(running: Server) -> None:
        assert running is server
        assert notices.told == ["started"]
        assert (running.session_count, running.connection_count) == (0, 0)
        assert (running.addresses, running.endpoints, running.driver_name) == ([], [], "h11")
        running.stop()

    run(server, ready)
    assert notices.told == ["started", "stopping", "stopped"]
    assert notices.views[0].started_at > 0


def test_stop_from_another_thread() -> None:
    threads: list[threading.Thread] = []

    def ready(running: Server) -> None:
        threads.append(threading.Thread(target=running.stop))
        threads[0].start()

    run(Server(Config()), ready)
    threads[0].join()


def test_stop_twice_and_after_the_end() -> None:
    server = Server(Config())
    server.stop()  # before it runs there is nothing to stop

    def ready(running: Server) -> None:
        running.stop()
        running.stop()

    run(server, ready)
    server.stop()


def test_the_loop_keeps_no_timer() -> None:
    """Nothing of a server that has ended wakes up again."""

    async def serve() -> list[asyncio.Task[object]]:
        await Server(Config()).run(Server.stop, handle_signals=False)
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert anyio.run(serve) == []


@pytest.mark.parametrize(
    ("config", "error"),
    [
        (Config(ServerConfig(driver="nobody")), ConfigError),
        (
            Config(
                ServerConfig(zmq=("ipc:///tmp/never-bound",)),
                (VirtualHostConfig("a", nodes=(NodeRef("n"),), selector=PluginRef("nobody")),),
            ),
            ConfigError,
        ),
        (Config(ServerConfig(plugins_files=("missing.py",)), file="/nowhere/blastbeat.toml"), PluginError),
    ],
    ids=["driver", "selector", "plugin"],
)
def test_what_keeps_it_from_starting_is_raised_as_it_is(config: Config, error: type[Exception]) -> None:
    """Not as a group of exceptions; and nobody is told of a start."""
    notices = Notices()
    with pytest.raises(error):
        run(Server(config, plugins=[notices]), Server.stop)
    assert not notices.told


def test_a_start_error_comes_as_it_is_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise StartError("the address is in use")

    monkeypatch.setattr(Server, "_serve", fail)
    with pytest.raises(StartError, match="in use"):
        run(Server(Config()), Server.stop)
