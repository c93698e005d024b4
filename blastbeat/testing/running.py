"""The real server in a thread of the test's process, on free ports, with everything that went wrong in it.

Knows only the server's public surface. Nothing here waits for a time: each wait ends with what it waits for,
or after PATIENCE with an AssertionError that says what never came.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import anyio

from blastbeat import hookimpl
from blastbeat.config.check import Known
from blastbeat.config.model import Config
from blastbeat.config_file import ConfigFile
from blastbeat.counters import Counters
from blastbeat.errors import Problem
from blastbeat.interfaces import ExchangeView, NodeView
from blastbeat.plugin_sources import Named
from blastbeat.reloading import Reload
from blastbeat.server import Server
from blastbeat.testing.configuration import Toml, complete
from blastbeat.testing.loading import load_plugin

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that any single wait may last; reached only when something is broken."""

MAX_EXCHANGES = 100_000
"""So many exchanges are remembered, the newest ones."""

_THREAD_NAME = "blastbeat server"

Plugins = Sequence[object] | Mapping[str, object]


class RunningServer:
    """Started by the constructor, which raises ConfigError, PluginError or StartError like the server.

    `plugins` are modules, objects, classes to make one of, or texts as entry points are written
    (``"package.module"``, ``"package.module:name"``); as a mapping, they are named by its keys, as by entry
    points. `toml` is the configuration, completed by `configuration.complete`, in a file of `folder`.
    """

    def __init__(
        self, folder: Path, *, plugins: Plugins = (), toml: Toml = "", allow_errors: bool = False
    ) -> None:
        self.config_path = folder / "blastbeat.toml"
        self.allow_errors = allow_errors
        self._overrides: dict[str, str] = {}
        self._write(toml)
        self._recorder = _Recorder()
        self._loop_failures: list[str] = []
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        self._server: Server
        self._loop: asyncio.AbstractEventLoop
        self._plugins = [self._recorder, *_resolve(plugins)]
        self._source = ConfigFile(self.config_path, self._overrides, plugins=self._plugins)
        self._config = self._source.load()[0]
        self._thread = threading.Thread(target=self._main, name=_THREAD_NAME, daemon=True)
        self._log = _WarningLog(self._thread)
        self._start()

    def _start(self) -> None:
        logging.getLogger("blastbeat").addHandler(self._log)
        self._thread.start()
        is_ready = self._ready.wait(2 * PATIENCE)
        if self._failure is not None:
            self._join()
            raise self._failure
        assert is_ready, "the server did not become ready"

    # ------------------------------------------------------------ where it is

    @property
    def host(self) -> str:
        """The address of its first listener."""
        return self._server.addresses[0].host

    @property
    def port(self) -> int:
        """The port of its first listener."""
        return self._server.addresses[0].port

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of its first listener."""
        return self.host, self.port

    @property
    def url(self) -> str:
        """Of its first listener, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def endpoint(self) -> str:
        """Where nodes connect to: its first endpoint."""
        return self._server.endpoints[0]

    @property
    def server(self) -> Server:
        """The server itself; whatever is not thread-safe in it goes through `call`."""
        return self._server

    # ------------------------------------------------------------ what happened

    @property
    def counters(self) -> Counters:
        """Its counters by name: ``server.counters["exchanges.limit"]``."""
        return self._server.counters

    def counted(self) -> dict[str, int]:
        """The counters that are not zero."""
        return {name: value for name, value in self.counters.snapshot().items() if value}

    @property
    def exchanges(self) -> Sequence[ExchangeView]:
        """Exchanges that are over, in that order."""
        return list(self._recorder.exchanges)

    @property
    def log(self) -> str:
        """The warnings and errors that it logged so far, a line each."""
        return "\n".join(record.getMessage() for record in self._log.records)

    @property
    def errors(self) -> list[str]:
        """What was logged with a traceback: mistakes of plugins, or of BlastBeat."""
        return [_describe(record) for record in self._log.records if record.exc_info]

    def forget_errors(self) -> list[str]:
        """The `errors` so far, which the test has expected: they don't fail it at its end."""
        found = self.errors
        for record in [record for record in self._log.records if record.exc_info]:
            self._log.records.remove(record)
        return found

    # ------------------------------------------------------------ waiting

    def call(self, function: Callable[[], T]) -> T:
        """The result of `function`, run in the server's event loop."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return future.result(PATIENCE)

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
        """Returns once no session and no client's connection is left."""
        server = self._server
        self.wait_until(
            lambda: server.session_count == 0 and server.connection_count == 0,
            "no session and no connection left",
        )

    def wait_exchanges(self, number: int) -> Sequence[ExchangeView]:
        """The exchanges that are over, once there are `number`."""
        self.wait_until(lambda: len(self._recorder.exchanges) >= number, f"{number} exchanges over")
        return self.exchanges

    def wait_node(self, identity: str) -> None:
        """Returns once the server hands out sessions to this instance."""
        self.wait_until(lambda: identity in self._recorder.up, f"node {identity!r} is up")

    def wait_node_down(self, identity: str) -> None:
        """Returns once the server has noticed that this instance is silent, gone or drained."""
        self.wait_until(lambda: identity not in self._recorder.up, f"node {identity!r} is down")

    # ------------------------------------------------------------ its life

    def reload(self, toml: Toml | None = None) -> Reload:
        """Reads its configuration again: `toml`, or the file as it is now. In force when this returns; raises
        what the server says is wrong with it, and then nothing has changed."""
        if toml is not None:
            self._write(toml)
        return asyncio.run_coroutine_threadsafe(self._server.reload(), self._loop).result(2 * PATIENCE)

    def stop(self) -> None:
        """Stops it, unless it was stopped, and waits for its end. Raises what ended it early; AssertionError
        with the `errors`, where some were logged and nobody expected them."""
        if self._thread.is_alive():
            self._server.stop()
        self._join()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        found = [*self._loop_failures, *(() if self.allow_errors else self.forget_errors())]
        self._loop_failures.clear()
        assert not found, "the server logged errors:\n" + "\n".join(found)

    def _join(self) -> None:
        self._thread.join(4 * PATIENCE)
        logging.getLogger("blastbeat").removeHandler(self._log)
        assert not self._thread.is_alive(), "the server did not stop"

    def _write(self, toml: Toml) -> None:
        text, self._overrides = complete(toml)
        self.config_path.write_text(text, encoding="utf-8")

    # ------------------------------------------------------------ the server's thread

    def _main(self) -> None:
        try:
            anyio.run(self._run)
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._server = Server(
            self._config,
            plugins=self._plugins,
            load=self._read_again,
            manager=self._source.manager,
        )
        await self._server.run(ready=self._on_ready, handle_signals=False)

    def _read_again(self, known: Known) -> tuple[Config | None, Sequence[Problem]]:
        self._source.overrides = self._overrides
        return self._source.load_again(known)

    def _on_ready(self, server: Server) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda _, context: self._loop_failures.append(str(context)))
        self._ready.set()


class _Recorder:
    """A plugin through the public hooks: what is over, and which instances are up."""

    def __init__(self) -> None:
        self.exchanges: deque[ExchangeView] = deque(maxlen=MAX_EXCHANGES)
        self.up: set[str] = set()

    @hookimpl
    def blastbeat_exchange_closed(self, view: ExchangeView) -> None:
        self.exchanges.append(view)

    @hookimpl
    def blastbeat_node_up(self, view: NodeView) -> None:
        self.up.add(view.identity)

    @hookimpl
    def blastbeat_node_down(self, view: NodeView) -> None:
        self.up.discard(view.identity)


class _WarningLog(logging.Handler):
    """Keeps what one server logs at WARNING and above, the newest lines. All servers of a test share their
    loggers, so what comes from the thread of another one is left to that."""

    def __init__(self, thread: threading.Thread) -> None:
        super().__init__(logging.WARNING)
        self.records: deque[logging.LogRecord] = deque(maxlen=1000)
        self._thread = thread

    def emit(self, record: logging.LogRecord) -> None:
        current = threading.current_thread()
        if current is self._thread or current.name != _THREAD_NAME:
            self.records.append(record)


def _describe(record: logging.LogRecord) -> str:
    return logging.Formatter("%(name)s: %(message)s").format(record)


def _resolve(plugins: Plugins) -> list[object]:
    """What the server is handed: each made as if it were installed."""
    if isinstance(plugins, Mapping):
        return [Named(name, load_plugin(plugin)) for name, plugin in plugins.items()]
    return [load_plugin(plugin) for plugin in plugins]
