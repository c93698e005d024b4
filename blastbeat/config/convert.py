"""The ini notation as TOML that means the same: only what was set, in its order, with its comments.

Reads one ini file. Every value goes the way build.py takes it, so that what cannot be used is told, not
converted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from blastbeat.config import rows
from blastbeat.config.build import Declare, build
from blastbeat.config.files import is_toml, read_files
from blastbeat.config.ini import comment_of
from blastbeat.config.model import Address
from blastbeat.config.option import Option
from blastbeat.config.options import PLUGINS_KEYS, ROUTE_KEYS, SERVER_KEYS, VIRTUALHOST_KEYS
from blastbeat.config.rows import Document, Row, Section
from blastbeat.config.show import written_value
from blastbeat.config.toml_text import key_text, quote, value_text
from blastbeat.config.values import BadValue, Count, Flag, Quantity
from blastbeat.errors import Problem

_KEYS: Mapping[str, Mapping[str, Option]] = {
    rows.SERVER: SERVER_KEYS,
    rows.VIRTUALHOST: VIRTUALHOST_KEYS,
    rows.ROUTE: ROUTE_KEYS,
    rows.PLUGINS: PLUGINS_KEYS,
}
_WHOLE = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


def convert(path: Path, declare: Declare | None = None) -> tuple[str, list[Problem]]:
    """The text, and what is wrong with the file or is read otherwise than the original did. Where one of the
    problems is an error, the text is empty. `declare` says what plugins add to the configuration; it raises
    what that does."""
    if is_toml(path):
        return "", [Problem("this is TOML already, by its name", file=str(path))]
    document = read_files(path, {})
    built = build(document, str(path), {}, declare)
    problems = built.problems
    if any(problem.severity == "error" for problem in problems):
        return "", problems
    # TOML puts a route below its virtualhost, whose name it must have letter by letter.
    hosts = {id(route.settings.section): route.config.policy.name for route in built.routes}
    writer = _Writer(document, _lines(path), hosts, problems)
    return writer.write(), problems


def _lines(path: Path) -> list[str]:
    # The reader has accepted the file a moment ago.
    return path.read_text(encoding="utf-8-sig").replace("\r\n", "\n").split("\n")


class _Writer:
    def __init__(
        self, document: Document, lines: Sequence[str], hosts: Mapping[int, str], problems: list[Problem]
    ) -> None:
        self._document, self._lines, self._hosts, self._problems = document, lines, hosts, problems
        self._told = 0  # lines whose comments are written

    def write(self) -> str:
        parts: list[str] = []
        for section in self._document.sections:
            above = self._comments(section.line)
            if parts and "" not in above:
                parts.append("")
            parts += above
            parts.append(f"[{self._header(section)}]{self._behind(section.line)}")
            parts += self._section(section)
        parts += self._comments(len(self._lines) + 1)
        while parts and not parts[-1]:
            parts.pop()
        while parts and not parts[0]:
            del parts[0]
        return "".join(f"{line}\n" for line in parts)

    def _header(self, section: Section) -> str:
        if section.kind == rows.VIRTUALHOST:
            return f"vhost.{quote(section.name)}"
        if section.kind == rows.ROUTE:
            return f"vhost.{quote(self._hosts[id(section)])}.route.{quote(section.name)}"
        if section.kind == rows.PLUGIN:
            return f"plugin.{key_text(section.name)}"
        if section.kind == rows.TABLE:
            return f"{section.word}.{key_text(section.name)}"
        return "blastbeat" if section.kind == rows.SERVER else "plugins"

    def _section(self, section: Section) -> Iterator[str]:
        options = _KEYS.get(section.kind, {})
        for name, found in rows.by_key(section.rows).items():
            for row in found:  # a key that stands in several places is one list at the first
                yield from (line for line in self._comments(row.line) if line)
            option = options.get(name)
            value = self._plain(found) if option is None else self._value(section, option, found)
            notes = [note for row in found if (note := self._behind(row.line).strip(" #"))]
            behind = f"  # {'; '.join(notes)}" if notes else ""
            yield f"{key_text(name)} = {value_text(value)}{behind}"

    def _plain(self, found: Sequence[Row]) -> Any:
        """A plugin's own option: text, as ini has nothing else."""
        return found[0].value if len(found) == 1 else [row.value for row in found]

    def _value(self, section: Section, option: Option, found: Sequence[Row]) -> Any:
        written = [item for row in found for item in self._items(section, option, row)]
        if not option.repeated:
            return written[0]
        return written[0] if len(written) == 1 else written

    def _items(self, section: Section, option: Option, row: Row) -> Iterator[Any]:
        text = str(row.value)
        if not option.repeated:
            yield _as_one_would(option, text, option.parse(text))
        elif text:
            for value in option.parse_all(text):
                if isinstance(value, Address) and len(text.split()) > 1 + value.proxy_protocol:
                    message = "the PRIORITY after the address is left out: it has no meaning here"
                    self._problems.append(rows.problem_at(section, row, message, severity="warning"))
                yield _as_one_would(option, text, value)

    def _comments(self, line: int) -> list[str]:
        """What stands above a line and was not written yet: comments, and one empty line for several."""
        found: list[str] = []
        for text in self._lines[self._told : max(line - 1, self._told)]:
            stripped = text.strip()
            if stripped and stripped[0] in ";#":
                found.append(_comment(stripped))
            elif not stripped and (not found or found[-1]):
                found.append("")
        self._told = max(self._told, line)
        return found

    def _behind(self, line: int) -> str:
        comment = comment_of(self._lines[line - 1])
        return f"  {_comment(comment)}" if comment else ""


def _comment(text: str) -> str:
    # TOML allows no control characters, in comments either.
    words = "".join(mark if mark.isprintable() else " " for mark in text.lstrip(";#"))
    return f"# {words.strip()}".rstrip()


def _as_one_would(option: Option, text: str, value: Any) -> Any:
    """A number as a number, a word as a word; whatever keeps the text that its author chose."""
    kind = option.kind
    if isinstance(kind, (Count, Flag)):
        return value
    if isinstance(kind, Quantity):
        return int(text) if _WHOLE.fullmatch(text.strip()) else text.strip()
    written = written_value(option, (value,) if option.repeated else value)
    if not isinstance(written, str):
        return written
    # A text is kept as it was written where it is read the same: file names, networks.
    candidates = (text.strip(),) if not option.repeated else text.replace(",", " ").split()
    return next((each for each in candidates if _is_read_as(option, each, value)), written)


def _is_read_as(option: Option, text: str, value: Any) -> bool:
    try:
        return bool(option.kind.parse(text) == value)
    except BadValue:
        return False
