"""What the process takes of the machine: memory, descriptors, processor time, and its limits.

Read from the kernel when somebody asks; what this system does not tell is left out.
"""

from __future__ import annotations

import os
import resource
import sys


def process_figures() -> dict[str, int | float]:
    """Bytes and seconds by name."""
    times = os.times()
    figures: dict[str, int | float] = {
        "pid": os.getpid(),
        "cpu_seconds": round(times.user + times.system, 2),
        "descriptors_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }
    resident = _resident_bytes()
    if resident is not None:
        figures["resident_bytes"] = resident
    descriptors = _open_descriptors()
    if descriptors is not None:
        figures["descriptors"] = descriptors
    return figures


def _resident_bytes() -> int | None:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:  # no Linux: the peak is better than nothing
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _open_descriptors() -> int | None:
    """Since Linux 6.2 the folder's size is their number; to read the folder takes milliseconds where there
    are ten thousand."""
    try:
        return os.stat("/proc/self/fd").st_size or len(os.listdir("/proc/self/fd"))
    except OSError:
        return None
