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
    """Sums of what clients have queued, per virtualhost and in all. `limit`: bytes, 0 for none."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._queues: dict[str, dict[Congested, int]] = {}  # by virtualhost, as of the last look at each
        self._sums: dict[str, int] = {}
        self._places: dict[Congested, str] = {}
        self.total = 0

    def update(self, connection: Congested, virtualhost: str, size: int) -> None:
        """`connection` has `size` bytes queued for a client of `virtualhost`; 0 when it caught up."""
        place = self._places.pop(connection, None)
        if place is not None:
            queues = self._queues[place]
            self._add(place, -queues.pop(connection))
            if not queues:
                del self._queues[place]
        if size:
            self._places[connection] = virtualhost
            self._queues.setdefault(virtualhost, {})[connection] = size
            self._add(virtualhost, size)

    def queued(self, virtualhost: str) -> int:
        """What clients of `virtualhost` have queued now."""
        self._look_again(virtualhost)
        return self._sums.get(virtualhost, 0)

    def enforce(self, virtualhost: str, limit: int) -> None:
        """Where the sum of `virtualhost` is over `limit`, or that of the whole server over its own, close the
        largest queues until there is some room again."""
        if limit and self._sums.get(virtualhost, 0) > limit:
            self._look_again(virtualhost)
            target = _with_room(limit)
            for connection in self._largest_first(virtualhost):
                if self._sums.get(virtualhost, 0) <= target:
                    break
                self._close(connection, virtualhost)
        if self.limit and self.total > self.limit:
            for name in list(self._sums):
                self._look_again(name)
            self._close_until(_with_room(self.limit))

    def _close_until(self, target: int) -> None:
        """The virtualhost that has most pays, until it has as little as the next."""
        while self.total > target:
            most = max(self._sums, key=self._sums.__getitem__)
            next_most = max((size for name, size in self._sums.items() if name != most), default=0)
            for connection in self._largest_first(most):
                self._close(connection, most)
                if self.total <= target or self._sums.get(most, 0) < next_most:
                    break

    def _add(self, virtualhost: str, size: int) -> None:
        self.total += size
        left = self._sums.get(virtualhost, 0) + size
        if left:
            self._sums[virtualhost] = left
        else:
            self._sums.pop(virtualhost, None)

    def _look_again(self, virtualhost: str) -> None:
        """What the operating system took since the last look is found out only now."""
        for connection in list(self._queues.get(virtualhost, ())):
            self.update(connection, virtualhost, connection.queued_bytes())

    def _largest_first(self, virtualhost: str) -> list[Congested]:
        queues = self._queues.get(virtualhost, {})
        return sorted(queues, key=queues.__getitem__, reverse=True)

    def _close(self, connection: Congested, virtualhost: str) -> None:
        self.update(connection, virtualhost, 0)
        connection.close_for_memory()


def _with_room(limit: int) -> int:
    """So that not every further message is a reason to look at every client again."""
    return limit - limit // 64
