"""A chat room over WebSockets: who is here, what was said, and what everybody is told of it.

Knows no socket and no clock. A message of a member is JSON, `{"say": TEXT}` or `{"name": NAME}`, and so is
each message to one. A member who takes nothing is the server's business: it delays nobody else.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field

from blastbeat.demo.request import Message

MAX_MEMBERS = 256
"""Members at one time; a further one is sent away with 1013 (try again later)."""

MAX_TEXT = 500
MAX_NAME = 24
"""Characters; what is longer is cut."""

HISTORY = 20
"""Words that somebody who joins is shown."""

NAMES_SHOWN = 30

BURST, BURST_SECONDS = 10, 5.0
"""So many messages of one member are taken in so many seconds; the others it has said to itself."""


@dataclass(slots=True)
class _Member:
    name: str
    said_at: deque[float] = field(default_factory=lambda: deque(maxlen=BURST))


class Chat:
    """One room."""

    def __init__(self) -> None:
        self._members: dict[bytes, _Member] = {}
        self._history: deque[dict[str, str]] = deque(maxlen=HISTORY)
        self._joined = 0

    def __contains__(self, sid: bytes) -> bool:
        return sid in self._members

    def join(self, sid: bytes) -> list[Message]:
        """A WebSocket was opened: its own name and what was said first, the news for everybody behind it."""
        if len(self._members) >= MAX_MEMBERS:
            return [(sid, b"end", b"1013 the room is full")]
        self._joined += 1
        member = self._members[sid] = _Member(f"guest {self._joined}")
        welcome = _pack({"kind": "welcome", "name": member.name, "said": list(self._history)})
        return [(sid, b"websocket", welcome), *self._tell(f"{member.name} came in")]

    def receive(self, sid: bytes, body: bytes, now: float) -> list[Message]:
        """A message of a member."""
        member = self._members[sid]
        if len(member.said_at) == BURST and now - member.said_at[0] < BURST_SECONDS:
            return [_only(sid, "that was too much at once: not sent")]
        member.said_at.append(now)
        try:
            wish = json.loads(body)
            text, name = (_clean(wish.get(key, "")) for key in ("say", "name"))
        except (ValueError, AttributeError, RecursionError):
            return [_only(sid, "not understood: a message is JSON with `say` or `name`")]
        if name:
            return self._rename(sid, member, name[:MAX_NAME])
        if not text:
            return []
        said = {"kind": "said", "name": member.name, "text": text[:MAX_TEXT]}
        self._history.append(said)
        return self._to_all(said)

    def leave(self, sid: bytes) -> list[Message]:
        """A WebSocket is over: the news for those who stay. Nothing for who was no member."""
        member = self._members.pop(sid, None)
        return self._tell(f"{member.name} left") if member is not None else []

    def _rename(self, sid: bytes, member: _Member, name: str) -> list[Message]:
        if any(other.name == name for other in self._members.values()):
            return [_only(sid, f"{name} is somebody else's name")]
        before, member.name = member.name, name
        return self._tell(f"{before} is {name} now")

    def _tell(self, text: str) -> list[Message]:
        names = [member.name for member in self._members.values()]
        here = {"kind": "news", "text": text, "here": names[:NAMES_SHOWN], "count": len(names)}
        return self._to_all(here)

    def _to_all(self, value: object) -> list[Message]:
        body = _pack(value)
        return [(sid, b"websocket", body) for sid in self._members]


def _only(sid: bytes, text: str) -> Message:
    return (sid, b"websocket", _pack({"kind": "only-you", "text": text}))


def _pack(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _clean(value: object) -> str:
    """Text on one line; anything else is none."""
    return " ".join(value.split()) if isinstance(value, str) else ""
