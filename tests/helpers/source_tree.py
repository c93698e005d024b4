"""The project's own source as the layout tests see it: files, imports, functions.

Reads text, imports none of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Import:
    """One imported module: for `from package import module` that module. `at_load`: not inside a function."""

    module: str
    line: int
    at_load: bool


@cache
def source_modules() -> dict[str, Path]:
    """Every module of the package by dotted name; a package stands for its `__init__.py`."""
    found = {}
    for path in sorted((ROOT / "blastbeat").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imports_of(name: str) -> tuple[Import, ...]:
    """What the module `name` imports, apart from what only a type checker reads."""
    path = source_modules()[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return tuple(_imports_in(parse(path), package, at_load=True))


def imports_of_file(path: Path, package: str) -> tuple[Import, ...]:
    """What a file outside our package imports; `package` is the one it lies in, for relative imports."""
    return tuple(_imports_in(parse(path), package, at_load=True))


def _imports_in(node: ast.AST, package: str, at_load: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, at_load)
        elif isinstance(child, ast.ImportFrom):
            yield from _from_import(child, package, at_load)
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield from _imports_in(other, package, at_load)
        else:
            in_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports_in(child, package, at_load and not in_function)


def _from_import(node: ast.ImportFrom, package: str, at_load: bool) -> Iterator[Import]:
    base = node.module or ""
    if node.level:
        parents = package.split(".")
        base = ".".join([*parents[: len(parents) - node.level + 1], *filter(None, [base])])
    modules = source_modules()
    for alias in node.names:
        inner = f"{base}.{alias.name}"
        yield Import(inner if inner in modules else base, node.lineno, at_load)


def functions_of(name: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of the module, nested ones too."""
    for node in ast.walk(parse(source_modules()[name])):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
