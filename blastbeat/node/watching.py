"""Python files that change while an application is being developed. Knows nothing of what follows from it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio

from blastbeat.errors import StartError

GATHER = 200
"""Milliseconds in which changes are one: an editor writes a file in several steps."""


def check_watching() -> None:
    """Raises StartError where the library that watches is not installed."""
    if importlib.util.find_spec("watchfiles") is None:
        raise StartError("--reload needs watchfiles: pip install 'blastbeat[reload]'")


async def watch(
    folders: Sequence[str],
    changed: Callable[[list[str]], None],
    *,
    task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Until cancelled. `changed` gets the names of Python files, within their folders."""
    from watchfiles import PythonFilter, awatch

    changes = awatch(
        *folders,
        watch_filter=PythonFilter(),
        debounce=GATHER,
        rust_timeout=100,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    )
    is_watching = False
    async for found in changes:
        if not is_watching:  # the first turn is over, so the folders are watched
            is_watching = True
            task_status.started()
        if found:
            changed(sorted({_short(name, folders) for _, name in found}))


def _short(name: str, folders: Sequence[str]) -> str:
    for folder in folders:
        if Path(name).is_relative_to(folder):
            return str(Path(name).relative_to(folder))
    return name
