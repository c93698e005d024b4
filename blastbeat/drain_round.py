"""Says when everything that waited in a ROUTER at some moment has been read, although it is never empty.

ZeroMQ reads its peers in turn, and no peer has more than the high-water mark of messages waiting. So after
that many from each peer that speaks, all that was there at the beginning was read. Pure.
"""

from __future__ import annotations

MAX_PEERS = 4096  # told apart; more make a round shorter than it should be, never endless


class DrainRound:
    """One round at a time, for `waiting` callbacks; those that come later wait for the next round."""

    __slots__ = ("_mark", "_peers", "_read", "waiting")

    def __init__(self, high_water_mark: int) -> None:
        self._mark = high_water_mark + 1
        self._peers: set[bytes] = set()
        self._read = 0
        self.waiting = 0

    def begin(self, waiting: int) -> None:
        """Count anew. 0: nobody waits."""
        self.waiting = waiting
        self._read = 0
        self._peers.clear()

    def count(self, identity: bytes) -> None:
        """A message of this peer was read."""
        self._read += 1
        if len(self._peers) < MAX_PEERS:
            self._peers.add(identity)

    def is_over(self) -> bool:
        """Whether all that waited when the round began was read."""
        return self.waiting > 0 and self._read > self._mark * (len(self._peers) + 1)
