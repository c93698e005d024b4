"""What the address of `stats-bind` answers: the status page, `/status.json`, `/metrics`, `/healthz`.

Text in, answer out: knows neither sockets nor how a status is taken. It asks for no password, so it answers
only who names it by an address, `localhost` or the machine's own name: a page of somebody else's site can't
make a browser read it under a name of its own (DNS rebinding).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from ipaddress import ip_address
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from blastbeat.errors import ClientError, ControlError
from blastbeat.events import CloseReason, RequestHead
from blastbeat.interfaces import Answer
from blastbeat.monitoring.metrics import MISSING_CLIENT
from blastbeat.monitoring.status import Query
from blastbeat.vhosts import parse_authority

TakeStatus: TypeAlias = Callable[[Query], Mapping[str, Any]]
TakeMetrics: TypeAlias = Callable[[str], Callable[[], tuple[bytes, str]]]
"""Gets the `Accept` field; the call of what it returns renders, which may take long: text and its type."""

InThread: TypeAlias = Callable[[Callable[[], Answer]], Awaitable[Answer]]
"""Runs what takes long beside the event loop."""

FILES = {
    "/": ("page.html", b"text/html; charset=utf-8"),
    "/status.css": ("status.css", b"text/css; charset=utf-8"),
    "/status.js": ("status.js", b"text/javascript; charset=utf-8"),
}
PLACES = (*FILES, "/status.json", "/metrics", "/healthz")

CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; img-src data:; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = (
    (b"Cache-Control", b"no-store"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Content-Security-Policy", CONTENT_SECURITY_POLICY),
)

TEXT = b"text/plain; charset=utf-8"


class StatusSite:
    """`own_names` are the names, beside addresses and `localhost`, that it may be asked by."""

    def __init__(
        self,
        take_status: TakeStatus,
        take_metrics: TakeMetrics,
        is_stopping: Callable[[], bool],
        in_thread: InThread,
        own_names: frozenset[str] = frozenset(),
    ) -> None:
        self._take_status = take_status
        self._take_metrics = take_metrics
        self._is_stopping = is_stopping
        self._in_thread = in_thread
        self._own_names = own_names
        # Read now: later the rights to may be given up.
        folder = files("blastbeat.monitoring").joinpath("page")
        self._files = {
            path: _answer(200, folder.joinpath(name).read_bytes(), kind)
            for path, (name, kind) in FILES.items()
        }

    async def answer(self, head: RequestHead) -> Answer:
        """Whatever is asked, there is an answer."""
        if not self._is_named_rightly(head.authority):
            names = "an IP address, localhost or this machine's name"
            return _text(421, f"This is a status page; ask for it by {names}.")
        if head.method not in (b"GET", b"HEAD"):
            return _text(405, "There is only something to GET here.", (b"Allow", b"GET, HEAD"))
        path, _, query = head.path.decode("ascii", "replace").partition("?")
        if path in self._files:
            return self._files[path]
        if path == "/status.json":
            return await self._status(query)
        if path == "/metrics":
            return await self._metrics(head)
        if path == "/healthz":
            return _text(503, "stopping") if self._is_stopping() else _text(200, "ok")
        return _text(404, f"There is nothing at this path; there are {', '.join(PLACES)}.")

    async def _status(self, query: str) -> Answer:
        try:
            asked = Query.parse(dict(parse_qsl(query, keep_blank_values=True, max_num_fields=10)))
        except ControlError as error:
            return _text(400, str(error))
        except ValueError:
            return _text(400, "more than ten parameters")
        status = self._take_status(asked)
        kind = b"application/json"
        return await self._in_thread(lambda: _answer(200, json.dumps(status).encode() + b"\n", kind))

    async def _metrics(self, head: RequestHead) -> Answer:
        accept = next((value for name, value in head.headers if name == b"accept"), b"")
        try:
            render = self._take_metrics(accept.decode("latin-1"))
        except ImportError:
            return _text(501, f"{MISSING_CLIENT}, and restart the server.")

        def answer() -> Answer:
            text, kind = render()
            return _answer(200, text, kind.encode())

        return await self._in_thread(answer)

    def _is_named_rightly(self, authority: bytes) -> bool:
        """Without a `Host` (HTTP/1.0) it is no browser."""
        if not authority:
            return True
        try:
            host = parse_authority(authority)[0].decode("ascii")
        except ClientError:
            return False
        return host == "localhost" or host in self._own_names or _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _text(status: int, text: str, *headers: tuple[bytes, bytes]) -> Answer:
    return _answer(status, text.encode() + b"\n", TEXT, *headers)


def _answer(status: int, body: bytes, kind: bytes, *headers: tuple[bytes, bytes]) -> Answer:
    fields = ((b"Content-Type", kind), *SECURITY_HEADERS, *headers)
    return Answer(status, body, fields, CloseReason.COMPLETE, "status page")
