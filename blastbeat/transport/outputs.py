"""Writes out what connections have gathered, once per turn: many small pieces become one system call.

Also keeps the account of what clients have not taken yet, and finds who must go when it grows too large
(`design.md` §6).
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Writable(Protocol):
    """A connection with something to write."""

    def flush(self) -> None: ...

    def broke(self) -> None:
        """Ends it, after its `flush` has raised."""
        ...


class Outputs:
    """The connections that have something to write now."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[Writable] = []

    def add(self, connection: Writable) -> None:
        """`connection` gathered its first piece. It is flushed at the end of this turn of the loop at the
        latest."""
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(connection)

    def flush(self) -> None:
        """Write everything out now."""
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            for connection in waiting:
                try:
                    connection.flush()
                except Exception:  # the others of this turn have nobody else to write for them
                    connection.broke()


class Congested(Protocol):
    """A connection whose client does not keep up."""

    def queued_bytes(self) -> int: ...
    def close_for_memory(self) -> None: ...


class OutputAccount:
    """Sums of what congested clients have queued, per virtualhost and in all. `limit`: bytes, 0 for none."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._sizes: dict[Congested, tuple[str, int]] = {}
        self._sums: dict[str, int] = {}
        self.total = 0

    def update(self, connection: Congested, virtualhost: str, size: int) -> None:
        """`connection` has `size` bytes queued for a client of `virtualhost`; 0 when it caught up."""
        before_name, before = self._sizes.pop(connection, (virtualhost, 0))
        if before:
            self._add(before_name, -before)
        if size:
            self._sizes[connection] = (virtualhost, size)
            self._add(virtualhost, size)

    def queued(self, virtualhost: str) -> int:
        """What clients of `virtualhost` have queued, as of the last look at each."""
        return self._sums.get(virtualhost, 0)

    def enforce(self, virtualhost: str, limit: int) -> None:
        """Close the largest queue of `virtualhost` while its sum is over `limit`, or of the whole server."""
        if limit and self._sums.get(virtualhost, 0) > limit:
            self._look_again(virtualhost)
            while self._sums.get(virtualhost, 0) > limit:
                self._close_largest(virtualhost)
        if self.limit and self.total > self.limit:
            for name in list(self._sums):
                self._look_again(name)
            while self.total > self.limit:
                self._close_largest(max(self._sums, key=self._sums.__getitem__))

    def _add(self, virtualhost: str, size: int) -> None:
        self.total += size
        left = self._sums.get(virtualhost, 0) + size
        if left:
            self._sums[virtualhost] = left
        else:
            self._sums.pop(virtualhost, None)

    def _look_again(self, virtualhost: str) -> None:
        """What the operating system took since the last look is found out only now."""
        for connection in self._of(virtualhost):
            self.update(connection, virtualhost, connection.queued_bytes())

    def _close_largest(self, virtualhost: str) -> None:
        largest = max(self._of(virtualhost), key=lambda connection: self._sizes[connection][1])
        self.update(largest, virtualhost, 0)
        largest.close_for_memory()

    def _of(self, virtualhost: str) -> list[Congested]:
        return [connection for connection, (name, _) in self._sizes.items() if name == virtualhost]
