"""Writes `plugin-api.md`, every public name for authors of plugins; run by `make_api.py`, which runs all."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import public_api

from blastbeat import API_VERSION
from blastbeat.plugin_api import PUBLIC_MODULES

HEAD = f"""\
# The plugin API, name by name

<!-- Written by docs/reference/make_plugin_api.py from the source: change the docstrings there. -->

All that a plugin may import: version {API_VERSION[0]}.{API_VERSION[1]} of the plugin API.
[Versions of the plugin API](../explanation/plugin-api-versions.md) says what that promises. When which
function of a plugin is called is in [Hooks](hooks.md); to begin with,
[Write a plugin](../how-to/write-a-plugin.md).
"""

TESTS = "For its tests a plugin has `blastbeat.testing` besides; to run the server needs none of it."


def page() -> str:
    """The page."""
    parts = [HEAD]
    for module in (*PUBLIC_MODULES, public_api.TESTING):
        about = (ast.get_docstring(public_api.parse(module)) or "").split("\n\n")[0]
        parts.append(f"## `{module}`\n\n{' '.join(about.split())}\n")
        if module == public_api.TESTING:
            parts.append(f"{TESTS}\n")
        parts.extend(_module(public_api.public_names(module)))
    return "\n".join(parts)


def _module(names: list[public_api.Public]) -> Iterator[str]:
    """Classes with members get a heading, everything else a row."""
    rows = [(_call(each), each.doc) for each in names if not each.members]
    if rows:
        yield _table(rows)
    for each in names:
        if each.members:
            yield f"### `{each.name}`\n"
            if each.text:
                yield f"`class {each.name}{each.text.partition(' ')[0]}`\n"
            if each.doc:
                yield f"{each.doc}\n"
            yield _table([(f"{member.name}{member.text}", member.doc) for member in each.members])


def _call(each: public_api.Public) -> str:
    if each.kind == "name":
        return f"{each.name} {each.text}"
    return f"{'class ' if each.kind == 'class' else ''}{each.name}{each.text}"


def _table(rows: list[tuple[str, str]]) -> str:
    lines = []
    for call, doc in rows:
        text = " ".join(doc.split("\n\n")[0].split())
        is_async = call.endswith(" async")
        call = f"async {call.removesuffix(' async')}" if is_async else call
        lines.append(f"| `{_cell(call)}` | {_cell(text)} |\n")
    return f"| | |\n| --- | --- |\n{''.join(lines)}"


def _cell(text: str) -> str:
    return text.replace("(self, ", "(").replace("(self)", "()").replace("|", "\\|")


if __name__ == "__main__":
    Path(__file__).with_name("plugin-api.md").write_text(page(), encoding="utf-8")
