"""How much memory a plugin's object holds, in itself, in what its functions enclose, and in its module.

An estimate for comparing before and after; it asks the garbage collector, and so sees what C types tell.
"""

from __future__ import annotations

import gc
import sys
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

MAX_OBJECTS = 2_000_000
"""Counting ends here."""

# Ways out of the plugin into the rest of the process.
_ELSEWHERE = (ModuleType, type, CodeType, FrameType)


def size_of_all(subject: object) -> int:
    """Bytes of all objects that `subject` and its module keep alive, other modules and classes left out."""
    gc.collect()
    module = sys.modules.get(type(subject).__module__)
    waiting: list[Any] = [subject]
    if module is not None and not module.__name__.startswith(("builtins", "blastbeat.testing")):
        waiting += [value for name, value in vars(module).items() if not name.startswith("__")]
    seen: set[int] = set()
    size = 0
    while waiting and len(seen) < MAX_OBJECTS:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, _ELSEWHERE):
            continue
        seen.add(id(found))
        size += sys.getsizeof(found, 0)
        if isinstance(found, FunctionType):  # its globals are its module's
            waiting += [*(found.__closure__ or ()), *(found.__defaults__ or ()), vars(found)]
        elif isinstance(found, BuiltinFunctionType):
            waiting.append(found.__self__)
        elif isinstance(found, dict):  # the collector passes over keys that are texts
            waiting += [*dict.keys(found), *dict.values(found)]
        else:
            waiting += gc.get_referents(found)
    return size
