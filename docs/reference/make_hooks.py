"""Writes `hooks.md` from `blastbeat/hookspecs.py`: python docs/reference/make_hooks.py"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from textwrap import dedent

from blastbeat import hookspecs
from blastbeat.plugin_manager import PluginManager

FIELDS = ("Called", "Blocking", "Failure")
EXAMPLES = Path(__file__).with_name("hook_examples.py")

HEAD = """# Hooks

<!-- Written by docs/reference/make_hooks.py from blastbeat/hookspecs.py: change the docstrings there. -->

A plugin implements any of these functions and marks them with `from blastbeat import hookimpl`.
[Write a plugin](../how-to/write-a-plugin.md) shows how. The types of the arguments are in
[the plugin API](plugin-api.md). The examples are methods of classes; in a module the same functions
stand without `self`. A test loads and calls each of them.

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
    for label in FIELDS:
        contract = contract.replace(f"\n{label}:", f"\n- **{label}**:")
    users = ", ".join(f"`{each}`" for each in _users().get(name, ()))
    contract += f"\n- **Built-in plugins with it**: {users or 'none'}"
    return f"### `{name}({parameters})`\n\n{contract}\n\n```python\n{_example(name)}\n```\n"


@cache
def _users() -> dict[str, list[str]]:
    """The built-in plugins that implement each hook."""
    manager = PluginManager(load=(), discover=list)
    manager.load()
    found: dict[str, list[str]] = {}
    for plugin in manager.describe():
        for hook in plugin.hooks:
            found.setdefault(hookspecs.PREFIX + hook, []).append(plugin.name)
    return found


def _example(hook: str) -> str:
    """The function of `hook_examples.py`; where a class has no other hook, the class."""
    text = EXAMPLES.read_text(encoding="utf-8")
    for each in ast.parse(text).body:
        if isinstance(each, ast.ClassDef):
            functions = [node for node in each.body if isinstance(node, ast.FunctionDef)]
            hooks = [node for node in functions if node.name.startswith(hookspecs.PREFIX)]
            for node in hooks:
                if node.name == hook and len(hooks) == 1:
                    return ast.get_source_segment(text, each) or ""
                if node.name == hook:
                    return f"@hookimpl\n{dedent('    ' + (ast.get_source_segment(text, node) or ''))}"
    raise LookupError(f"{EXAMPLES} has no example of {hook}")


if __name__ == "__main__":
    Path(__file__).with_name("hooks.md").write_text(page(), encoding="utf-8")
