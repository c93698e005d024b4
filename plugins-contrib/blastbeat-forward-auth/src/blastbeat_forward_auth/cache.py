"""Consents that are remembered for a while. Refusals never are, nor what the service says is for once.

Kept under a digest of all that the operator says the answer depends on. Bounded; the time is passed in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from blastbeat.events import Request
from blastbeat.headers import field_items, field_values
from blastbeat.validators import words
from blastbeat_forward_auth.questions import Reply

_PARTS = ("method", "host", "uri", "path", "client")
_MAX_AGE = re.compile(rb"(s-maxage|max-age)=\"?([0-9]{1,9})\"?")


def key_parts(value: object) -> tuple[str, ...]:
    """Validator: ``method``, ``host``, ``uri``, ``path``, ``client`` or names of fields, in lower case."""
    found = tuple(word.lower() for word in words(value))
    for word in found:
        if not re.fullmatch(r"[a-z0-9-]+", word):
            raise ValueError(f"has {word!r}; write names of fields, or of {', '.join(_PARTS)}")
    return found


class Cache:
    """At most `limit` consents, each for up to `seconds`."""

    def __init__(self, seconds: float, parts: Sequence[str], limit: int) -> None:
        self._seconds, self._limit = seconds, limit
        self._parts = tuple(parts)
        self._fields = frozenset(part.encode() for part in parts if part not in _PARTS)
        self._known: dict[bytes, tuple[float, Reply]] = {}  # digest -> until when, what; oldest first

    def __len__(self) -> int:
        return len(self._known)

    def key(self, request: Request) -> bytes:
        """A digest: neither a cookie nor a token stays in memory. Whether a part is there, how often and how
        long it is, is part of it: no two requests that differ can be made to meet."""
        digest = hashlib.sha256(request.scheme + b"\n" + request.virtualhost.encode() + b"\n")
        for part in self._parts:
            values = self._values(request, part)
            digest.update(b"%d\n" % len(values))
            for value in values:
                digest.update(b"%d\n" % len(value) + value)
        return digest.digest()

    def _values(self, request: Request, part: str) -> Sequence[bytes]:
        if part == "method":
            return (request.method,)
        if part == "uri":
            return (request.target,)
        if part == "path":
            return (request.path,)
        if part == "client":
            return (request.remote_addr,)
        return list(field_values(request.headers, part.encode()))

    def find(self, key: bytes, now: float) -> Reply | None:
        found = self._known.get(key)
        if found is None:
            return None
        if now < found[0]:
            return found[1]
        del self._known[key]
        return None

    def keep(self, key: bytes, reply: Reply, now: float) -> None:
        """Where it may be kept. Its body is not."""
        seconds = self._lifetime(reply)
        self._known.pop(key, None)
        if seconds <= 0:
            return
        while len(self._known) >= self._limit:
            del self._known[next(iter(self._known))]
        self._known[key] = (now + seconds, Reply(reply.status, reply.headers))

    def _lifetime(self, reply: Reply) -> float:
        """Seconds; 0 for what is not kept: a refusal, a new cookie, what the service forbids to keep, or says
        depends on what the key does not hold."""
        if not reply.allows or next(field_values(reply.headers, b"set-cookie"), None) is not None:
            return 0
        if not self._fields.issuperset(field_items(reply.headers, b"vary")):
            return 0
        seconds = self._seconds
        for directive in field_items(reply.headers, b"cache-control"):
            if directive.partition(b"=")[0] in (b"no-store", b"no-cache"):
                return 0
            if match := _MAX_AGE.fullmatch(directive):
                seconds = min(seconds, int(match[2]))
        return seconds
