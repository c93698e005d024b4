"""Writes `api.txt`, the list of all that plugins build on, and the pages made of it: `python
docs/reference/make_api.py`. With `--release` also `api-released.txt`, which later versions are compared with.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import make_hooks
import make_plugin_api
import public_api

from blastbeat import API_VERSION

CURRENT = Path(__file__).with_name("api.txt")
RELEASED = Path(__file__).with_name("api-released.txt")
TITLE = "plugin API "

IMPLEMENTED_BY_PLUGINS = {
    "Driver", "DriverFactory", "ExpectsNodes", "MessageDecoder", "NodeAuthenticator", "RequestAuthenticator",
    "RequestEncoder", "Selector", "WebSocketDriver", "WebSocketDriverFactory",
}  # fmt: skip
"""Protocols whose further member would be missing in the plugins there are."""


def listing(version: tuple[int, int] = API_VERSION) -> str:
    """The whole list: a title, and a line for each name and member."""
    lines = [f"{TITLE}{version[0]}.{version[1]}"]
    for each in [*public_api.hooks(), *public_api.all_names()]:
        name = f"{each.module}.{each.name}"
        lines.append(f"{name}{'' if each.text[:1] in ('', '(', ':', ' ', '@') else ' '}{each.text}")
        lines += [f"{name}.{member.name}{member.text}" for member in each.members]
    return "\n".join(lines) + "\n"


def version_of(text: str) -> tuple[int, int]:
    """What the title of a list says."""
    major, minor = text.partition("\n")[0].removeprefix(TITLE).split(".")
    return int(major), int(minor)


def breaches(released: str, current: str) -> list[str]:
    """What a plugin for `released` may find broken, in words; such a change needs a new major version."""
    before, now = _lines(released), _lines(current)
    found = []
    for name, text in before.items():
        if name not in now:
            found.append(f"{name} is gone")
        elif now[name] != text and not _takes_no_less(name, text, now[name]):
            found.append(f"{name}: was {text.strip()!r}, is {now[name].strip()!r}")
    for name, text in now.items():
        owner, _, member = name.rpartition(".")
        if name not in before and owner in before:
            if owner.rpartition(".")[2] in IMPLEMENTED_BY_PLUGINS:
                found.append(f"{name} is demanded of plugins that do not have it")
            elif text.startswith(":") and " = " not in text and "@dataclass" in before[owner]:
                found.append(
                    f"{name} has no default, so who makes a {owner.rpartition('.')[2]} can't any more"
                )
    return found + list(_disorder(before, now))


def needed_version(released: str, current: str) -> tuple[int, int]:
    """The lowest that `current` may have, where `released` is the list of the last release."""
    major, minor = version_of(released)
    if breaches(released, current):
        return major + 1, 0
    return (major, minor) if _lines(released) == _lines(current) else (major, minor + 1)


def _lines(text: str) -> dict[str, str]:
    """What stands behind each name."""
    found = {}
    for line in text.splitlines()[1:]:
        end = next((at for at, sign in enumerate(line) if sign in " (:"), len(line))
        found[line[:end]] = line[end:]
    return found


def _takes_no_less(name: str, before: str, now: str) -> bool:
    """Whether a function may still be called, or a hook be implemented, as before."""
    if not (before.startswith("(") and now.startswith("(") and "->" in before):
        return False
    old, new = _function(before), _function(now)
    if ast.unparse(old.returns or ast.Constant(None)) != ast.unparse(new.returns or ast.Constant(None)):
        return False
    if name.startswith(public_api.HOOKS):  # implementations may leave arguments out
        return set(_arguments(old)) <= set(_arguments(new))
    there, here = _arguments(old), _arguments(new)
    is_behind = here[: len(there)] == there and len(new.args.args) >= len(old.args.args)
    further = len(new.args.args) - len(old.args.args)
    has_defaults = len(new.args.defaults) - len(old.args.defaults) >= further
    keywords = dict(zip((each.arg for each in new.args.kwonlyargs), new.args.kw_defaults, strict=True))
    known = {each.arg for each in old.args.kwonlyargs}
    return is_behind and has_defaults and all(keywords[each] is not None for each in keywords.keys() - known)


def _function(text: str) -> ast.FunctionDef:
    head = text.removesuffix(" async")
    node = ast.parse(f"def function{head}: ...").body[0]
    assert isinstance(node, ast.FunctionDef)
    if head != text:
        node.returns = ast.Constant(f"async {ast.unparse(node.returns or ast.Constant(None))}")
    return node


def _arguments(node: ast.FunctionDef) -> list[str]:
    return [ast.unparse(each) for each in [*node.args.args, *node.args.kwonlyargs]]


def _disorder(before: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    """Fields that are given by position must stay where they are."""
    for owner, text in before.items():
        if "@dataclass" in text or "(NamedTuple)" in text:
            old = _fields(owner, before)
            new = _fields(owner, now)
            if set(old) <= set(new) and new[: len(old)] != old:
                yield f"{owner}: its fields have another order, or a new one not at the end"


def _fields(owner: str, lines: dict[str, str]) -> Sequence[str]:
    return [name for name, text in lines.items() if name.rpartition(".")[0] == owner and text.startswith(":")]


def main(arguments: Sequence[str]) -> None:
    CURRENT.write_text(listing(), encoding="utf-8")
    for pages in (make_hooks, make_plugin_api):
        path = Path(pages.__file__ or "")
        name = path.stem.removeprefix("make_").replace("_", "-")
        path.with_name(f"{name}.md").write_text(pages.page(), encoding="utf-8")
    if "--release" in arguments:
        RELEASED.write_text(listing(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
