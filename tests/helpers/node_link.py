"""A `Link` that sends nowhere: what a session of the node library wanted sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from blastbeat.events import Buffer
from blastbeat.node.link import Link
from blastbeat.node.request import Request, parse_headers
from blastbeat.node.session import Session

SID = b"0123456789abcdef"


class FakeLink:
    """See `blastbeat.node.link.Link`. `words` are in force."""

    def __init__(self, *words: str, window: int | None = None, own_window: int = 0) -> None:
        self.words = words
        self.window = window
        self.own_window = own_window
        self.sent: list[tuple[bytes, bytes]] = []
        self.messages = self.completed = 0
        self.is_full = self.is_draining = False
        self.sessions: dict[bytes, Session] = {}

    def knows(self, word: str) -> bool:
        return word in self.words

    def send(self, sid: bytes, type: bytes, body: Buffer) -> None:
        self._send(sid, ((type, body),))

    def send_response(self, sid: bytes, head: bytes, body: Buffer) -> None:
        self.completed += 1
        self._send(sid, ((b"headers", head), (b"body", body)) if body else ((b"headers", head),))

    def _send(self, sid: bytes, pairs: Sequence[tuple[bytes, Buffer]]) -> None:
        assert sid == SID
        self.messages += 1
        self.sent += [(type, bytes(body)) for type, body in pairs]

    async def until_room(self) -> None: ...

    def take_sent(self) -> list[tuple[bytes, bytes]]:
        taken, self.sent = self.sent, []
        return taken


def request(method: str = "GET", target: str = "/", *fields: str) -> Request:
    lines = [f"{method} {target} HTTP/1.1", "Host: app.test", *fields, "", ""]
    return parse_headers("\r\n".join(lines).encode())


def session_of(link: FakeLink, head: Request | None = None) -> Session:
    return Session(cast(Link, link), SID, head or request())


def handshake(*fields: str) -> Request:
    return request("GET", "/", "Upgrade: websocket", "Connection: Upgrade", *fields)


def names(sent: list[tuple[bytes, bytes]]) -> list[Any]:
    return [type.decode() for type, _ in sent]
