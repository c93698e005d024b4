"""One test's server, nodes and clients: opened with one call each, closed in the right order.

Knows the other helpers, and how to prove that nothing happened: by something later that did.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zmq

from blastbeat.reloading import Reload
from tests.helpers.app import AppNode, Handler, echo
from tests.helpers.client import RawClient
from tests.helpers.echo import EchoNode
from tests.helpers.node import Message, ScriptedNode
from tests.helpers.process import ServerProcess
from tests.helpers.server import RunningServer
from tests.helpers.settings import HOST, Table, configuration
from tests.helpers.uwsgi import read_variables
from tests.helpers.websocket import WebSocketClient

FENCE = "/fence"


class Stage:
    """Everything opened through it is closed by `close()`: clients first, then the server, then the nodes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._server: RunningServer | None = None
        self._clients: list[RawClient] = []
        self._nodes: list[ScriptedNode | AppNode | EchoNode] = []
        self._processes: list[ServerProcess] = []

    @property
    def server(self) -> RunningServer:
        assert self._server is not None, "stage.serve() first"
        return self._server

    @property
    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        return self._context

    # ------------------------------------------------------------ opening

    def configure(
        self,
        server: Table | None = None,
        vhost: Table | None = None,
        vhosts: Mapping[str, Table] | None = None,
        tables: Mapping[str, Table] | None = None,
    ) -> Path:
        """A configuration file (see `settings.configuration`)."""
        path = self.folder / "blastbeat.toml"
        path.write_text(configuration(server, vhost, vhosts, tables))
        return path

    def serve(
        self,
        server: Table | None = None,
        vhost: Table | None = None,
        vhosts: Mapping[str, Table] | None = None,
        *,
        tables: Mapping[str, Table] | None = None,
        plugins: Sequence[object] = (),
    ) -> RunningServer:
        """Starts the test's server."""
        return self.use(RunningServer(self.configure(server, vhost, vhosts, tables), plugins=plugins))

    def use(self, server: RunningServer) -> RunningServer:
        """A server that the test has started with a configuration of its own."""
        assert self._server is None, "one server per stage"
        self._server = server
        return server

    def reload(
        self,
        server: Table | None = None,
        vhost: Table | None = None,
        vhosts: Mapping[str, Table] | None = None,
        *,
        tables: Mapping[str, Table] | None = None,
    ) -> Reload:
        """Another configuration for the test's server, in force when this returns."""
        self.configure(server, vhost, vhosts, tables)
        return self.server.reload()

    def serve_process(self, config: Path, *arguments: str, **options: Any) -> ServerProcess:
        """A server in a process of its own; `options` are those of `ServerProcess`."""
        process = ServerProcess(config, *arguments, **options)
        self._processes.append(process)
        return process

    def node(
        self,
        name: str = "app",
        words: str = "",
        *,
        endpoint: str | None = None,
        announce: bool = True,
        answer_pings: bool = True,
        receive_queue: int | None = None,
    ) -> ScriptedNode:
        """A node; with `announce` the server knows it and thinks it available when this returns."""
        node = ScriptedNode(
            self._context,
            endpoint or self.server.endpoint,
            name,
            answer_pings=answer_pings,
            receive_queue=receive_queue,
        )
        self._nodes.append(node)
        if announce:
            node.pong(words)
            node.wait_spawn()
        return node

    def app(self, name: str = "app", handler: Handler = echo, *, endpoint: str | None = None) -> AppNode:
        """A node that answers by itself, known to the server when this returns."""
        node = AppNode(self._context, endpoint or self.server.endpoint, name, handler)
        self._nodes.append(node)
        return node

    def echo(self, name: str = "app", words: str = "", *, endpoint: str | None = None) -> EchoNode:
        """A node that sends back each WebSocket message, known to the server when this returns."""
        node = EchoNode(self._context, endpoint or self.server.endpoint, name, words)
        self._nodes.append(node)
        return node

    def websocket(
        self, *, receive_buffer: int | None = None, address: tuple[str, int] | None = None
    ) -> WebSocketClient:
        """A connection that has not asked for anything yet."""
        return WebSocketClient(self.client(receive_buffer=receive_buffer, address=address))

    def client(
        self, *, receive_buffer: int | None = None, address: tuple[str, int] | None = None
    ) -> RawClient:
        """A connection, to the shared listener unless `address` names another."""
        host, port = address or ("127.0.0.1", self.server.port)
        client = RawClient(port, host=host, receive_buffer=receive_buffer)
        self._clients.append(client)
        return client

    # ------------------------------------------------------------ common steps

    def exchange(
        self, node: ScriptedNode, client: RawClient, target: str = "/", body: bytes = b"ok"
    ) -> bytes:
        """One plain GET, answered; returns its sid."""
        client.get(target)
        request = node.expect_request()
        assert request["REQUEST_URI"] == target
        node.respond(request.sid, body)
        response = client.read_response()
        assert (response.status, response.body) == (200, body)
        return request.sid

    def messages_before_fence(self, node: ScriptedNode, *, host: str = HOST) -> list[Message]:
        """Everything the server has sent to `node` until now: one more request goes the whole way round, and
        what comes before it is returned."""
        client = RawClient(self.server.port)
        before: list[Message] = []
        try:
            client.get(FENCE, host=host)
            while True:
                message = node.receive()
                if message.type == b"uwsgi" and read_variables(message.body)["REQUEST_URI"] == FENCE:
                    break
                before.append(message)
            node.respond(message.sid)
            assert client.read_response().status == 200
        finally:
            client.close()
        node.expect_end(message.sid)
        return before

    def expect_nothing(self, node: ScriptedNode, *, host: str = HOST) -> None:
        """The server has sent nothing to `node` that was not received yet; and both still work."""
        before = self.messages_before_fence(node, host=host)
        assert before == [], f"node {node.name} was sent {before}"

    # ------------------------------------------------------------ end

    def close(self) -> None:
        """Closes everything; fails when the server does not end clean."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._context.destroy, linger=0)
            for node in self._nodes:
                stack.callback(node.close)
            for process in self._processes:
                stack.callback(process.close)
            if self._server is not None:
                stack.callback(self._server.stop)
            for client in self._clients:
                stack.callback(client.close)
