"""The TOML notation: text to rows, with ``${NAME}`` taken from the environment.

Knows the sections but no option. `include` is only collected here; files.py follows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import tomli

from blastbeat.config import rows
from blastbeat.config.rows import Document, Row, Section
from blastbeat.config.toml_lines import KeyPath, locate_keys
from blastbeat.config.values import did_you_mean
from blastbeat.errors import Problem

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_TABLES = {
    "blastbeat": rows.SERVER,
    "plugins": rows.PLUGINS,
    "vhost": rows.VIRTUALHOST,
    "plugin": rows.PLUGIN,
}
NODE = "node"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LINE_OF_ERROR = re.compile(r"\(at line ([0-9]+), column [0-9]+\)|\(at end of document\)")


def read_toml(text: str, file: str, environ: Mapping[str, str]) -> Document:
    """The sections of a TOML file. Never raises; what cannot be read is in the document's problems."""
    document = Document()
    try:
        tables = tomli.loads(text)
    except (ValueError, RecursionError) as problem:
        # tomli passes on int()'s ValueError for a number of thousands of digits.
        document.problems.append(syntax_problem(problem, text, file))
        document.is_incomplete = True
        return document
    _Reader(document, file, environ, locate_keys(text)).read(tables)
    return document


def syntax_problem(error: Exception, text: str, file: str) -> Problem:
    message = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
    match = _LINE_OF_ERROR.search(message)
    line = 0
    if match:
        line = int(match[1]) if match[1] else text.count("\n") + 1
        message = message.replace(match[0], "").strip()
    hint = ""
    if re.search(r"^[ \t]*\[(blastbeat|plugin):", text, re.MULTILINE):
        hint = "that is the ini notation, and this file is read as TOML: give it a name that ends in .ini"
    return Problem(f"not TOML: {rows.printable(message[:200])}", file=file, line=line, hint=hint)


def _shown(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else f'"{rows.printable(name)}"'


class _Reader:
    def __init__(
        self, document: Document, file: str, environ: Mapping[str, str], lines: Mapping[KeyPath, int]
    ) -> None:
        self.document = document
        self.file = file
        self.environ = environ
        self.lines = lines
        self.used: list[str] = []  # variables of the environment, by the row at hand

    def read(self, tables: Mapping[str, Any]) -> None:
        for key, value in tables.items():
            if key == NODE and isinstance(value, dict):
                continue  # for `blastbeat node`, which may share the file
            if key == "include":
                self.document.includes += self._rows(key, value, (key,), "")
            elif key not in _TABLES and isinstance(value, dict):
                self._further_tables(key, value)
            elif not isinstance(value, dict) or key not in _TABLES:
                self._misplaced(key, value)
            elif _TABLES[key] in (rows.SERVER, rows.PLUGINS):
                self._section(_TABLES[key], "", key, value, (key,))
            else:
                self._named_sections(_TABLES[key], key, value)

    def _further_tables(self, word: str, tables: Mapping[str, Any]) -> None:
        """Tables of a kind that is not ours."""
        shown = _shown(word)
        outside = Section(rows.TABLE, "", shown, self.file, self._line((word,)), word=word)
        for name, table in tables.items():
            if isinstance(table, dict) and name:
                label = f"{shown}.{_shown(name)}"
                self._section(rows.TABLE, name, label, table, (word, name), word=word)
            else:
                outside.rows.append(self._row(name, table, shown, self._line((word, name))))
        if outside.rows or not tables:
            self.document.sections.append(outside)

    def _misplaced(self, key: str, value: object) -> None:
        hint = did_you_mean(key, (*_TABLES, "include"))
        if key in _TABLES:
            message, hint = "must be a table", f"write [{key}]" if key in ("blastbeat", "plugins") else hint
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            message, hint = "unknown section", hint or f"tables have a name: [{_shown(key)}.NAME]"
        else:
            message, hint = (
                "stands before the first section",
                hint or "keys belong below [blastbeat] or a [vhost]",
            )
        self.document.problems.append(
            Problem(message, file=self.file, line=self._line((key,)), key=rows.printable(key), hint=hint)
        )

    def _named_sections(self, kind: str, key: str, tables: Mapping[str, Any]) -> None:
        for name, table in tables.items():
            path = (key, name)
            label = f"{key}.{_shown(name)}" if kind == rows.PLUGIN else f'{key}."{rows.printable(name)}"'
            if isinstance(table, dict):
                self._section(kind, name, label, table, path)
                if kind == rows.VIRTUALHOST and isinstance(table.get("route"), dict):
                    self._routes(name, label, table["route"], (*path, "route"))
                continue
            hint = f'write [{key}."NAME"] above the keys of a {kind}'
            problem = Problem(
                "must be a table", file=self.file, line=self._line(path), section=label, hint=hint
            )
            self.document.problems.append(problem)

    def _routes(self, host: str, host_label: str, tables: Mapping[str, Any], path: KeyPath) -> None:
        for name, table in tables.items():
            label = f"{host_label}.route.{_shown(name)}"
            if isinstance(table, dict):
                self._section(rows.ROUTE, name, label, table, (*path, name), host)
                continue
            hint = f'write [{host_label}.route."/PATH"] above the keys of a route'
            line = self._line((*path, name))
            problem = Problem("must be a table", file=self.file, line=line, section=label, hint=hint)
            self.document.problems.append(problem)

    def _section(
        self,
        kind: str,
        name: str,
        label: str,
        table: Mapping[str, Any],
        path: KeyPath,
        host: str = "",
        word: str = "",
    ) -> None:
        section = Section(kind, name, label, self.file, self._line(path), host=host, word=word)
        for key, value in table.items():
            if kind == rows.VIRTUALHOST and key == "route" and isinstance(value, dict):
                section.is_implied = len(table) == 1
            elif kind in (rows.PLUGIN, rows.TABLE):
                # A plugin's table is its own business: one row, whatever the shape.
                line = self._line((*path, key))
                section.rows.append(self._row(key, value, label, line))
            else:
                section.rows += self._rows(key, value, (*path, key), label)
        self.document.sections.append(section)

    def _rows(self, key: str, value: object, path: KeyPath, label: str) -> list[Row]:
        if not isinstance(value, list):
            line = self._line(path)
            return [self._row(key, value, label, line)]
        if not value:
            return [Row(key, "", self.file, self._line(path), is_listed=True)]
        found = []
        for index, item in enumerate(value):
            line = self.lines.get((*path, str(index))) or self._line(path)
            found.append(self._row(key, item, label, line, is_listed=True))
        return found

    def _row(self, key: str, value: object, label: str, line: int, is_listed: bool = False) -> Row:
        self.used = []
        expanded = self._expand(value, label, key, line)
        return Row(key, expanded, self.file, line, tuple(self.used), is_listed)

    def _line(self, path: KeyPath) -> int:
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return 0

    def _expand(self, value: object, label: str, key: str, line: int) -> object:
        if isinstance(value, str):
            return self._expand_text(value, label, key, line) if "${" in value else value
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            # TOML's own bound; tomli reads hexadecimal numbers of any length, and str() has a limit.
            message = "is a number of more than 64 bits"
            self.document.problems.append(
                Problem(message, "error", self.file, line, label, rows.printable(key))
            )
            return 0
        if isinstance(value, list):
            return [self._expand(item, label, key, line) for item in value]
        if isinstance(value, dict):
            return {name: self._expand(item, label, key, line) for name, item in value.items()}
        return value

    def _expand_text(self, text: str, label: str, key: str, line: int) -> str:
        def refuse(message: str, hint: str = "") -> str:
            problem = Problem(
                message, "error", self.file, line, label, rows.printable(key), rows.show(text), hint
            )
            self.document.problems.append(problem)
            return ""

        def resolve(match: re.Match[str]) -> str:
            if match[0] == "$${":
                return "${"
            name = _NAME.fullmatch(match[1])
            if name is None or not match[0].endswith("}"):
                return refuse(
                    f"has a bad reference {match[0]!r}", "write ${NAME}, or $${ for the characters ${"
                )
            self.used.append(name[1])
            if name[1] in self.environ:
                return self.environ[name[1]]
            if name[2] is not None:
                return name[2]
            return refuse(f"the environment has no {name[1]}", f"set it, or write ${{{name[1]}:-default}}")

        return _REFERENCE.sub(resolve, text)
