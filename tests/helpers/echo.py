"""A node that sends back every WebSocket message it gets, in a thread of its own.

Knows ZeroMQ and `protocol.md`, nothing of the server's code.
"""

from __future__ import annotations

import threading

import zmq

from tests.helpers.node import Message, ScriptedNode, head
from tests.helpers.uwsgi import read_variables


class EchoNode:
    """`words` are the capabilities it announces; those need an instance's name, such as ``app/echo``.

    Without words it is a node of version 1. With `accept` it accepts every handshake itself, with the first
    protocol that the client offers. `ended` has the body of each `end` by sid; `opened` the sids in order.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, name: str = "app", words: str = ""
    ) -> None:
        assert not words or "/" in name, "words count from an instance only"
        self.name = name
        self.opened: list[bytes] = []
        self.ended: dict[bytes, bytes] = {}
        self.messages = 0
        self._words = words.split()
        self._has_credit = "credit=" in words
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._node = ScriptedNode(context, endpoint, name)
        self._node.pong(words)
        self._node.wait_spawn()
        if words:
            self._node.expect("ping")  # they are in force
        if self._has_credit:
            self._node.expect("credit")
        self._thread = threading.Thread(target=self._main, name=f"node {name}", daemon=True)
        self._thread.start()

    def wait_ended(self, sid: bytes, patience: float = 5.0) -> bytes:
        """The body of the `end` of this session, once it has come."""
        with self._changed:
            self._changed.wait_for(lambda: sid in self.ended or self._failure is not None, patience)
            assert sid in self.ended, f"no end for {sid.hex()}; failure: {self._failure!r}"
            return self.ended[sid]

    def close(self) -> None:
        """Stops and joins; raises what went wrong."""
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
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _handle(self, message: Message) -> None:
        sid, type, body = message
        if type in (b"websocket", b"websocket-binary"):
            self.messages += 1
            self._node.send(sid, type, body)
            if self._has_credit:
                self._node.send(sid, "credit", b"%d" % len(body))
            return
        with self._changed:
            if type == b"uwsgi":
                self.opened.append(sid)
            elif type == b"end":
                assert sid not in self.ended, f"a second end for {sid.hex()}"
                self.ended[sid] = body
            self._changed.notify_all()
        if type == b"uwsgi" and "accept" in self._words:
            offered = read_variables(body).get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")
            first = offered.partition(",")[0].strip()
            fields = [("Sec-WebSocket-Protocol", first)] if first else []
            self._node.send(sid, "headers", head("101 Switching Protocols", fields))
