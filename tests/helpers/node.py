"""A scripted node: a real DEALER that does exactly what the test tells it, right or wrong.

Knows ZeroMQ and `protocol.md`, nothing of the server's code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import zmq

from tests.helpers.server import PATIENCE
from tests.helpers.uwsgi import read_variables


class Message(NamedTuple):
    """One message as a node sees it."""

    sid: bytes
    type: bytes
    body: bytes


@dataclass(frozen=True)
class NodeRequest:
    """A request head as it reached the node, as CGI variables (latin-1 text)."""

    sid: bytes
    variables: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.variables[name]

    def __contains__(self, name: str) -> bool:
        return name in self.variables


class ScriptedNode:
    """A DEALER named `name`. Pings are answered and `spawn` is noted inside `receive()`, unless
    `answer_pings` is False: then `receive()` returns both."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        name: str = "app",
        *,
        answer_pings: bool = True,
        receive_queue: int | None = None,
    ) -> None:
        self.name = name
        self.answer_pings = answer_pings
        self.pong_body = b""
        self.spawned = 0
        self.pinged = 0
        self.batches = 0
        self._context = context
        self._endpoint = endpoint
        self._receive_queue = receive_queue
        self._inbox: deque[Message] = deque()  # came while waiting for something else
        self._socket = self._connect()

    # ------------------------------------------------------------ sending

    def send(self, sid: bytes, type: bytes | str, body: bytes = b"") -> None:
        self.send_frames(sid, type.encode() if isinstance(type, str) else type, body)

    def send_frames(self, *frames: bytes) -> None:
        """Frames as they are, however wrong."""
        self._poll(zmq.POLLOUT)
        self._socket.send_multipart(list(frames))

    def pong(self, words: str = "") -> None:
        """Announces itself, and its capabilities; the answers to later pings say the same."""
        self.pong_body = words.encode()
        self.send(b"", b"pong", self.pong_body)

    def respond(
        self,
        sid: bytes,
        body: bytes = b"",
        status: str = "200 OK",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """A whole response with a length, as `headers` and `body`."""
        self.send(sid, "headers", head(status, [("Content-Length", str(len(body))), *headers]))
        if body:
            self.send(sid, "body", body)

    # ------------------------------------------------------------ receiving

    def receive(self, patience: float = PATIENCE) -> Message:
        """The next message that is not housekeeping; fails after `patience` seconds."""
        message = self.maybe_receive(patience)
        assert message is not None, f"node {self.name}: no message within {patience} s"
        return message

    def maybe_receive(self, patience: float) -> Message | None:
        """The next message that is not housekeeping, None when none came within `patience` seconds of
        silence."""
        if self._inbox:
            return self._inbox.popleft()
        while self._socket.poll(int(patience * 1000), zmq.POLLIN):
            for message in self._receive_pairs():
                if not (self.answer_pings and self._is_housekeeping(message)):
                    self._inbox.append(message)
            if self._inbox:
                return self._inbox.popleft()
        return None

    def expect(self, type: str, sid: bytes | None = None) -> Message:
        """The next message, which must be of `type` (and for `sid`)."""
        message = self.receive()
        assert message.type == type.encode(), f"expected {type}, got {message}"
        assert sid is None or message.sid == sid, f"expected it for {sid.hex()}, got {message}"
        return message

    def expect_request(self, sid: bytes | None = None) -> NodeRequest:
        """The next message, which must be a request head in the uwsgi format."""
        message = self.expect("uwsgi", sid)
        assert len(message.sid) == 16, message
        return NodeRequest(message.sid, read_variables(message.body))

    def expect_end(self, sid: bytes) -> Message:
        """The next message, which must be the `end` of `sid`."""
        return self.expect("end", sid)

    def expect_body(self, sid: bytes, length: int) -> bytes:
        """`length` bytes of request body, in however many `body` messages, none of them empty."""
        received = bytearray()
        while len(received) < length:
            piece = self.expect("body", sid).body
            assert piece, "an empty body inside a body of known length"
            received += piece
        assert len(received) == length, f"{len(received)} bytes of body, not {length}"
        return bytes(received)

    def expect_chunked_body(self, sid: bytes) -> bytes:
        """The request body up to the empty `body` that closes it."""
        received = bytearray()
        while piece := self.expect("body", sid).body:
            received += piece
        return bytes(received)

    def wait_spawn(self) -> None:
        """Returns once the server has said `spawn`: it knows this node and thinks it available."""
        while not self.spawned:
            self._next_housekeeping()

    def wait_ping(self) -> None:
        """Returns at the next ping."""
        pinged = self.pinged
        while self.pinged == pinged:
            self._next_housekeeping()

    # ------------------------------------------------------------ life

    def set_option(self, option: int, value: Any) -> None:
        self._socket.setsockopt(option, value)

    def close(self, *, flush: bool = True) -> None:
        """Closes the socket; `flush`: what was sent is delivered first."""
        self._socket.close(linger=1000 if flush else 0)

    def reconnect(self) -> None:
        """A new socket with the same name. ZeroMQ ignores it for ever when the server's side still knows the
        old one, so it is opened anew until the server answers (`protocol.md` §1)."""
        self.close()
        for _ in range(20):
            self._socket = self._connect()
            self.send(b"", b"pong", self.pong_body)
            if self._socket.poll(300, zmq.POLLIN):
                return
            self.close(flush=False)
        raise AssertionError("the server never took the new socket")

    def _connect(self) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, self.name.encode())
        if self._receive_queue is not None:
            socket.setsockopt(zmq.RCVHWM, self._receive_queue)
        socket.connect(self._endpoint)
        return socket

    def _poll(self, event: int) -> None:
        assert self._socket.poll(int(PATIENCE * 1000), event), f"node {self.name}: ZeroMQ takes nothing"

    def _next_housekeeping(self) -> None:
        assert self._socket.poll(int(PATIENCE * 1000)), f"node {self.name}: the server says nothing"
        self._inbox.extend(each for each in self._receive_pairs() if not self._is_housekeeping(each))

    def _receive_pairs(self) -> list[Message]:
        """One ZeroMQ message: one pair, or a batch where this node has announced it."""
        sid, *rest = self._socket.recv_multipart()
        assert rest and len(rest) % 2 == 0, f"the server sent {1 + len(rest)} frames"
        if len(rest) > 2:
            assert b"batch" in self.pong_body.split(), "the server batches towards a node that can't read it"
            assert len(rest) <= 2 * 64
            self.batches += 1
        return [Message(sid, *pair) for pair in zip(rest[::2], rest[1::2], strict=True)]

    def _is_housekeeping(self, message: Message) -> bool:
        if message.sid:
            return False
        if message.type == b"ping" and not message.body:
            self.pinged += 1
            self.send(b"", b"pong", self.pong_body)
            return True
        if message.type == b"spawn":
            self.spawned += 1
            return True
        return False


def head(status: str = "200 OK", headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """The body of a `headers` message."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


__all__ = ["Message", "NodeRequest", "ScriptedNode", "head"]
