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

from blastbeat.buckets import Buckets
from blastbeat_auth_basic.hashes import fits

SHARE = 4
"""One client may take a fourth of the queue."""


RETRY_AFTER = 1.0
"""Seconds after which a queue that is full has moved on."""


class Busy(Exception):
    """A password is not checked now; `client` where it is this client's own fault. `wait` seconds."""

    def __init__(self, why: str, *, client: bool, wait: float = RETRY_AFTER) -> None:
        self.client, self.wait = client, wait
        super().__init__(why)


class _Running:
    """A check at work; those who want the same one wait for it. `verdict` None: it was given up."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.verdict: bool | None = None


class Checks:
    """`threads` checks at a time, `waiting` more in the queue. What was right is remembered for `remember`
    seconds since it was checked, `remembered` of them. Who was wrong too often, as `failures` counts, has to
    wait; a password that is remembered is right all the same."""

    def __init__(
        self, *, threads: int, waiting: int, remember: float, remembered: int, failures: Buckets | None = None
    ) -> None:
        self._most = threads + waiting
        self._most_of_client = max(1, self._most // SHARE)
        self._threads, self._failures = threads, failures
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
        self._refuse_too_many(client, now)
        self._asking[client] += 1
        try:
            return await self._check(key, password, hashed, client, now)
        finally:
            self._asking[client] -= 1
            if not self._asking[client]:
                del self._asking[client]

    def _refuse_too_many(self, client: bytes, now: float) -> None:
        if self._failures is not None and (wait := self._failures.wait(client, now)):
            raise Busy("too many wrong passwords", client=True, wait=wait)
        if self._asking.total() >= self._most:
            raise Busy("too many passwords wait to be checked", client=False)
        if self._asking.get(client, 0) >= self._most_of_client:
            raise Busy("too many passwords of this client wait to be checked", client=True)

    async def _check(self, key: bytes, password: bytes, hashed: bytes, client: bytes, now: float) -> bool:
        """Browsers ask for many things at once with the same password: one check is enough for all, and one
        failure if it is wrong."""
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
        elif self._failures is not None:
            self._failures.charge(client, 1, now)
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
