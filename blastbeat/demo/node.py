"""The demo's node: one process, one DEALER, one loop, many sessions.

    python -m blastbeat.demo.node ENDPOINT NAME [PARENT]

Imports nothing of the server: everything it knows of it came over the socket. With PARENT (a process id) the
node ends by itself when that process is no longer its parent.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time

import zmq

from blastbeat.demo.site import Message, Site

PING_FREQ = 1.0
"""Seconds after which the demo's server pings a node it has not heard from."""

SILENCE = 3 * PING_FREQ
"""Without a word for so long although a ping was due, the connection is taken for dead."""

LOOK_UP = 0.5
"""Seconds the loop waits at most before it looks after its parent."""

SEND_TIMEOUT_MS = 3000


class Node:
    """The node's socket and what is served on it."""

    def __init__(self, endpoint: str, site: Site) -> None:
        self.site = site
        self._endpoint = endpoint
        self._context = zmq.Context()
        self._connect()

    def _connect(self) -> None:
        self._socket = self._context.socket(zmq.DEALER)
        # The name the virtualhost expects, and a word of this process: the sessions of one that ended are not
        # ours, and its WebSockets are told so at once. It must be set before the socket connects.
        self._socket.setsockopt(zmq.IDENTITY, f"{self.site.node}/{self.site.process}".encode("ascii"))
        self._socket.setsockopt(zmq.LINGER, 0)
        # A server that stopped reading must not hold this process for ever: send_multipart raises Again.
        self._socket.setsockopt(zmq.SNDTIMEO, SEND_TIMEOUT_MS)
        self._socket.connect(self._endpoint)
        # The server can ping nobody whose name it does not know.
        self._send((b"", b"pong", b""))

    def _send(self, message: Message) -> None:
        self._socket.send_multipart(message)
        # What we send is a sign of life to the server, which pings only a node it has not heard from.
        self._last_word = time.monotonic()

    def turn(self) -> None:
        """Wait for a message or the next line of a stream, whichever is first, and handle it."""
        now = time.monotonic()
        due = self.site.next_due()
        wait = LOOK_UP if due is None else min(LOOK_UP, max(0.0, due - now))
        if self._socket.poll(math.ceil(wait * 1000)):
            sid, type, body = self._socket.recv_multipart()
            self._last_word = now = time.monotonic()
            for answer in self.site.receive(sid, type, body, now):
                self._send(answer)
        for line in self.site.due(time.monotonic()):
            self._send(line)
        if time.monotonic() - self._last_word > SILENCE:
            # ZeroMQ reconnects by itself, but a socket whose name was taken when it came stays deaf for ever.
            self._socket.close()
            self._connect()

    def close(self) -> None:
        self._socket.close()
        self._context.term()


def serve(endpoint: str, name: str, parent: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT (both raise SystemExit), or until `parent` has gone."""
    node = Node(endpoint, Site(name, os.getpid()))
    try:
        while parent is None or os.getppid() == parent:
            node.turn()
    finally:
        node.close()


def main(arguments: list[str]) -> int:
    if len(arguments) not in (2, 3):
        sys.stderr.write("usage: python -m blastbeat.demo.node ENDPOINT NAME [PARENT]\n")
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    endpoint, name, *parent = arguments
    try:
        serve(endpoint, name, int(parent[0]) if parent else None)
    except zmq.Again:
        sys.stderr.write(f"the server at {endpoint} takes no more messages, giving up\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
