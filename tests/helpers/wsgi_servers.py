"""A WSGI application behind BlastBeat, and behind the standard library's server, for clients that compare.

Knows the node library's public surface. What is compared is what a user could notice.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import WSGIApplication

import httpx

from blastbeat.node import Node
from blastbeat.node.wsgi import wsgi_handler
from tests.helpers.node_thread import NodeThread
from tests.helpers.settings import HOST
from tests.helpers.stage import Stage

PATIENCE = 10.0

# Of the connection, of the moment, or of who serves; a length that tells only what came is of these too.
UNCOMPARED = {"date", "server", "connection", "transfer-encoding", "x-request-id", "keep-alive", "expires"}

Shown = tuple[int, str, list[tuple[str, str]], bytes]
Script = Callable[[httpx.Client], Sequence[httpx.Response]]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def behind_wsgiref(application: WSGIApplication) -> Iterator[httpx.Client]:
    with make_server("127.0.0.1", 0, application, _Server, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with client_of(f"http://127.0.0.1:{server.server_port}") as client:
                yield client
        finally:
            server.shutdown()
            thread.join(PATIENCE)


@contextmanager
def behind_blastbeat(
    stage: Stage, application: WSGIApplication, *, threads: int = 4, root_path: str = ""
) -> Iterator[httpx.Client]:
    """`stage` serves already."""
    handler = wsgi_handler(application, threads=threads, root_path=root_path)
    with NodeThread(Node(stage.server.endpoint, "app", handler)) as node:
        node.wait_up(stage.server)
        with client_of(f"http://127.0.0.1:{stage.server.port}") as client:
            yield client
    assert handler.close(PATIENCE) == 0


def client_of(url: str, **options: Any) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Host": HOST}, timeout=PATIENCE, trust_env=False, **options)


def shown(response: httpx.Response, hidden: Sequence[tuple[str, str]] = ()) -> Shown:
    """What a client notices. `hidden`: patterns of what differs from run to run, and what stands for it."""

    def plain(text: str) -> str:
        for pattern, stand_in in hidden:
            text = re.sub(pattern, stand_in, text)
        return text

    body = response.content
    headers = sorted(
        (name, plain(value))
        for name, value in response.headers.multi_items()
        if name not in UNCOMPARED and (name, value) != ("content-length", str(len(body)))
    )
    if response.headers.get("Content-Type", "").startswith("text/"):
        body = plain(body.decode()).encode()
    return response.status_code, response.reason_phrase, headers, body
