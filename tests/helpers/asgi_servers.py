"""An ASGI application served twice: behind a node and a server of ours, and by uvicorn. Same requests, same
answers."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from websockets.sync.client import ClientConnection, connect

from blastbeat.node import Node
from blastbeat.node.asgi import Application, asgi_handler
from blastbeat.node.lifespan import Lifespan
from tests.helpers.node_thread import NodeThread
from tests.helpers.server import PATIENCE, RunningServer
from tests.helpers.stage import Stage
from tests.helpers.waiting import wait_until

HOST = {"Host": "app.test"}

OF_THE_SERVER = frozenset({"date", "server", "connection", "transfer-encoding", "x-request-id", "keep-alive"})
"""Fields of a response that are its server's business."""


class ApplicationThread(NodeThread):
    """A node with an ASGI application, its lifespan included."""

    def __init__(self, endpoint: str, application: Application) -> None:
        self._lifespan = Lifespan(application)
        handler = asgi_handler(application, state=self._lifespan.state)
        super().__init__(Node(endpoint, "app", handler))

    async def _run(self) -> None:
        async with self._lifespan:
            await super()._run()


class Pair:
    """Both of them: `ours` and `theirs` are base URLs without a scheme."""

    def __init__(self, server: RunningServer, theirs: int) -> None:
        self.server = server
        self.ours = f"127.0.0.1:{server.port}"
        self.theirs = f"127.0.0.1:{theirs}"

    def request(self, method: str, path: str, **options: Any) -> tuple[httpx.Response, httpx.Response]:
        """What each of them answers."""
        headers = {**HOST, **options.pop("headers", {})}
        answers = []
        for address in (self.ours, self.theirs):
            with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
                request = client.build_request(method, f"http://{address}{path}", headers=headers, **options)
                answers.append(client.send(request))
        return answers[0], answers[1]

    def same(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer of both; fails where they differ in status, body, or a field that matters."""
        ours, theirs = self.request(method, path, **options)
        assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
        fields = _fields(ours)
        if "content-length" not in theirs.headers:  # known to us, where all of the body came at once
            fields = [field for field in fields if field[0] != "content-length"]
        assert fields == _fields(theirs)
        return ours


def _fields(response: httpx.Response) -> list[tuple[str, str]]:
    pairs = [(name.lower(), value) for name, value in response.headers.multi_items()]
    return sorted(pair for pair in pairs if pair[0] not in OF_THE_SERVER)


def open_websocket(address: str, path: str = "/", **options: Any) -> ClientConnection:
    host, _, port = address.partition(":")
    connection = socket.create_connection((host, int(port)), PATIENCE)
    websocket: ClientConnection = connect(f"ws://app.test{path}", sock=connection, proxy=None, **options)
    return websocket


@contextlib.contextmanager
def serving_twice(application: Application, folder: Path) -> Iterator[Pair]:
    """Runs both in threads."""
    stage = Stage(folder)
    with contextlib.ExitStack() as stack:
        stack.callback(stage.close)
        server = stage.serve()
        node = stack.enter_context(ApplicationThread(server.endpoint, application))
        node.wait_up(server)
        yield Pair(server, stack.enter_context(uvicorn_thread(application)))


@contextlib.contextmanager
def uvicorn_thread(application: Any) -> Iterator[int]:
    """Its port."""
    options = uvicorn.Config(application, port=0, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run, name="uvicorn", daemon=True)
    thread.start()
    wait_until(lambda: server.started, "uvicorn is up")
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(2 * PATIENCE)
        assert not thread.is_alive()
