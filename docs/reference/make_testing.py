"""Write testing.md from docstrings: `python docs/reference/make_testing.py`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import blastbeat.testing
from blastbeat.testing import contract, pytest_plugin, strategies

HEAD = """\
# Testing plugins

<!-- Written by docs/reference/make_testing.py from docstrings: change the words there. -->

Everything that `blastbeat.testing` has for authors of plugins; [Test a plugin](../how-to/test-a-plugin.md)
shows how it goes together. The extra `testing` installs what it needs. pytest loads the fixtures wherever
BlastBeat is installed (`-p no:blastbeat` keeps them out); they import nothing before a test asks for one.
"""

FIXTURES = ("blastbeat_server", "blastbeat_node", "blastbeat_client", "blastbeat_clock")


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## Fixtures\n"]
    fixtures = ((name, _function_of(getattr(pytest_plugin, name))) for name in FIXTURES)
    parts += [f"### `{name}`\n\n{_words(function)}\n" for name, function in fixtures]
    parts += ["## Contracts\n", f"{_words(contract.Contract)}\n", _attributes(contract.Contract)]
    names = sorted(blastbeat.testing.__all__)
    for name in (name for name in names if name.endswith("Contract")):
        parts.append(_contract(name, getattr(blastbeat.testing, name)))
    parts.append("## Objects\n")
    for name in names:
        found = getattr(blastbeat.testing, name)
        if inspect.isclass(found) and not name.endswith("Contract"):
            parts.append(_class(name, found))
    parts.append("## Functions\n")
    for name in names:
        found = getattr(blastbeat.testing, name)
        if inspect.isfunction(found):
            parts.append(f"### `{name}{_signature(found)}`\n\n{_words(found)}\n")
    parts += ["## Strategies\n", f"{_words(strategies)}\n"]
    parts += [f"- `strategies.{name}`" for name in _strategies()]
    return "\n".join(parts).rstrip() + "\n"


def _strategies() -> list[str]:
    own = [name for name in vars(strategies) if not name.startswith("_")]
    makers = [
        name for name in own if getattr(vars(strategies)[name], "__module__", "") == strategies.__name__
    ]
    values = [name for name in own if "SearchStrategy" in str(strategies.__annotations__.get(name, ""))]
    return sorted({*makers, *values})


def _contract(name: str, of: Any) -> str:
    tests = [test for test, _ in inspect.getmembers(of, inspect.isfunction) if test.startswith("test_")]
    words = [f"### `{name}`\n", f"{_words(of)}\n"]
    words += [f"- {test.removeprefix('test_').replace('_', ' ')}" for test in tests]
    return "\n".join([*words, ""])


def _class(name: str, of: Any) -> str:
    parts = [f"### `{name}`\n", f"{_words(of)}\n"]
    for member, found in vars(of).items():
        if member.startswith("_"):
            continue
        if isinstance(found, property):
            parts.append(f"- `{member}`: {_line(found)}" if _line(found) else f"- `{member}`")
        elif inspect.isfunction(found):
            told = f": {_line(found)}" if _line(found) else ""
            parts.append(f"- `{member}{_signature(found)}`{told}")
    return "\n".join([*parts, ""])


def _attributes(of: Any) -> str:
    """Those that are documented by a string behind them, as they are in the source."""
    rows = ["| attribute | what it says |", "| --- | --- |"]
    rows += [f"| `{name}` | {words} |" for name, words in _documented(of)]
    return "\n".join([*rows, ""])


def _documented(of: Any) -> Iterator[tuple[str, str]]:
    lines = [line.strip() for line in inspect.getsource(of).splitlines()]
    for place, line in enumerate(lines):
        name, colon, _ = line.partition(":")
        if colon and name.isidentifier() and lines[place + 1].startswith('"""'):
            end = next(at for at in range(place + 1, len(lines)) if lines[at].endswith('"""'))
            yield name, " ".join(lines[place + 1 : end + 1]).strip('"').replace("|", "\\|")


def _signature(function: Any) -> str:
    parameters = list(inspect.signature(function).parameters.values())
    if parameters and parameters[0].name == "self":
        parameters = parameters[1:]
    return str(inspect.Signature(parameters)).replace("'", "")


def _function_of(fixture: Any) -> Any:
    return getattr(fixture, "_fixture_function", None) or fixture.__wrapped__


def _words(of: Any) -> str:
    return inspect.getdoc(of) or ""


def _line(of: Any) -> str:
    return " ".join(_words(of).split())


if __name__ == "__main__":
    Path(__file__).with_name("testing.md").write_text(page(), encoding="utf-8")
