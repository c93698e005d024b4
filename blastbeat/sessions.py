"""All open sessions of the server: minting their ids, counting them, and the bounds on their number.

Knows no socket and no exchange; randomness is handed in.
"""

from __future__ import annotations

from collections.abc import Callable

from blastbeat.counters import Counters
from blastbeat.session import Session
from blastbeat.virtualhost import VirtualHost

SID_LENGTH = 16
SID_PREFIX = b"\0"
"""The first byte of a sid is reserved: several server processes will tell their sessions apart by it."""


class Sessions:
    """`limit` bounds the sessions of the server, 0 for none; a virtualhost may have a limit of its own."""

    def __init__(self, limit: int, random_bytes: Callable[[int], bytes], counters: Counters) -> None:
        self.by_sid: dict[bytes, Session] = {}
        self.limit = limit
        self._random_bytes = random_bytes
        self._counters = counters

    def mint(self) -> bytes:
        """A new sid: 16 bytes, 15 of them random (`protocol.md` §2)."""
        return SID_PREFIX + self._random_bytes(SID_LENGTH - 1)

    def is_full(self) -> bool:
        """The server's own limit is reached, whoever asks."""
        return bool(self.limit) and len(self.by_sid) >= self.limit

    def find_limit(self, virtualhost: VirtualHost) -> str:
        """Which limit forbids another session of `virtualhost`, in words; empty when none does."""
        if self.is_full():
            return f"the server's {self.limit} sessions are in use"
        whole = virtualhost.whole
        limit = whole.config.sessions
        if limit and whole.count.open >= limit:
            return f"the virtualhost's {limit} sessions are in use"
        if virtualhost is not whole:
            limit = virtualhost.config.sessions
            if limit and virtualhost.count.open >= limit:
                return f"the route's {limit} sessions are in use"
        return ""

    def add(self, session: Session) -> None:
        """A session begins; its instance knows it by its sid from here on."""
        self.by_sid[session.sid] = session
        session.virtualhost.count.add(1)
        instance = session.instance
        instance.sessions[session.sid] = session
        self._counters.add("sessions.opened")

    def remove(self, session: Session) -> None:
        """A session is over. Does nothing when it was removed before."""
        instance = session.instance
        if self.by_sid.pop(session.sid, None) is None:
            return
        instance.sessions.pop(session.sid, None)
        session.virtualhost.count.add(-1)
        self._counters.add("sessions.closed")
