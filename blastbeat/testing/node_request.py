"""One request as a scripted node has it: what it reads, and what it can answer with.

Knows message types (`protocol.md` §3 and §4), no socket: what it sends goes to a function it was given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from blastbeat.node.head import as_bytes, format_head
from blastbeat.node.request import Request, parse_headers, parse_uwsgi

Head = Request
"""A request head, taken apart."""

ReadHead = Callable[[bytes], Head]
"""Reads a request head of one message type. May raise anything for what it can't read."""

HEAD_READERS: Mapping[str, ReadHead] = {"uwsgi": parse_uwsgi, "headers": parse_headers}


class _Hold:
    def __repr__(self) -> str:
        return "HOLD"


HOLD: Final = _Hold()
"""An answer that is none yet: the test answers later, by the methods of the request."""

HeaderPairs = Sequence[tuple[str, str]]
Answer = bytes | str | int | tuple[int, bytes | str] | tuple[int, bytes | str, HeaderPairs] | _Hold
"""The body of a 200; a status alone; status and body; status, body and headers; or HOLD."""


class NodeRequest:
    """A request that has reached a node, with its body as far as that is here. Its methods may be called from
    any thread; those that wait fail after some seconds."""

    def __init__(
        self,
        sid: bytes,
        type: str,
        raw_head: bytes,
        head: Head | None,
        send: Callable[[bytes, str, bytes], None],
        changed: threading.Condition,
        patience: float,
    ) -> None:
        self.sid = sid
        self.type = type
        """Of the message that its head came in: ``"uwsgi"``, ``"headers"`` or another encoder's."""
        self.raw_head = raw_head
        """The body of that message."""
        self.body = bytearray()
        self.messages: list[bytes] = []
        """Of a WebSocket, those that came so far."""
        self.end: bytes | None = None
        """The body of the `end` that the server has sent; None before that."""
        self.is_whole = False
        """Whether all of its body is here."""
        self._head = head
        self._send = send
        self._changed = changed
        self._patience = patience
        self._taken = 0

    def __repr__(self) -> str:
        what = f"{self.head.method} {self.target}" if self._head else f"a head of type {self.type!r}"
        return f"<{what}, {len(self.body)} bytes of body>"

    # ------------------------------------------------------------ reading

    @property
    def head(self) -> Head:
        """The head, taken apart; AssertionError where nothing here reads its type."""
        assert self._head is not None, f"no reader for heads of type {self.type!r}; give the node read_head"
        return self._head

    @property
    def method(self) -> str:
        return self.head.method

    @property
    def target(self) -> str:
        """Path and query as they were sent."""
        query = self.head.query
        return (self.head.raw_path + (b"?" + query if query else b"")).decode("latin-1")

    @property
    def path(self) -> str:
        """The path, percent-decoded."""
        return self.head.path

    @property
    def variables(self) -> dict[str, str]:
        """The CGI variables, where the head came as such."""
        return {key.decode("latin-1"): value.decode("latin-1") for key, value in self.head.variables.items()}

    @property
    def headers(self) -> dict[str, str]:
        """Header fields by their name in lower case; of repeated ones the last."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.head.headers}

    @property
    def is_websocket(self) -> bool:
        return self._head is not None and self._head.is_websocket

    # ------------------------------------------------------------ answering

    def answer(self, answer: Answer) -> None:
        """A whole response with its length; nothing for HOLD."""
        if isinstance(answer, _Hold):
            return
        status, body, headers = _parts(answer)
        self.send_head(status, [("Content-Length", str(len(body))), *headers])
        if body and not (self._head and self._head.method == "HEAD"):
            self.send_body(body)

    def send_head(self, status: int = 200, headers: HeaderPairs = ()) -> None:
        """A response head; pieces by `send_body` or `send_chunk` follow."""
        self._send(self.sid, "headers", format_head(status, as_bytes(headers)))

    def send_body(self, data: bytes | str) -> None:
        self._send(self.sid, "body", _bytes(data))

    def send_chunk(self, data: bytes | str) -> None:
        """A piece of a response of unknown length; an empty one is the last."""
        self._send(self.sid, "chunk", _bytes(data))

    def send_message(self, message: bytes | str) -> None:
        """A WebSocket message: text as text, bytes as the type `websocket-binary`."""
        self._send(self.sid, "websocket" if isinstance(message, str) else "websocket-binary", _bytes(message))

    def send_end(self, detail: str = "") -> None:
        self._send(self.sid, "end", detail.encode())

    def abort(self, reason: str = "") -> None:
        self._send(self.sid, "abort", reason.encode())

    def retry(self) -> None:
        """Somebody else should answer."""
        self._send(self.sid, "retry", b"")

    def send(self, type: str, body: bytes = b"") -> None:
        """Any message, however wrong."""
        self._send(self.sid, type, body)

    # ------------------------------------------------------------ waiting

    def wait_end(self) -> bytes:
        """The body of the session's `end`, once the server has sent it."""
        with self._changed:
            came = self._changed.wait_for(lambda: self.end is not None, self._patience)
            assert came, f"{self}: its session did not end"
            return self.end or b""

    def wait_message(self) -> bytes:
        """The next WebSocket message that was not returned yet."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.messages) > self._taken, self._patience)
            assert came, f"{self}: no further message; there were {self.messages}"
            self._taken += 1
            return self.messages[self._taken - 1]

    def wait_body(self, size: int = 0) -> bytes:
        """The body once it is whole; with `size`, once so many bytes are here."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.is_whole or (size > 0 and len(self.body) >= size), self._patience
            )
            enough = self.is_whole or (size > 0 and len(self.body) >= size)
            assert enough, f"{self}: no more of its body came"
            return bytes(self.body)


def expects_more(head: Head | None, received: int, is_last: bool) -> bool:
    """Whether more of the body is to come, `received` bytes of which are here; `is_last`: it was closed."""
    if head is None or head.is_websocket:
        return False
    return not is_last if head.content_length is None else received < head.content_length


def _parts(answer: bytes | str | int | tuple[object, ...]) -> tuple[int, bytes, HeaderPairs]:
    if isinstance(answer, bytes | str):
        return 200, _bytes(answer), ()
    if isinstance(answer, int):
        return answer, b"", ()
    if isinstance(answer, tuple) and 2 <= len(answer) <= 3:
        status, body, *headers = answer
        if isinstance(status, int) and isinstance(body, bytes | str):
            return status, _bytes(body), headers[0] if headers else ()  # type: ignore[return-value]
    raise TypeError(
        f"{answer!r} is no answer: a body, a status, (status, body) or (status, body, headers) is"
    )


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
