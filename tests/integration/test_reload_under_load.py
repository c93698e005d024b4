"""Reading the configuration again under load: no request and no byte of the untouched is lost, and nothing
is left over."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator

import pytest

from blastbeat.errors import ConfigError
from blastbeat.transport.router import Router
from blastbeat.virtualhost import VirtualHost
from tests.helpers.app import AppNode
from tests.helpers.process import ServerProcess
from tests.helpers.server import RunningServer
from tests.helpers.settings import Table, configuration
from tests.helpers.stage import Stage
from tests.helpers.traffic import Traffic

KEPT: Table = {"node": "kept"}
CHANGED: Table = {"node": "changed"}
COMES_AND_GOES: Table = {"node": "flips"}
ONE: dict[str, Table] = {"kept.test": KEPT, "changed.test": CHANGED}
TWO: dict[str, Table] = {
    "kept.test": KEPT,
    "changed.test": {**CHANGED, "keep-alive": 60, "node": ["changed", "further"]},
    "flips.test": COMES_AND_GOES,
}
QUIET: Table = {"access-log": "off", "linger-time": 0.2}
"""The shortest timeout there is: so long the timers keep a connection that is closed."""
STEPS = 3
"""Requests of each client between two reloads."""


class Load:
    """Clients of every virtualhost, on connections that stay and on new ones."""

    def __init__(self, stage: Stage, port: int) -> None:
        def address() -> tuple[str, int]:
            return "127.0.0.1", port

        may_be_gone = (200, 404)
        self.clients = [
            Traffic(address, "kept.test"),
            Traffic(address, "kept.test", per_connection=1),
            Traffic(address, "changed.test"),
            Traffic(address, "changed.test", per_connection=1),
            Traffic(address, "flips.test", statuses=may_be_gone),
            Traffic(address, "flips.test", per_connection=1, statuses=may_be_gone),
        ]

    def wait(self) -> None:
        """Until each was answered a few times more."""
        for client in self.clients:
            client.wait(STEPS)

    def stop(self) -> None:
        for client in self.clients:
            client.stop()


def nodes(stage: Stage, endpoint: str | None = None) -> list[AppNode]:
    """The node of a virtualhost that is not there yet is there, and waits."""
    return [stage.app(name, endpoint=endpoint) for name in ("kept", "changed", "further", "flips")]


def test_no_request_and_no_byte_is_lost(stage: Stage) -> None:
    """One virtualhost is changed, one added, one removed and one untouched, again and again."""
    server = stage.serve(QUIET, vhosts=TWO)
    nodes(stage)
    load = Load(stage, server.port)
    try:
        for number in range(12):
            load.wait()
            stage.reload(QUIET, vhosts=(ONE, TWO)[number % 2])
        load.wait()
    finally:
        load.stop()
    kept = server.server.wiring
    assert kept is not None and server.counters["config.reloads"] == 12
    for client in load.clients[:4]:
        assert set(client.statuses) == {200}
    for client in load.clients[4:]:
        assert set(client.statuses) == {200, 404}
    assert server.counters["responses.cut"] == 0


def test_a_broken_file_loses_nothing_either(stage: Stage) -> None:
    server = stage.serve(QUIET, vhosts=TWO)
    nodes(stage)
    load = Load(stage, server.port)
    path = stage.folder / "blastbeat.toml"
    good = path.read_text()
    try:
        for broken in ("[blastbeat", good + "nonsense = 1\n", good.replace('"kept"', '["kept", "/"]')):
            load.wait()
            path.write_text(broken)
            with pytest.raises(ConfigError):
                server.reload()
        load.wait()
    finally:
        load.stop()
    assert server.counters["config.reloads-refused"] == 3
    for client in load.clients:
        assert set(client.statuses) == {200}


# ---------------------------------------------------------------- nothing is left over


def alive(kind: type) -> int:
    gc.collect()
    return sum(1 for each in gc.get_objects() if isinstance(each, kind))


def everything(server: RunningServer) -> dict[str, int]:
    """What must not grow."""
    running = server.server
    assert running.wiring is not None
    dispatcher = running.wiring.dispatcher
    return {
        "virtualhosts": alive(VirtualHost),
        "routers": alive(Router),
        "tables": len(dispatcher.tables),
        "instances": sum(len(list(table)) for table in dispatcher.tables.values()),
        "leaving": len(running.bindings.leaving),
        "sessions": running.session_count,
        "listeners": len(running.bindings.listeners),
    }


def test_fifty_in_a_row_leave_nothing_over(stage: Stage) -> None:
    endpoint = f"ipc://{stage.folder}/own"
    own: Table = {"node": "own", "zmq": endpoint}
    with_own = {**TWO, "own.test": own}
    server = stage.serve(QUIET, vhosts=with_own)
    nodes(stage)
    stage.app("own", endpoint=endpoint)
    before = everything(server)
    load = Load(stage, server.port)
    try:
        for number in range(50):
            stage.reload(QUIET, vhosts=(ONE, with_own)[number % 2])
            if number % 10 == 0:
                load.wait()
    finally:
        load.stop()
    server.wait_idle()
    server.wait_until(lambda: everything(server) == before, f"all is as it was: {before}")
    assert server.counters["config.reloads"] == 50
    for client in load.clients[:4]:
        assert set(client.statuses) == {200}


# ---------------------------------------------------------------- the process, by signals


@pytest.fixture
def endpoint(stage: Stage) -> str:
    return f"ipc://{stage.folder}/nodes"


@pytest.fixture
def process(stage: Stage, endpoint: str) -> Iterator[ServerProcess]:
    config = stage.configure({"zmq": endpoint, **QUIET}, vhosts=TWO)
    process = stage.serve_process(config)
    yield process
    process.send_signal()
    assert process.wait() == 0
    assert "Traceback" not in process.stderr


def test_a_storm_of_signals(stage: Stage, process: ServerProcess, endpoint: str) -> None:
    """However many come, the last file that was there is in force after them, and nobody is disturbed."""
    port = process.wait_ready()
    nodes(stage, endpoint)
    load = Load(stage, port)
    try:
        for number in range(30):
            text = configuration({"zmq": endpoint, **QUIET}, vhosts=(ONE, TWO)[number % 2])
            fresh = stage.folder / "fresh.toml"
            fresh.write_text(text)
            fresh.replace(stage.folder / "blastbeat.toml")
            process.send_signal(signal.SIGHUP)
        process.wait_match(".*configuration read again")
        last = load.clients[4]
        last.statuses.clear()
        while not last.statuses[200]:
            last.wait(1)
        load.wait()
    finally:
        load.stop()
    for client in load.clients[:4]:
        assert set(client.statuses) == {200}


def test_a_broken_file_and_a_signal(stage: Stage, process: ServerProcess) -> None:
    process.wait_ready()
    path = stage.folder / "blastbeat.toml"
    path.write_text(path.read_text() + "nonsense = 1\n")
    process.send_signal(signal.SIGHUP)
    process.wait_match(".*nothing has changed: 1 problem")
    assert f"{path}:" in process.stderr and "nonsense" in process.stderr
