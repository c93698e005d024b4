"""Write node-library.md from docstrings: `python docs/reference/make_node_library.py`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import blastbeat.node
from blastbeat.node import blocking

HEAD = """\
# The node library

<!-- Written by docs/reference/make_node_library.py from docstrings: change the words there. -->

Everything that `blastbeat.node` has for programs, and `blastbeat.node.blocking` for scripts. Programs to
start from are in [Write a node in Python](../how-to/write-a-node-in-python.md).
Runs on asyncio, under anyio; with uvloop, too.
"""

INTERNAL = {
    "BlockingSession": (),
    "Session": (
        "body_received", "break_off", "consumed", "credit_received", "hand_back", "has_room", "message_read",
        "message_waits", "session_ended", "wake", "wake_sender", "write_head", "write_response",
        "send_piece",
    ),
    "WebSocket": ("check_open", "close_now", "message_received", "session_ended"),
}  # fmt: skip
"""What link and handlers of applications call; it may change."""


def page() -> str:
    """The whole page."""
    classes = [(name, getattr(blastbeat.node, name)) for name in blastbeat.node.__all__]
    for each in (blocking.serve, blocking.BlockingSession, blocking.BlockingWebSocket):
        classes += [(f"blocking.{each.__name__}", each)]
    return "\n".join([HEAD, *(_section(f"`{name}`", of) for name, of in classes if inspect.isclass(of))])


def _section(title: str, of: type) -> str:
    rows = [(name, member) for name, member in _members(of) if name not in INTERNAL.get(of.__name__, ())]
    text = f"## {title}\n\n{inspect.getdoc(of)}\n"
    if not rows:
        return text
    table = "".join(f"| `{_signature(name, member)}` | {_line(member)} |\n" for name, member in rows)
    return f"{text}\n| | |\n| --- | --- |\n{table}"


def _members(of: type) -> list[tuple[str, Any]]:
    found: dict[str, Any] = {}
    for base in reversed(of.__mro__):
        if base.__module__.startswith("blastbeat.node"):
            found.update(vars(base))
    return [
        (name, member)
        for name, member in found.items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
    ]


def _signature(name: str, member: Any) -> str:
    if isinstance(member, property):
        return name
    parameters = [str(each).replace("'", "") for each in inspect.signature(member).parameters.values()][1:]
    is_awaited = inspect.iscoroutinefunction(member)
    return f"{'await ' if is_awaited else ''}{name}({', '.join(parameters)})".replace("|", "or")


def _line(member: Any) -> str:
    return " ".join((inspect.getdoc(member) or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    Path(__file__).with_name("node-library.md").write_text(page(), encoding="utf-8")
