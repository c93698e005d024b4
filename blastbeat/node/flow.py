"""Both directions of one session's credit (`protocol.md` §1), and who waits for it.

Knows no socket: `give_back` is called with what is to be told to the server.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio


class Allowance:
    """What may still be sent of one session. None: the server gave no credit, and everything goes."""

    __slots__ = ("_event", "_left", "_window")

    def __init__(self, window: int | None) -> None:
        self._left = self._window = window
        self._event: anyio.Event | None = None

    def take(self, size: int) -> None:
        """So many bytes go; one message may overshoot."""
        if self._left is not None:
            self._left -= size

    @property
    def is_used_up(self) -> bool:
        return self._left is not None and self._left <= 0

    def add(self, size: int) -> None:
        """The server gives back, never more than it had given."""
        if self._left is not None and self._window is not None:
            self._left = min(self._left + size, self._window)
            if self._left > 0:
                self.wake()

    def wake(self) -> None:
        """Whoever waits looks again."""
        event, self._event = self._event, None
        if event is not None:
            event.set()

    async def wait(self) -> None:
        """Until something changes."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()


class Debt:
    """What was consumed of a session and is owed to the server: told at most once per half window."""

    __slots__ = ("_give_back", "_half", "_owed")

    def __init__(self, window: int, give_back: Callable[[int], None]) -> None:
        self._half = window // 2
        self._owed = 0
        self._give_back = give_back

    def consumed(self, size: int) -> None:
        if self._half:
            self._owed += size
            if self._owed >= self._half:
                owed, self._owed = self._owed, 0
                self._give_back(owed)
