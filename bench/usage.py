"""CPU time and memory of a process with its threads and all its descendants, from the kernel.

Knows nothing of servers and loads.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROCESS_CLOCK = 2
"""CPUCLOCK_SCHED: what the scheduler counted of all threads, ended ones too, in nanoseconds."""


def cpu_seconds(root: int) -> float:
    """User and system time so far of `root` and its descendants.

    To the nanosecond but for children that have ended, which the kernel counts in ticks (10 ms, mostly).
    """
    return sum(_clock(pid) + _ended_children(pid) for pid in tree(root))


def _clock(pid: int) -> float:
    try:
        return time.clock_gettime((~pid << 3) | _PROCESS_CLOCK)  # as clock_getcpuclockid(3) makes it
    except OSError:
        return 0.0  # gone meanwhile; its parent has its time now


def _ended_children(pid: int) -> float:
    fields = _stat(pid)
    return sum(map(int, fields[13:15])) / _TICKS if fields else 0.0


def kernel_seconds(root: int) -> float:
    """The system time in it, to the tick."""
    return sum(int(fields[12]) for pid in tree(root) if (fields := _stat(pid))) / _TICKS


def zmq_seconds(pid: int) -> float:
    """What ZeroMQ's own threads of one process used so far."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().startswith("ZMQ"):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def resident_bytes(root: int) -> int:
    """Memory of the tree, what its processes share counted once (PSS)."""
    return sum(_proportional(pid) for pid in tree(root))


def _proportional(pid: int) -> int:
    try:
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def tree(root: int) -> list[int]:
    """`root` and its descendants, root first."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents[int(entry.name)] = int(fields[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _stat(pid: int) -> list[str]:
    """The fields after the name; empty for a process that has gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    # The name before the last bracket may hold anything, blanks and brackets too.
    return text[text.rindex(")") + 2 :].split()
