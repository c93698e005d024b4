"""What plugins build on, read from the source: every public name, its signature and its docstring.

Shared by the scripts here that write lists and pages of it. Imports nothing of BlastBeat but versions and
the list of public modules.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import blastbeat
from blastbeat.plugin_api import PUBLIC_MODULES

HOOKS = "blastbeat.hookspecs"
TESTING = "blastbeat.testing"
PACKAGE = Path(blastbeat.__file__).parent


@dataclass(frozen=True)
class Member:
    """A method, a property or a field of a class. `text`: as its line in the list says it."""

    name: str
    text: str
    doc: str = ""


@dataclass(frozen=True)
class Public:
    """One public name. `kind`: class, function, value, or `name` for what another public module has."""

    module: str
    name: str
    kind: str
    text: str
    doc: str = ""
    members: tuple[Member, ...] = ()


@cache
def parse(module: str) -> ast.Module:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def hooks() -> list[Public]:
    """The hook specifications, in the order of the file."""
    return [each for each in public_names(HOOKS) if each.name.startswith("blastbeat_")]


def all_names() -> list[Public]:
    """Of all public modules, by module; of the contracts for tests only that they are there."""
    return [each for module in (*PUBLIC_MODULES, TESTING) for each in public_names(module)]


def public_names(module: str) -> list[Public]:
    """Those of one module in the order of its source; what it hands on stands behind."""
    tree = parse(module)
    listed = _listed(tree)
    found = [each for each in _definitions(module, tree) if listed is None or each.name in listed]
    if listed is not None:
        own = {each.name for each in found}
        found += filter(None, (_imported(module, tree, name) for name in listed if name not in own))
    return found


def _listed(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return None


def _imported(module: str, tree: ast.Module, name: str) -> Public | None:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("blastbeat"):
            if name in {alias.name for alias in node.names}:
                if node.module in PUBLIC_MODULES or node.module == HOOKS:
                    return Public(module, name, "name", f"is {node.module}.{name}")
                there = {each.name: each for each in public_names(node.module)}[name]
                members = () if module == TESTING else there.members  # there are more tests with each release
                return Public(module, name, there.kind, there.text, there.doc, members)
    return None


def _definitions(module: str, tree: ast.Module) -> Iterator[Public]:
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef) and _is_public(node.name):
            yield Public(module, node.name, "class", _bases(node), _doc(node), tuple(_members(node)))
        elif isinstance(node, ast.FunctionDef) and _is_public(node.name):
            yield Public(module, node.name, "function", signature(node), _doc(node))
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            name = ast.unparse(target)
            is_type_variable = node.value is not None and ast.unparse(node.value).startswith("TypeVar(")
            if _is_public(name) and name.isidentifier() and not is_type_variable:
                yield Public(module, name, "value", _value(node), _doc_behind(after))


def _is_public(name: str) -> bool:
    return not name.startswith("_")


def _value(node: ast.AnnAssign | ast.Assign) -> str:
    if isinstance(node, ast.AnnAssign):
        kind = ast.unparse(node.annotation)
        return f" = {ast.unparse(node.value)}" if kind == "TypeAlias" and node.value else f": {kind}"
    return ""


def _bases(node: ast.ClassDef) -> str:
    decorators = [ast.unparse(each) for each in node.decorator_list]
    kept = [f"@{each}" for each in decorators if not each.startswith("runtime_checkable")]
    bases = [ast.unparse(each) for each in node.bases]
    return " ".join([f"({', '.join(bases)})" if bases else "", *kept]).rstrip()


def _members(node: ast.ClassDef) -> Iterator[Member]:
    for inner, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            if _is_public(inner.name) or inner.name in ("__init__", "__call__"):
                is_property = any(ast.unparse(each) == "property" for each in inner.decorator_list)
                text = (
                    f" -> {ast.unparse(inner.returns)}" if is_property and inner.returns else signature(inner)
                )
                yield Member(inner.name, text, _doc(inner))
        elif isinstance(inner, ast.AnnAssign) and _is_public(ast.unparse(inner.target)):
            default = f" = {ast.unparse(inner.value)}" if inner.value is not None else ""
            text = f": {ast.unparse(inner.annotation)}{default}"
            yield Member(ast.unparse(inner.target), text, _doc_behind(after))
        elif isinstance(inner, ast.Assign) and _is_public(ast.unparse(inner.targets[0])):
            yield Member(ast.unparse(inner.targets[0]), f" = {ast.unparse(inner.value)}", _doc_behind(after))


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """As it is written, without the name: ``(view: RequestView) -> None``. `async` where one awaits it."""
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    awaited = " async" if isinstance(node, ast.AsyncFunctionDef) else ""
    return f"({ast.unparse(node.args)}){returns}{awaited}"


def _doc(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return ast.get_docstring(node) or ""


def _doc_behind(node: ast.stmt | None) -> str:
    """A text that stands behind a value."""
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ):
        return " ".join(node.value.value.split())
    return ""
