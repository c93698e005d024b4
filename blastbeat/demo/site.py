"""What the demo node answers: messages from the server in, messages to the server out.

Knows neither sockets nor the clock, so it reads (and is tested) as a conversation: a message from the server
is `(sid, type, body)`, and so is each answer. A page is a table entry in `ROUTES`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from blastbeat.demo import pages

BEATS = 12
"""Lines in one stream."""

BEAT_SECONDS = 0.3

MAX_STREAMS = 256
"""Streams at one time; beyond them a request for one is answered with 503."""

Message = tuple[bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """A request head as the node received it. `variables` keep the order they were sent in."""

    sid: bytes
    variables: dict[str, str]
    packet_size: int

    @property
    def method(self) -> str:
        return self.variables.get("REQUEST_METHOD", "")

    @property
    def path(self) -> str:
        return self.variables.get("PATH_INFO", "")


@dataclass(slots=True)
class Stream:
    """A stream under way: the number of its next line, and when that is due (seconds)."""

    beat: int
    due: float


def read_variables(packet: bytes) -> dict[str, str]:
    """The CGI variables of a `uwsgi` message: four bytes of head, then `keylen key valuelen value …`."""
    variables: dict[str, str] = {}
    position = 4
    while position + 2 <= len(packet):
        pair = []
        for _ in range(2):
            (size,) = struct.unpack_from("<H", packet, position)
            pair.append(packet[position + 2 : position + 2 + size].decode("utf-8", "backslashreplace"))
            position += 2 + size
        variables[pair[0]] = pair[1]
    return variables


class Site:
    """The demo's pages and the streams it has under way, one per session at most."""

    def __init__(self, node: str, process: int) -> None:
        self.node = node
        self.process = process
        self._streams: dict[bytes, Stream] = {}

    def receive(self, sid: bytes, type: bytes, body: bytes, now: float) -> list[Message]:
        """The answers to one message. Types the demo has no use for are passed over."""
        if type == b"ping":
            return [(sid, b"pong", b"")]
        if type == b"uwsgi":
            self._streams.pop(sid, None)
            return self._answer(Request(sid, read_variables(body), len(body)), now)
        if type == b"end":
            self._streams.pop(sid, None)
        return []

    def next_due(self) -> float | None:
        """When `due` has something to send next; None while nothing is streaming."""
        return min((stream.due for stream in self._streams.values()), default=None)

    def due(self, now: float) -> list[Message]:
        """The lines whose time has come; after the last line the empty chunk that ends the response."""
        messages: list[Message] = []
        for sid, stream in list(self._streams.items()):
            if stream.due > now:
                continue
            line = f"beat {stream.beat} of {BEATS} from process {self.process}\n"
            messages.append((sid, b"chunk", line.encode()))
            stream.beat += 1
            stream.due = now + BEAT_SECONDS
            if stream.beat > BEATS:
                del self._streams[sid]
                messages.append((sid, b"chunk", b""))
        return messages

    def _answer(self, request: Request, now: float) -> list[Message]:
        route = ROUTES.get(request.path)
        if route is None:
            return _page(request, "404 Not Found", pages.not_found(request.path))
        if request.method not in ("GET", "HEAD"):
            page = pages.message("405", f"This page is read with GET, not with {request.method}.")
            return _page(request, "405 Method Not Allowed", page, {"Allow": "GET, HEAD"})
        return route(self, request, now)

    def _welcome(self, request: Request, now: float) -> list[Message]:
        page = pages.welcome(
            request.variables,
            sid=request.sid,
            packet_size=request.packet_size,
            node=self.node,
            process=self.process,
            beats=BEATS,
        )
        return _page(request, "200 OK", page)

    def _stream(self, request: Request, now: float) -> list[Message]:
        if len(self._streams) >= MAX_STREAMS:
            page = pages.message("503", "Too many streams at one time. Try again in a few seconds.")
            return _page(request, "503 Service Unavailable", page, {"Retry-After": "5"})
        # No Content-Length: the length is not known yet, so every line travels as a chunk of its own.
        fields = {"Content-Type": "text/plain; charset=utf-8", "Transfer-Encoding": "chunked"}
        if request.method == "GET":
            self._streams[request.sid] = Stream(beat=1, due=now)
        return [(request.sid, b"headers", _head("200 OK", fields))]


Route = Callable[[Site, Request, float], list[Message]]

ROUTES: dict[str, Route] = {
    "/": Site._welcome,
    "/stream": Site._stream,
}


def _page(
    request: Request, status: str, page: pages.Page, extra: dict[str, str] | None = None
) -> list[Message]:
    fields = {
        "Content-Type": "text/html; charset=utf-8",
        # With its length declared the response is complete without closing: the connection stays usable.
        "Content-Length": str(len(page.html)),
        "Content-Security-Policy": page.policy,
        **(extra or {}),
    }
    head = (request.sid, b"headers", _head(status, fields))
    return [head] if request.method == "HEAD" else [head, (request.sid, b"body", page.html)]


def _head(status: str, fields: dict[str, str]) -> bytes:
    fields = {**fields, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("ascii")
