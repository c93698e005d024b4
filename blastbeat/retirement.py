"""Closes request authenticators that nobody needs any more: after a reload, when the server stops, and those
of a configuration that was not taken over.

Each is closed once, when the last virtualhost that had it is gone and the last request that it looks at has
gone on. Knows neither requests nor why a virtualhost went.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import anyio
from anyio.abc import TaskGroup

from blastbeat.authenticating import Authenticating
from blastbeat.virtualhost import VirtualHost

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds that requests may still be looked at by an authenticator that is to be closed."""

CLOSING_TIME = 5.0
"""Seconds that `aclose` may take."""


class Retirement:
    """`tasks` runs as long as the server."""

    def __init__(self, authenticating: Authenticating, tasks: TaskGroup) -> None:
        self._authenticating = authenticating
        self._tasks = tasks
        self._left: dict[int, Any] = {}  # those to be closed, by identity: they may compare equal
        self._closing: set[anyio.Event] = set()

    def retire(self, gone: Iterable[VirtualHost], kept: Iterable[VirtualHost]) -> None:
        """`gone` ask about no further request; what `kept` have too stays open."""
        in_use = set(_closable(kept)) | set(self._left)
        users: dict[int, list[VirtualHost]] = {}
        for virtualhost in gone:
            for key, each in _closable((virtualhost,)).items():
                if key not in in_use:
                    self._left[key] = each
                    users.setdefault(key, []).append(virtualhost)
        for key, virtualhosts in users.items():
            self._tasks.start_soon(self._close_when_unused, key, virtualhosts)

    async def close_all(self, virtualhosts: Iterable[VirtualHost]) -> None:
        """Those of `virtualhosts`, and all that wait to be closed: the server has ended."""
        everybody = {**self._left, **_closable(virtualhosts)}
        self._left.clear()
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                for each in everybody.values():
                    tasks.start_soon(_close, each)
                for closed in self._closing:
                    tasks.start_soon(closed.wait)

    async def _close_when_unused(self, key: int, virtualhosts: list[VirtualHost]) -> None:
        with anyio.move_on_after(PATIENCE):
            for virtualhost in virtualhosts:
                unused = anyio.Event()
                self._authenticating.when_unused(virtualhost, unused.set)
                await unused.wait()
        each = self._left.pop(key, None)
        if each is None:
            return
        closed = anyio.Event()
        self._closing.add(closed)
        try:
            await _close(each)
        finally:
            closed.set()
            self._closing.discard(closed)


def _closable(virtualhosts: Iterable[VirtualHost]) -> dict[int, Any]:
    return {
        id(each): each
        for virtualhost in virtualhosts
        for each in virtualhost.request_authenticators
        if hasattr(each, "aclose")
    }


async def _close(authenticator: Any) -> None:
    try:
        with anyio.move_on_after(CLOSING_TIME, shield=True) as scope:
            await authenticator.aclose()
        if scope.cancelled_caught:
            log.warning("authenticator %r did not close within %g s", authenticator, CLOSING_TIME)
    except Exception:
        log.exception("authenticator %r failed in aclose", authenticator)
