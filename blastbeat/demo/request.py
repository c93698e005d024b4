"""A request as the demo's node received it, and the messages that answer one.

Knows the frames of the protocol; neither sockets nor what the demo shows.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from blastbeat.demo.pages import Page

Message = tuple[bytes, bytes, bytes]
"""`(sid, type, body)`, in either direction."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request head. `variables` keep the order they were sent in."""

    sid: bytes
    variables: dict[str, str]
    packet_size: int

    @property
    def method(self) -> str:
        return self.variables.get("REQUEST_METHOD", "")

    @property
    def path(self) -> str:
        return self.variables.get("PATH_INFO", "")

    @property
    def is_handshake(self) -> bool:
        """The server opens a WebSocket for it: messages follow, and no response."""
        return self.variables.get("HTTP_UPGRADE", "").lower() == "websocket"

    @property
    def length(self) -> int | None:
        """Bytes of body to come; None where they end with an empty `body` message."""
        if "HTTP_TRANSFER_ENCODING" in self.variables:
            return None
        text = self.variables.get("CONTENT_LENGTH", "")
        return int(text) if text.isascii() and text.isdigit() else 0

    def parameter(self, name: str) -> str:
        """One parameter of the query, empty where there is none."""
        return parse_qs(self.variables.get("QUERY_STRING", "")).get(name, [""])[-1]

    def number(self, name: str) -> int:
        """The same as a number; 0 for what is none."""
        text = self.parameter(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


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


def answer_page(
    request: Request, status: str, page: Page, extra: Mapping[str, str] | None = None
) -> list[Message]:
    """A whole page of HTML."""
    fields = {"Content-Security-Policy": page.policy, **(extra or {})}
    return _answer(request.sid, status, "text/html; charset=utf-8", page.html, fields, request.method)


def answer_json(sid: bytes, value: object, status: str = "200 OK") -> list[Message]:
    """A whole answer that is data."""
    return _answer(sid, status, "application/json", json.dumps(value).encode(), {}, "")


def answer_nothing(sid: bytes) -> list[Message]:
    """There is nothing to tell, and that is all right."""
    return [(sid, b"headers", format_head("204 No Content", {}))]


def format_head(status: str, fields: Mapping[str, str]) -> bytes:
    """The body of a `headers` message. Nothing of the demo may be kept by a cache."""
    fields = {**fields, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("ascii")


def _answer(
    sid: bytes, status: str, kind: str, body: bytes, extra: Mapping[str, str], method: str
) -> list[Message]:
    # With its length declared the response is complete without closing: the connection stays usable.
    fields = {"Content-Type": kind, "Content-Length": str(len(body)), **extra}
    head = (sid, b"headers", format_head(status, fields))
    return [head] if method == "HEAD" else [head, (sid, b"body", body)]
