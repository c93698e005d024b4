"""Flow control of one session: the upload to its node, and the credit its node is given back.

Holds the client back (pauses its reading) while the instance's queue is over the session's share, or the
node's credit is used up (`protocol.md` §1 Credit, `design.md` §6). Knows nothing of requests and responses.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from blastbeat.events import Buffer
from blastbeat.instance import Instance


class HoldsBack(Protocol):
    """A client, as far as flow control is concerned. See `interfaces.ClientSide`."""

    def hold_reading(self) -> None: ...
    def release_reading(self) -> None: ...
    def is_congested(self) -> bool: ...


class Upload:
    """The client-to-node direction of one session. Sizes are bytes."""

    __slots__ = ("_credit", "_instance", "_share", "_sid", "_waiting", "_window", "client", "is_held")

    def __init__(self, sid: bytes, instance: Instance, client: HoldsBack, share: int) -> None:
        self._sid = sid
        self._instance = instance
        self.client = client
        self._share = share
        self._credit = instance.credit  # what this session began with, whatever the node announces later
        self._window = instance.credit or None  # None: the node announced no credit
        # Only what one read of the client brought: then it is paused. An empty deque takes 760 bytes, and
        # most sessions never need one.
        self._waiting: deque[tuple[bytes, Buffer]] | None = None
        self.is_held = False

    def data(self, data: Buffer) -> None:
        """A piece of body; an empty one closes a body of unknown length."""
        self.message(b"body", data)

    def message(self, type: bytes, data: Buffer) -> None:
        """A message of this type."""
        if self._waiting:
            self._waiting.append((type, data))
            return
        if self._window is not None and len(data):
            if self._window <= 0:
                if self._waiting is None:
                    self._waiting = deque()
                self._waiting.append((type, data))
                self._hold()
                return
            # One message may overshoot (§1 Credit); it is paid back before the next goes.
            self._window -= len(data)
        instance = self._instance
        instance.router.send(instance, self._sid, type, data)
        if instance.outbox.size and self._is_over_share():
            self._hold()

    def credit(self, amount: int) -> None:
        """The node consumed `amount` bytes; never more is granted than it announced."""
        if self._window is None:
            return
        self._window = min(self._window + amount, self._credit)
        waiting = self._waiting
        while waiting and (self._window > 0 or not len(waiting[0][1])):
            type, data = waiting.popleft()
            self._window -= len(data)
            self._instance.router.send(self._instance, self._sid, type, data)
        if not waiting:
            self._waiting = None
            if not self._is_over_share():
                self._release()

    def crowded(self) -> None:
        """The instance's queue as a whole is over its bound: everybody waits until `writable`."""
        self._hold()

    def writable(self) -> None:
        """The instance's queue has room for this session again."""
        if not self._waiting:
            self._release()

    def end(self, reason: bytes) -> None:
        """The session is over: nothing else follows, and what was queued is discarded."""
        if self._waiting is not None:
            self._waiting.clear()
        self._instance.router.send(self._instance, self._sid, b"end", reason)
        self._release()

    def _is_over_share(self) -> bool:
        return self._instance.router.queued(self._instance, self._sid) > self._share

    def _hold(self) -> None:
        if not self.is_held:
            self.is_held = True
            self.client.hold_reading()

    def _release(self) -> None:
        if self.is_held:
            self.is_held = False
            self.client.release_reading()


class Grant:
    """The node-to-client direction: what left towards the client is handed back to a node with credit.

    `window` (bytes) is what the node may be ahead; 0 where it announced no credit.
    """

    __slots__ = ("_instance", "_owed", "_sid", "_window", "client")

    def __init__(self, sid: bytes, instance: Instance, client: HoldsBack, window: int) -> None:
        self._sid = sid
        self._instance = instance
        self.client = client
        self._window = window if instance.credit else 0
        self._owed = 0

    def used(self, size: int) -> None:
        """A body of `size` bytes came, whatever becomes of it."""
        if self._window:
            self._owed += size
            self.give_back()

    def give_back(self) -> None:
        """At most one message per half window, and none while the client takes nothing."""
        if self._window and self._owed * 2 >= self._window and not self.client.is_congested():
            owed, self._owed = self._owed, 0
            self._instance.router.send(self._instance, self._sid, b"credit", b"%d" % owed)


class NoGrant(Grant):
    """Of all sessions whose node announced no credit: there is nothing to count."""

    __slots__ = ()

    def __init__(self) -> None:
        """One serves them all."""

    def used(self, size: int) -> None:
        """Nobody counts."""

    def give_back(self) -> None:
        """Nothing is owed."""


NO_GRANT = NoGrant()
