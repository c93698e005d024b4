"""One server as a node sees it: the connection to it, what it knows, and the sessions it has handed out.

Knows messages and sessions; what is done with a request is the node's business.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Callable, Sequence

import anyio
import zmq

from blastbeat.events import Buffer
from blastbeat.node.dealer import Dealer
from blastbeat.node.request import parse_headers, parse_uwsgi
from blastbeat.node.session import Session

WORDS = ("batch", "binary", "accept", "exchange")
OUTBOX = 8 * 1024 * 1024
"""Bytes that may wait for a server that takes nothing, before handlers wait."""

_CREDIT = re.compile(rb"credit=([0-9]{1,12})")
_HOST = re.compile(r"[^A-Za-z0-9._-]")


def new_instance(name: str) -> bytes:
    """A routing id that no other process has: ``name/<host>-<pid>-<random>``, at most 64 bytes behind the
    slash."""
    host = _HOST.sub("-", socket.gethostname())[:32]
    return f"{name}/{host}-{os.getpid()}-{secrets.token_hex(4)}".encode()


class Link:
    """`begun` is called with each new session, `changed` when `is_up` has changed. `silence`: seconds without
    a word from the server, after which another socket is opened; `own_window`: body bytes per session that
    the server may send ahead."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        name: str,
        begun: Callable[[Session], None],
        changed: Callable[[Link], None],
        *,
        own_window: int,
        silence: float,
    ) -> None:
        self.endpoint = endpoint
        self.name = name
        self.own_window = own_window
        self.window: int | None = None
        """What the server takes of each session before it gives credit back, None for no bound."""
        self.sessions: dict[bytes, Session] = {}
        self.is_draining = False
        self.is_drained = anyio.Event()
        self.is_connected = False
        self.is_up = False
        """The server was heard since this connection to it was made."""
        self._in_force: frozenset[str] = frozenset()
        self._context = context
        self._begun = begun
        self._changed = changed
        self._silence = silence
        self._announced = b" ".join((*map(str.encode, WORDS), b"credit=%d" % own_window))
        self._room: anyio.Event | None = None
        self._connect()

    # ------------------------------------------------------------ the connection

    def _connect(self) -> None:
        self.identity = new_instance(self.name)
        self.heard_at = anyio.current_time()
        self._dealer = Dealer(self._context, self.endpoint, self.identity, self._received, self._gone_out)
        self._dealer.watch_connects(self._announce, self._lost)

    def _announce(self) -> None:
        """After each connect: the server can ping only names it knows."""
        self.is_connected = True
        self.heard_at = anyio.current_time()
        self._dealer.send((b"", b"pong", self._announced))
        if self.is_draining:
            self._dealer.send((b"", b"drain", b""))

    def _lost(self) -> None:
        self.is_connected = False
        if self.is_up:
            self.is_up = False
            self._changed(self)

    def look_after(self, now: float) -> None:
        """Called now and then: a server that says nothing at all has lost us, or our name is taken."""
        if now - self.heard_at > self._silence:
            self._forget_all("the server is silent")
            self._lost()
            self._in_force, self.window = frozenset(), None
            self._dealer.close()
            self._connect()

    def close(self) -> None:
        """The sessions that are left end."""
        self._forget_all("the node stops")
        self._dealer.close()

    def drain(self) -> None:
        """Take no further request; `is_drained` is set when the last session is over."""
        self.is_draining = True
        self._dealer.send((b"", b"drain", b""))

    def knows(self, word: str) -> bool:
        """Whether a capability is in force."""
        return word in self._in_force

    # ------------------------------------------------------------ messages in

    def _received(self, frames: list[zmq.Frame]) -> None:
        self.heard_at = anyio.current_time()
        if len(frames) < 3 or not len(frames) % 2:
            return  # no message of this protocol
        sid = frames[0].bytes
        for position in range(1, len(frames), 2):
            self._handle(sid, frames[position].bytes, frames[position + 1])

    def _handle(self, sid: bytes, type: bytes, frame: zmq.Frame) -> None:
        if type == b"uwsgi" or type == b"headers":
            self._begin(sid, type, frame.bytes)
        elif type == b"body":
            session = self.sessions.get(sid)
            if session is not None:
                session.body_received(frame.buffer)
        elif type == b"end":
            session = self.sessions.pop(sid, None)
            if session is not None:
                session.session_ended(frame.bytes.decode("utf-8", "replace"))
        elif type == b"websocket" or type == b"websocket-binary":
            session = self.sessions.get(sid)
            if session is not None and session.websocket is not None:
                session.websocket.message_received(frame.buffer, type == b"websocket-binary")
        else:
            self._handle_rare(sid, type, frame.bytes)

    def _handle_rare(self, sid: bytes, type: bytes, body: bytes) -> None:
        if not (self.is_up or sid):
            self.is_up = True
            self._changed(self)
        if type == b"ping":
            if body:
                self._in_force = frozenset(body.decode("ascii", "replace").split())
                self._in_force |= {word.partition("=")[0] for word in self._in_force}
            self._dealer.send((b"", b"pong", self._announced))
        elif type == b"credit":
            if not body.isdigit():
                return
            session = self.sessions.get(sid)
            if session is not None:
                session.allowance.add(int(body))
            elif not sid:
                self.window = int(body)
        elif type == b"spawn":
            self._forget_all("the server was started anew")
        elif type == b"drain" and not sid:
            self.is_drained.set()

    def _begin(self, sid: bytes, type: bytes, body: bytes) -> None:
        before = self.sessions.get(sid)
        if before is not None:  # a later request of the same connection, from a server without `exchange`
            before.session_ended("")
        try:
            request = parse_uwsgi(body) if type == b"uwsgi" else parse_headers(body)
        except (IndexError, ValueError):
            self.send(sid, b"abort", b"the request could not be read")
            return
        session = self.sessions[sid] = Session(self, sid, request)
        self._begun(session)

    def response_complete(self, session: Session) -> None:
        """Nothing more is sent for it; the server's `end` follows, or another request."""

    def _forget_all(self, reason: str) -> None:
        sessions, self.sessions = self.sessions, {}
        for session in sessions.values():
            session.session_ended(reason)

    # ------------------------------------------------------------ messages out

    def send(self, sid: bytes, type: bytes, body: Buffer) -> None:
        """One message, at once or as soon as it can go."""
        self._dealer.send((sid, type, body))

    def send_pairs(self, sid: bytes, pairs: Sequence[tuple[bytes, Buffer]]) -> None:
        """Several of one session, as one message where the server takes such."""
        if "batch" in self._in_force:
            frames: list[Buffer] = [sid]
            for pair in pairs:
                frames += pair
            self._dealer.send(frames)
        else:
            for type, body in pairs:
                self._dealer.send((sid, type, body))

    async def until_room(self) -> None:
        """Waits while more than OUTBOX bytes wait for the server."""
        while self._dealer.queued > OUTBOX:
            if self._room is None:
                self._room = anyio.Event()
            await self._room.wait()

    def _gone_out(self) -> None:
        room = self._room
        if room is not None and self._dealer.queued <= OUTBOX:
            self._room = None
            room.set()
