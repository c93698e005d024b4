"""Slow checks of passwords beside the event loop: in a few threads, with a bounded queue before them, and a
memory of what was right.

The memory holds no password and nothing it could be told from without the key, which is random, made anew at
each start and never leaves the process. Knows no file and no HTTP.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter

import anyio
import anyio.to_thread

from blastbeat_auth_basic.hashes import fits

SHARE = 4
"""One client may take a fourth of the queue."""


class Busy(Exception):
    """Too many passwords wait to be checked; `client` where it is this client's own fault."""

    def __init__(self, *, client: bool) -> None:
        self.client = client
        super().__init__("too many passwords wait to be checked")


class _Running:
    """A check at work; those who want the same one wait for it. `verdict` None: it was given up."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.verdict: bool | None = None


class Checks:
    """`threads` checks at a time, `waiting` more in the queue. What was right is remembered for `remember`
    seconds since it was checked, `remembered` of them."""

    def __init__(self, *, threads: int, waiting: int, remember: float, remembered: int) -> None:
        self._most = threads + waiting
        self._most_of_client = max(1, self._most // SHARE)
        self._threads = threads
        self._limiter: anyio.CapacityLimiter | None = None
        self._remember, self._remembered = remember, remembered
        self._secret = os.urandom(32)
        self._right: dict[bytes, float] = {}  # digest -> until when, in the order they were checked
        self._running: dict[bytes, _Running] = {}
        self._asking: Counter[bytes] = Counter()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._right)

    async def check(self, password: bytes, hashed: bytes, client: bytes, now: float) -> bool:
        """True when the password is the one. Raises Busy."""
        key = self._digest(password, hashed)
        if self._is_remembered(key, now):
            return True
        if self._asking.total() >= self._most:
            raise Busy(client=False)
        if self._asking[client] >= self._most_of_client:
            raise Busy(client=True)
        self._asking[client] += 1
        try:
            return await self._check(key, password, hashed, now)
        finally:
            self._asking[client] -= 1
            if not self._asking[client]:
                del self._asking[client]

    async def _check(self, key: bytes, password: bytes, hashed: bytes, now: float) -> bool:
        """Browsers ask for many things at once with the same password: one check is enough for all."""
        while (running := self._running.get(key)) is not None:
            await running.done.wait()
            if running.verdict is not None:
                return running.verdict
        running = self._running[key] = _Running()
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._threads)
        try:
            running.verdict = await anyio.to_thread.run_sync(fits, password, hashed, limiter=self._limiter)
        finally:
            del self._running[key]
            running.done.set()
        if running.verdict:
            self._keep(key, now)
        return running.verdict

    def _digest(self, password: bytes, hashed: bytes) -> bytes:
        """Another one as soon as the user has another password: nothing need be forgotten then."""
        text = len(hashed).to_bytes(4, "big") + hashed + password
        return hashlib.blake2b(text, key=self._secret, digest_size=32).digest()

    def _is_remembered(self, key: bytes, now: float) -> bool:
        until = self._right.get(key)
        if until is None:
            return False
        if now < until:
            return True
        del self._right[key]
        return False

    def _keep(self, key: bytes, now: float) -> None:
        if not self._remember:
            return
        self._right.pop(key, None)
        while len(self._right) >= self._remembered:
            del self._right[next(iter(self._right))]
        self._right[key] = now + self._remember
