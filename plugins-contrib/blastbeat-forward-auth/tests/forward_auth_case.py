"""What the tests of forward-auth share: a service that is scripted, over a real socket or without one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

import blastbeat_forward_auth
from blastbeat.testing import make_registered
from blastbeat_forward_auth.authenticator import ForwardAuthenticator, Policy
from blastbeat_forward_auth.cache import Cache
from blastbeat_forward_auth.service import Service

Fields = Sequence[tuple[str, str]]
Said = tuple[int, Fields, bytes]
"""Status, fields and body."""

PLUGINS = {"forward-auth": blastbeat_forward_auth}


def make(**options: Any) -> Any:
    return make_registered(
        blastbeat_forward_auth,
        "request-authenticator",
        "forward-auth",
        options,
        plugin_name="forward-auth",
    )


class Mock(httpx.AsyncBaseTransport):
    """A service without a socket: keeps what it was asked, answers with what `say` returns."""

    def __init__(self, say: Callable[[httpx.Request], Said]) -> None:
        self.say = say
        self.asked: deque[httpx.Request] = deque(maxlen=1000)
        self.is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        status, fields, body = self.say(request)
        return httpx.Response(status, headers=list(fields), stream=httpx.ByteStream(body))

    async def aclose(self) -> None:
        self.is_closed = True


def mocked(mock: Mock, policy: Policy | None = None, cache: Cache | None = None) -> ForwardAuthenticator:
    service = Service("http://auth.test/verify?x=1", mock, timeout=5, most=10, max_body=1000)
    return ForwardAuthenticator(service, policy or Policy(), cache, "the service")


class RealService:
    """A service on loopback. `answers` is what it says by the path asked for in X-Forwarded-Uri, `default`
    otherwise; `hold` makes it wait."""

    def __init__(self) -> None:
        self.default: Said = (200, (), b"")
        self.answers: dict[str, Said] = {}
        self.asked: list[dict[str, str]] = []
        self.connections = 0
        self.hold: threading.Event | None = None
        self.ended = threading.Semaphore(0)  # one for each connection that is over
        self.arrived = threading.Semaphore(0)
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                service.connections += 1
                super().setup()

            def finish(self) -> None:
                super().finish()
                service.ended.release()

            def do_GET(self) -> None:
                service.asked.append({name.lower(): value for name, value in self.headers.items()})
                service.arrived.release()
                if service.hold is not None:
                    service.hold.wait(5)
                status, fields, body = service.answers.get(
                    self.headers["X-Forwarded-Uri"].partition("?")[0], service.default
                )
                self.send_response(status)
                for name, value in (*fields, ("Content-Length", str(len(body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/verify"

    def close(self) -> None:
        if self.hold is not None:
            self.hold.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
