"""One server as a node sees it: the connection to it, what it knows, and the sessions it has handed out.

Knows messages and sessions; what is done with a request is the node's business.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
import secrets
import socket
import types
from collections.abc import Callable, Generator, Sequence

import anyio
import zmq

from blastbeat.events import Buffer
from blastbeat.messages import MAX_SID_FRAME
from blastbeat.node.dealer import Dealer
from blastbeat.node.request import parse_headers, parse_uwsgi
from blastbeat.node.session import Session

log = logging.getLogger(__name__)

WORDS = ("batch", "binary", "accept", "exchange")
OUTBOX = 8 * 1024 * 1024
"""Bytes that may wait for a server that takes nothing, before handlers wait."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between two attempts to connect: each up to twice the one before, until the server was heard."""
PERIODS = 3
"""Ping periods without a word, after which a server has lost us (`protocol.md` §1)."""

_HOST = re.compile(r"[^A-Za-z0-9._-]")


def new_instance(name: str) -> bytes:
    """A routing id that no other process has: ``name/<host>-<pid>-<random>``, at most 64 bytes behind the
    slash."""
    host = _HOST.sub("-", socket.gethostname())[:32]
    return f"{name}/{host}-{os.getpid()}-{secrets.token_hex(4)}".encode()


@types.coroutine
def _turn() -> Generator[None, None, None]:
    """Others have their turn on the loop: `anyio.lowlevel.checkpoint` does more, which costs more."""
    yield


class Link:
    """`begun` is called with each new session, `changed` when `is_up` or `is_drained` has changed, `unknown`
    with sid, type and body of a message that means nothing to this library. `silence`: seconds without a word
    from the server, after which another socket is opened; more where its pings come less often. `own_window`:
    body bytes per session that the server may send ahead."""

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
        unknown: Callable[[bytes, bytes, bytes], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.name = name
        self.own_window = own_window
        self.window: int | None = None
        """What the server takes of each session before it gives credit back, None for no bound."""
        self.sessions: dict[bytes, Session] = {}
        self.is_draining = False
        self.is_drained = False
        """The server has said that nothing more follows, or is not there to say it."""
        self.is_connected = False
        self.is_up = False
        """The server was heard since this connection to it was made."""
        self.junk = 0
        """Messages passed over because they could not be read."""
        self._in_force: frozenset[str] = frozenset()
        self._context = context
        self._begun = begun
        self._changed = changed
        self._unknown = unknown
        self._silence = silence
        self._ping_period = 0.0  # seconds; the longest between what we said and the ping that followed
        self._announced = b" ".join((*map(str.encode, WORDS), b"credit=%d" % own_window))
        self._room: anyio.Event | None = None
        self._pause = FIRST_PAUSE
        self._retry: asyncio.TimerHandle | None = None
        self._open()

    # ------------------------------------------------------------ the connection

    def _open(self) -> None:
        """With a name of its own: the server may still think of another as somebody connected."""
        self._retry = None
        self.identity = new_instance(self.name)
        self._in_force, self.window, self.is_connected = frozenset(), None, False
        self._heard_at = self._said_at = anyio.current_time()
        self._was_heard = self._has_sent = False
        self._dealer = Dealer(self._context, self.endpoint, self.identity, self)

    def connected(self) -> None:
        """The server can ping only names it knows, so each connection begins with an announcement."""
        self.is_connected = True
        self._heard_at = anyio.current_time()
        self._say(b"pong", self._announced)
        if self.is_draining:
            self._say(b"drain", b"")

    def disconnected(self) -> None:
        """Tried again for ever, with growing pauses and a random part in each. Nothing of before goes on:
        what was on its way either way may be lost, an `end` among it, and nobody would notice the gap."""
        self._shut("the connection to the server was lost")
        self._open_later()

    def _open_later(self) -> None:
        pause = self._pause * random.uniform(0.5, 1.0)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._retry = asyncio.get_running_loop().call_later(pause, self._open_anew)

    def _open_anew(self) -> None:
        try:
            self._open()
        except zmq.ZMQError as error:  # there are too many open files, for example, which passes
            log.error("%s: cannot connect: %s; tried again", self.endpoint, error)
            self._open_later()

    def _shut(self, reason: str) -> None:
        self._dealer.close()
        self.is_connected = False
        self._forget_all(reason)
        self._lost()
        self._wake_waiting()

    def _lost(self) -> None:
        if self.is_up:
            self.is_up = False
            self._changed(self)
        if self.is_draining:
            self._drained()  # nobody is there to answer

    def look_after(self, now: float) -> None:
        """To be called now and then. A server that says nothing has lost us, or our name is taken; a
        connection that takes so long to be made is tried from the beginning."""
        if self._was_heard:
            self._was_heard, self._heard_at = False, now
        elif self._retry is None and now - self._heard_at > self._patience:
            if self.is_up and not self._ping_period:
                self._silence *= 2  # it was there when it was asked last: its pings may come less often
            self._shut("the server is silent")
            self._open_anew()

    @property
    def _patience(self) -> float:
        """Seconds without a word that are still no reason to connect anew. How often the server pings is
        known as soon as a ping has come while nothing else was said; before that it is guessed."""
        if self._ping_period:
            return max(self._silence, PERIODS * self._ping_period)
        return self._silence * (PERIODS if self.is_up else 1)

    def close(self) -> None:
        """The sessions that are left end."""
        if self._retry is not None:
            self._retry.cancel()
        self._shut("the node stops")

    def drain(self) -> None:
        """Take no further request; `is_drained` is set when the last session is over."""
        if not self.is_draining:
            self.is_draining = True
            if self.is_connected:
                self._say(b"drain", b"")
            if not (self.is_connected and self._in_force):
                self._drained()  # away, or of a version that knows no drain: it answers nothing

    def _drained(self) -> None:
        self.is_drained = True
        self._changed(self)

    def knows(self, word: str) -> bool:
        """Whether a capability is in force."""
        return word in self._in_force

    # ------------------------------------------------------------ messages in

    def message_received(self, sid: bytes, type: bytes, body: zmq.Frame) -> None:
        """One message, or one of a batch."""
        self._was_heard = True
        if type == b"uwsgi" or type == b"headers":
            self._begin(sid, type, body.bytes)
        elif type == b"end":
            session = self.sessions.pop(sid, None)
            if session is not None:
                session.session_ended(body.bytes.decode("utf-8", "replace"))
        elif type == b"body":
            session = self.sessions.get(sid)
            if session is not None:
                session.body_received(body.buffer)
        elif type == b"websocket" or type == b"websocket-binary":
            session = self.sessions.get(sid)
            if session is not None and session.websocket is not None:
                session.websocket.message_received(body.buffer, type == b"websocket-binary")
        else:
            self._handle_rare(sid, type, body.bytes)

    def batch_received(self, sid: bytes, pairs: Sequence[tuple[bytes, zmq.Frame]]) -> None:
        """Several of one session; what follows an `end` is dropped."""
        for type, body in pairs:
            self.message_received(sid, type, body)
            if type == b"end":
                return

    def junk_received(self) -> None:
        """Frames that are no message."""
        self.junk += 1

    def _handle_rare(self, sid: bytes, type: bytes, body: bytes) -> None:
        if not (self.is_up or sid):
            self.is_up, self._pause = True, FIRST_PAUSE
            self._changed(self)
        if type == b"ping":
            self._pinged(body)
        elif type == b"credit":
            if not (body.isdigit() and len(body) <= 12):
                self.junk += 1
            elif sid:
                session = self.sessions.get(sid)
                if session is not None:
                    session.credit_received(int(body))
            elif int(body):
                self.window = int(body)
        elif type == b"spawn" and not sid:
            self._forget_all("the server was started anew")
            self._in_force, self.window = frozenset(), None
        elif type == b"drain" and not sid:
            self._drained()
        elif self._unknown is not None:
            self._unknown(sid, type, body)

    def _pinged(self, words: bytes) -> None:
        if words:
            if self._in_force:  # they never change: to the server we are somebody new
                self._forget_all("the server has given this node up")
            known = words.decode("ascii", "replace").split()
            self._in_force = frozenset(word.partition("=")[0] for word in known)
        elif not self._has_sent:  # it came a period after our last word
            self._ping_period = max(self._ping_period, anyio.current_time() - self._said_at)
        self._say(b"pong", self._announced)

    def _begin(self, sid: bytes, type: bytes, body: bytes) -> None:
        before = self.sessions.pop(sid, None)
        if before is not None:  # a later request of the same connection, from a server without `exchange`
            before.session_ended("another request followed")
        try:
            if not 0 < len(sid) <= MAX_SID_FRAME:
                raise ValueError("no sid")
            request = parse_uwsgi(body) if type == b"uwsgi" else parse_headers(body)
        except (IndexError, ValueError):
            self.junk += 1
            self.send(sid, b"abort", b"the request could not be read")
            return
        session = self.sessions[sid] = Session(self, sid, request)
        self._begun(session)

    def _forget_all(self, reason: str) -> None:
        sessions, self.sessions = self.sessions, {}
        for session in sessions.values():
            session.session_ended(reason)

    # ------------------------------------------------------------ messages out

    def _say(self, type: bytes, body: bytes) -> None:
        self._said_at, self._has_sent = anyio.current_time(), False
        self._dealer.send((b"", type, body))

    def send(self, sid: bytes, type: bytes, body: Buffer) -> None:
        """One message, at once or as soon as it can go."""
        self._has_sent = True
        self._dealer.send((sid, type, body))

    def send_response(self, sid: bytes, head: bytes, body: Buffer) -> None:
        """A whole response, with whatever leaves in this turn of the loop; as one message where the server
        takes batches."""
        self._has_sent = True
        send = self._dealer.send_soon
        if not body:
            send((sid, b"headers", head))
        elif "batch" in self._in_force:
            send((sid, b"headers", head, b"body", body))
        else:
            send((sid, b"headers", head))
            send((sid, b"body", body))

    @property
    def is_full(self) -> bool:
        """More than OUTBOX bytes wait for the server."""
        return self._dealer.queued > OUTBOX

    async def until_room(self) -> None:
        """Until what was sent has left this process, or waits among at most OUTBOX bytes."""
        if self._dealer.is_writing_soon:
            await _turn()
        while self._dealer.queued > OUTBOX:
            if self._room is None:
                self._room = anyio.Event()
            await self._room.wait()

    def gone_out(self) -> None:
        """Something that had to wait has left."""
        if not self.is_full:
            self._wake_waiting()

    def _wake_waiting(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.set()
