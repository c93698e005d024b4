"""Writes `hooks.md` from `blastbeat/hookspecs.py`: python docs/reference/make_hooks.py"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

from blastbeat import hookspecs

HEAD = """# Hooks

<!-- Written by docs/reference/make_hooks.py from blastbeat/hookspecs.py: change the docstrings there. -->

A plugin implements any of these functions and marks them with `from blastbeat import hookimpl`.
[Write a plugin](../how-to/write-a-plugin.md) shows how. The types of the arguments are in
`blastbeat.interfaces`.

{common}
"""

GROUPS = (
    ("Registration", ("register_", "examine_")),
    ("The server's life", ("server_", "config_", "logs_")),
    ("Connections, sessions, exchanges, nodes", ("connection_", "session_", "exchange_", "node_")),
)


def page() -> str:
    """The page."""
    common = (inspect.getdoc(hookspecs) or "").split("\n\n")[2]
    parts = [HEAD.format(common=common)]
    hooks = {name: value for name, value in vars(hookspecs).items() if name.startswith(hookspecs.PREFIX)}
    for title, beginnings in GROUPS:
        parts.append(f"## {title}\n")
        for name, hook in hooks.items():
            if name.removeprefix(hookspecs.PREFIX).startswith(beginnings):
                parts.append(_render_hook(name, hook))
    return "\n".join(parts)


def _render_hook(name: str, hook: Callable[..., object]) -> str:
    parameters = ", ".join(
        f"{parameter.name}: {parameter.annotation}"
        for parameter in inspect.signature(hook).parameters.values()
    )
    contract = inspect.getdoc(hook) or ""
    for label in ("Called:", "Failure:"):
        contract = contract.replace(label, f"**{label[:-1]}**:")
    return f"### `{name}({parameters})`\n\n{contract}\n"


if __name__ == "__main__":
    Path(__file__).with_name("hooks.md").write_text(page(), encoding="utf-8")
