"""The real server, in a thread of the test's process, on ephemeral ports.

Knows only the server's public surface: `Server`, its counters and its counts.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anyio

from blastbeat import hookimpl
from blastbeat.config.model import Config
from blastbeat.config_file import ConfigFile
from blastbeat.counters import Counters
from blastbeat.interfaces import ExchangeView
from blastbeat.plugin_manager import PluginManager
from blastbeat.reload_draft import Load
from blastbeat.reloading import Reload
from blastbeat.server import Server

T = TypeVar("T")
PATIENCE = 5.0
"""Seconds any single wait of a test may last; reached only when something is broken."""


class ExchangeRecorder:
    """A plugin through the public hooks: keeps the view of every exchange that is over."""

    def __init__(self) -> None:
        self.views: list[ExchangeView] = []
        self.is_stopping = False

    @hookimpl
    def blastbeat_exchange_closed(self, view: ExchangeView) -> None:
        self.views.append(view)

    @hookimpl
    def blastbeat_server_stopping(self) -> None:
        self.is_stopping = True


class _Failures(logging.Handler):
    """Keeps what the server logs with a traceback: nothing a client or node does may cause one."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: deque[logging.LogRecord] = deque(maxlen=1000)

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or len(self.records) < 500:
            self.records.append(record)


class RunningServer:
    """Started by the constructor; stopped, and checked for anything left over, by `stop()`."""

    def __init__(self, config: Config | Path, *, plugins: Sequence[object] = ()) -> None:
        self.recorder = ExchangeRecorder()
        self.allow_tracebacks = False
        self._plugins = [self.recorder, *plugins]
        self._manager: PluginManager | None = None
        self._load: Load | None = None
        if isinstance(config, Config):
            self._config = config
        else:
            source = ConfigFile(config, plugins=self._plugins)
            self._config = source.load()[0]
            self._load, self._manager = source.load_again, source.manager
        self._log = _Failures()
        self._loop_failures: list[dict[str, Any]] = []
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        self._server: Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._main, name="server", daemon=True)
        logging.getLogger("blastbeat").addHandler(self._log)
        self._thread.start()
        assert self._ready.wait(2 * PATIENCE), "the server did not become ready"
        if self._failure is not None:
            self.join()

    # ------------------------------------------------------------ what tests ask

    @property
    def server(self) -> Server:
        assert self._server is not None
        return self._server

    @property
    def port(self) -> int:
        """Of the shared listener."""
        return next(address.port for address in self.server.addresses if address.host == "127.0.0.1")

    @property
    def endpoint(self) -> str:
        """Where nodes can connect: of the shared ROUTER, which alone is tcp in tests."""
        return next(endpoint for endpoint in self.server.endpoints if endpoint.startswith("tcp:"))

    @property
    def counters(self) -> Counters:
        return self.server.counters

    @property
    def exchanges(self) -> list[ExchangeView]:
        """Exchanges that are over, in that order."""
        return self.recorder.views

    @property
    def log_text(self) -> str:
        """Warnings and errors logged so far."""
        return "\n".join(record.getMessage() for record in self._log.records)

    def call(self, function: Callable[[], T]) -> T:
        """The result of `function`, run in the server's event loop."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        assert self._loop is not None
        self._loop.call_soon_threadsafe(run)
        return future.result(PATIENCE)

    def reload(self) -> Reload:
        """Reads the configuration file again; raises what the server says is wrong with it."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(self.server.reload(), self._loop).result(2 * PATIENCE)

    def wait_until(self, condition: Callable[[], bool], what: str = "condition") -> None:
        """Returns once `condition` holds in the server's loop; asks again after each turn of it."""
        deadline = time.monotonic() + PATIENCE
        while not self.call(condition):
            assert time.monotonic() < deadline, f"never came true: {what}; counters: {self.counted()}"
            time.sleep(0.002)  # only yields the processor to the server's thread

    def wait_counter(self, name: str, value: int = 1) -> None:
        """Returns once the counter has reached `value`."""
        self.wait_until(lambda: self.counters[name] >= value, f"{name} >= {value}")

    def wait_idle(self) -> None:
        """Returns once no session and no connection is left."""
        self.wait_until(
            lambda: self.server.session_count == 0 and self.server.connection_count == 0,
            "no session and no connection left",
        )

    def wait_exchanges(self, number: int) -> list[ExchangeView]:
        """The exchanges that are over, once there are `number`."""
        self.wait_until(lambda: len(self.recorder.views) >= number, f"{number} exchanges over")
        return self.recorder.views

    def counted(self) -> dict[str, int]:
        """The counters that are not zero."""
        return {name: value for name, value in self.counters.snapshot().items() if value}

    # ------------------------------------------------------------ end

    def request_stop(self) -> None:
        """What one SIGTERM does; returns when the server has begun to stop."""
        self.server.stop()
        self.wait_until(lambda: self.recorder.is_stopping, "the server is stopping")

    def stop(self) -> None:
        """Stops and joins; fails when a session, a connection or a traceback is left over."""
        if self._thread.is_alive():
            try:
                self.wait_idle()
            finally:
                self.server.stop()
        self.join()
        counters = self.counters
        assert self.server.session_count == 0 and self.server.connection_count == 0
        assert counters["sessions.opened"] == counters["sessions.closed"], self.counted()
        assert counters["connections.accepted"] == counters["connections.closed"], self.counted()

    def join(self) -> None:
        """Waits for the end of the thread, and raises what went wrong in it."""
        self._thread.join(2 * PATIENCE)
        logging.getLogger("blastbeat").removeHandler(self._log)
        assert not self._thread.is_alive(), "the server's thread did not end"
        if self._failure is not None:
            raise self._failure
        assert not self._loop_failures, self._loop_failures
        tracebacks = [record.getMessage() for record in self._log.records if record.exc_info]
        assert self.allow_tracebacks or not tracebacks, tracebacks

    # ------------------------------------------------------------ the server's thread

    def _main(self) -> None:
        try:
            anyio.run(self._run)
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._server = Server(self._config, plugins=self._plugins, load=self._load, manager=self._manager)
        await self._server.run(ready=self._on_ready, handle_signals=False)

    def _on_ready(self, server: Server) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda _, context: self._loop_failures.append(context))
        self._ready.set()
