"""A server that tells what its idle connections hold: `blastbeat` with the arguments behind the first,
which is this file (`memory.py` runs it so). For each line on its standard input it writes one of JSON.

Two connections of the same kind are walked side by side, by the same names: what both hold is shared, and
nobody's. The rest is sized, and named by the way to it.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
from collections.abc import Iterator
from types import FunctionType, MethodType, ModuleType

from blastbeat.cli import main
from blastbeat.transport.connection import Connection
from blastbeat.transport.websocket import WebSocketConnection

SHARED = (type, ModuleType, FunctionType)
KINDS = (WebSocketConnection, Connection)


def census() -> dict[str, int]:
    """Bytes by way, of the connection that came last but one."""
    for kind in KINDS:
        found = [each for each in gc.get_objects() if type(each) is kind and not each._is_closing]
        if len(found) > 1:
            found.sort(key=lambda each: each.view.id)
            sizes: dict[str, int] = {}
            _walk(found[-2], found[-3], kind.__name__, {id(found[-2])}, sizes)
            return sizes
    return {}


def _walk(mine: object, other: object, way: str, seen: set[int], sizes: dict[str, int]) -> None:
    label = f"{way}: {type(mine).__name__}"
    sizes[label] = sizes.get(label, 0) + _size(mine)
    if type(mine) is not type(other):
        return
    theirs = dict(_parts(other))
    for name, part in _parts(mine):
        if name not in theirs or part is theirs[name] or isinstance(part, SHARED) or id(part) in seen:
            continue
        seen.add(id(part))
        _walk(part, theirs[name], f"{way}.{name}", seen, sizes)


def _parts(of: object) -> Iterator[tuple[str, object]]:
    if isinstance(of, dict):
        if len(of) < 64:
            yield from ((f"{{{key!r}}}"[:40], value) for key, value in of.items())
    elif isinstance(of, (list, tuple, set, frozenset)):
        if len(of) < 64:
            yield from ((f"[{index}]", value) for index, value in enumerate(of))
    elif isinstance(of, MethodType):
        yield "self", of.__self__
    elif isinstance(of, (bytes, str, int, float, bytearray)):
        return
    else:
        yield from _attributes(of)


def _attributes(of: object) -> Iterator[tuple[str, object]]:
    names = {name for each in type(of).__mro__ for name in _slots(each)}
    if not names and not hasattr(of, "__dict__"):  # an extension's: by place
        yield from ((f"#{index}", each) for index, each in enumerate(gc.get_referents(of)))
    for name in sorted(names):
        try:
            yield name, getattr(of, name)
        except AttributeError:
            continue
    if hasattr(of, "__dict__"):
        yield "__dict__", vars(of)


def _slots(each: type) -> tuple[str, ...]:
    slots = each.__dict__.get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(
        f"_{each.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name
        for name in names
        if name not in ("__dict__", "__weakref__")
    )


def _size(of: object) -> int:
    """As the allocator gives it: in steps of 16."""
    return (sys.getsizeof(of) + 15) // 16 * 16


def _answer() -> None:
    for _ in sys.stdin:
        gc.collect()
        print("census " + json.dumps(census()), flush=True)


if __name__ == "__main__":
    threading.Thread(target=_answer, daemon=True).start()
    sys.exit(main(sys.argv[2:]))
