"""CPU time of a process with its threads and all its descendants, from /proc."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(root: int) -> float:
    """User and system time so far of `root` and its descendants, ended children included.

    The kernel counts in ticks (10 ms, mostly): measure over seconds.
    """
    processes = {int(entry.name): _stat(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    total = 0.0
    found = [root]
    for pid in found:
        if (stat := processes.get(pid)) is not None:
            total += stat[1]
        found += [child for child, other in processes.items() if other is not None and other[0] == pid]
    return total


def _stat(folder: Path) -> tuple[int, float] | None:
    """The parent, and the seconds used; None for a process that has gone meanwhile."""
    try:
        text = (folder / "stat").read_text()
    except OSError:
        return None
    # The name before the last bracket may hold anything, blanks and brackets too.
    fields = text[text.rindex(")") + 2 :].split()
    return int(fields[1]), sum(int(field) for field in fields[11:15]) / _TICKS
