"""A node that behaves: answers every request by a handler, in a thread of its own; for tests about clients.

Knows ZeroMQ and `protocol.md`, nothing of the server's code.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import zmq

from tests.helpers.node import Message, ScriptedNode, head
from tests.helpers.uwsgi import read_variables


@dataclass
class AppRequest:
    """A whole request, body included."""

    sid: bytes
    variables: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    is_whole: bool = False

    @property
    def is_chunked(self) -> bool:
        return "HTTP_TRANSFER_ENCODING" in self.variables

    @property
    def length(self) -> int:
        return int(self.variables.get("CONTENT_LENGTH") or 0)


Handler = Callable[[AppRequest], bytes]


def echo(request: AppRequest) -> bytes:
    """The default handler: method, target and body."""
    return (
        f"{request.variables['REQUEST_METHOD']} {request.variables['REQUEST_URI']} ".encode() + request.body
    )


class AppNode:
    """Answers with `Content-Length`. `ended` counts the `end` messages by sid; `served` the requests."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, name: str, handler: Handler
    ) -> None:
        self.name = name
        self.ended: dict[bytes, int] = {}
        self.served: list[AppRequest] = []
        self.heads: list[AppRequest] = []  # also of those whose body never came whole
        self._handler = handler
        self._open: dict[bytes, AppRequest] = {}
        self._stopping = threading.Event()
        self._node = ScriptedNode(context, endpoint, name)
        self._failure: BaseException | None = None
        self._node.pong()
        self._node.wait_spawn()
        self._start()

    def _start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._main, name=f"node {self.name}", daemon=True)
        self._thread.start()

    def restart(self) -> None:
        """After `close`: a new process of the same name, which remembers nothing."""
        self._open.clear()
        self._node.reconnect()
        self._start()

    def close(self) -> None:
        """Stops and joins; raises what the handler raised."""
        self._stopping.set()
        self._thread.join(5)
        self._node.close()
        if self._failure is not None:
            raise self._failure

    def _main(self) -> None:
        try:
            while not self._stopping.is_set():
                message = self._node.maybe_receive(0.02)
                if message is not None:
                    self._handle(message)
        except BaseException as error:
            self._failure = error

    def _handle(self, message: Message) -> None:
        if message.type == b"end":
            self.ended[message.sid] = self.ended.get(message.sid, 0) + 1
            self._open.pop(message.sid, None)
            return
        if message.type in (b"uwsgi", b"headers"):
            read = read_variables if message.type == b"uwsgi" else _variables_of_head
            request = AppRequest(message.sid, read(message.body))
            self.heads.append(request)
            if request.is_chunked or request.length:
                self._open[message.sid] = request
            else:
                self._answer(request)
            return
        assert message.type == b"body", message
        pending = self._open.get(message.sid)
        if pending is None:
            return
        pending.body += message.body
        if (pending.is_chunked and not message.body) or (
            not pending.is_chunked and len(pending.body) >= pending.length
        ):
            del self._open[message.sid]
            self._answer(pending)

    def _answer(self, request: AppRequest) -> None:
        request.is_whole = True
        self.served.append(request)
        body = self._handler(request)
        self._node.send(request.sid, "headers", head("200 OK", [("Content-Length", str(len(body)))]))
        if body and request.variables["REQUEST_METHOD"] != "HEAD":
            self._node.send(request.sid, "body", body)


def _variables_of_head(body: bytes) -> dict[str, str]:
    """What a `headers` message says, named as the other encoding names it."""
    first, *lines = body.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    variables = {"REQUEST_METHOD": method, "REQUEST_URI": target}
    for line in lines:
        name, value = line.split(": ", 1)
        variable = name.upper().replace("-", "_")
        plain = variable in ("CONTENT_LENGTH", "CONTENT_TYPE")
        variable = variable if plain else "HTTP_" + variable
        variables[variable] = f"{variables[variable]}, {value}" if variable in variables else value
    return variables
