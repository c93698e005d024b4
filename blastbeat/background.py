"""Long work beside the traffic: in slices on the event loop, or in a thread, so that no client feels it.

Knows nothing of the work.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from collections.abc import Iterable, Iterator

import anyio

SLICE = 0.002
"""Seconds of work between two turns of the event loop."""

SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread gives way to the event loop's; CPython's own 5 ms would be felt by every
client."""


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Many objects are made that stay: looking through them again and again for garbage would be what stalls
    the server. The thread that reads gives way to the event loop quickly."""
    was_enabled, interval = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(min(interval, SWITCH_INTERVAL))
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if was_enabled:
            gc.enable()


async def spread(steps: Iterable[None]) -> None:
    """Does them in slices, between which everybody else has a turn."""
    begun = time.monotonic()
    for _ in steps:
        if time.monotonic() - begun >= SLICE:
            await anyio.lowlevel.checkpoint()
            begun = time.monotonic()
