"""Waiting for what another process does, where nothing tells of it: files that appear or grow."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.helpers.server import PATIENCE


def wait_until(condition: Callable[[], bool], what: str = "what was waited for") -> None:
    """Returns once `condition` holds; fails when it does not within twice PATIENCE."""
    deadline = time.monotonic() + 2 * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.002)  # only yields the processor to the other process
