"""The pytest plugin: a server, nodes, clients and a clock as fixtures, for tests of plugins.

pytest loads this module in every run where BlastBeat is installed, so it imports nothing but pytest; what a
fixture needs is imported when a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

if TYPE_CHECKING:
    from blastbeat.testing.client import Client
    from blastbeat.testing.clock import FakeClock
    from blastbeat.testing.configuration import Toml
    from blastbeat.testing.node import Answers, ScriptedNode
    from blastbeat.testing.running import RunningServer

# Contracts say what is wrong with plain `assert`, which pytest has to rewrite before they are imported.
pytest.register_assert_rewrite(
    *(
        f"blastbeat.testing.{module}"
        for module in (
            "checks",
            "client",
            "driver_contract",
            "driver_reading",
            "encoder_contract",
            "filter_contract",
            "node_authenticator_contract",
            "registration_contract",
            "request_authenticator_contract",
            "selector_contract",
            "websocket_client",
            "websocket_contract",
        )
    )
)

StartServer: TypeAlias = "Callable[..., RunningServer]"
StartNode: TypeAlias = "Callable[..., ScriptedNode]"
OpenClient: TypeAlias = "Callable[..., Client]"


class _Started:
    """The servers of one test, in the order they were started."""

    def __init__(self) -> None:
        self.servers: list[RunningServer] = []

    def last(self, wanted_by: str) -> RunningServer:
        if not self.servers:
            pytest.fail(f"{wanted_by} needs a server: call blastbeat_server() first", pytrace=False)
        return self.servers[-1]


@pytest.fixture
def _blastbeat_started() -> _Started:
    return _Started()


@pytest.fixture
def blastbeat_server(
    tmp_path_factory: pytest.TempPathFactory, _blastbeat_started: _Started
) -> Iterator[StartServer]:
    """Starts servers: `blastbeat_server(plugins=[module], toml=…)` returns a `RunningServer`, ready. Each is
    stopped at the end of the test, which fails when the server or a plugin in it has failed."""
    with ExitStack() as stack:

        def start(
            *,
            plugins: Sequence[object] | Mapping[str, object] = (),
            toml: Toml = "",
            allow_errors: bool = False,
            folder: Path | None = None,
        ) -> RunningServer:
            from blastbeat.testing.running import RunningServer

            folder = folder or tmp_path_factory.mktemp("blastbeat")
            server = RunningServer(folder, plugins=plugins, toml=toml, allow_errors=allow_errors)
            stack.callback(server.stop)
            _blastbeat_started.servers.append(server)
            return server

        yield start


@pytest.fixture
def blastbeat_node(blastbeat_server: StartServer, _blastbeat_started: _Started) -> Iterator[StartNode]:
    """Starts nodes: `blastbeat_node(answers, name="app")` returns a `ScriptedNode` that the server knows; of
    the server that was started last, unless `server` names another."""
    with ExitStack() as stack:

        def start(
            answers: Answers | None = None,
            *,
            name: str = "app",
            server: RunningServer | None = None,
            **options: Any,
        ) -> ScriptedNode:
            from blastbeat.testing.node import ScriptedNode

            server = server or _blastbeat_started.last("blastbeat_node")
            node = ScriptedNode(server, answers, name=name, **options)
            stack.callback(node.close)
            return node

        yield start


@pytest.fixture
def blastbeat_client(blastbeat_server: StartServer, _blastbeat_started: _Started) -> Iterator[OpenClient]:
    """Opens clients: `blastbeat_client()` returns a `Client` of the server that was started last, unless
    `server` names another."""
    with ExitStack() as stack:

        def start(*, server: RunningServer | None = None, **options: Any) -> Client:
            from blastbeat.testing.client import Client

            server = server or _blastbeat_started.last("blastbeat_client")
            client = Client(server.host, server.port, **options)
            stack.callback(client.close)
            return client

        yield start


@pytest.fixture
def blastbeat_clock() -> FakeClock:
    """A clock that stands still until `advance` is called."""
    from blastbeat.testing.clock import FakeClock

    return FakeClock()
