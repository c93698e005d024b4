"""Where each key of a TOML text stands: tomli reads values but does not tell their lines.

Works on text that tomli has accepted, so it checks nothing; on other text it gives fewer lines, no error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

KeyPath = tuple[str, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = (
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")',
    r"'''.*?'{3,5}(?!')",
    r'"(?:[^"\\\n]|\\.)*"',
    r"'[^'\n]*'",
)
_STRING = re.compile("|".join(_STRINGS), re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\n]*")
_ESCAPE = re.compile(r'\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[btnfre"\\])')
_SHORT_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}
_MAX_DEPTH = 100


def locate_keys(text: str) -> Mapping[KeyPath, int]:
    """The line, from 1, of each table, key and array element, by path; elements are ``"0"``, ``"1"``…"""
    locator = _Locator(text)
    locator.run()
    return locator.implied | locator.lines


class _Locator:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.implied: dict[KeyPath, int] = {}  # tables that stand only in front of a dot
        self._counted_to = 0
        self._line = 1
        self._elements: dict[KeyPath, int] = {}

    def run(self) -> None:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            start = self.at
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table, 0)
            self._skip(_BLANK)
            if self.at == start:
                return

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match[0]

    def _take(self, mark: str) -> bool:
        if self.text.startswith(mark, self.at):
            self.at += len(mark)
            return True
        return False

    def _note(self, path: KeyPath, at: int) -> None:
        self._line += self.text.count("\n", self._counted_to, at)
        self._counted_to = at
        self.lines.setdefault(path, self._line)
        for end in range(1, len(path)):
            self.implied.setdefault(path[:end], self._line)

    def _header(self) -> KeyPath:
        start = self.at
        is_array = self._take("[[")
        if not is_array:
            self._take("[")
        path = self._key_path(())
        self._take("]]" if is_array else "]")
        if is_array:
            index = self._elements.get(path, 0)
            self._elements[path] = index + 1
            self._note(path, start)
            path = (*path, str(index))
        self._note(path, start)
        return path

    def _key_path(self, path: KeyPath) -> KeyPath:
        while True:
            self._skip(_SPACE)
            path = (*path, self._key())
            self._skip(_SPACE)
            if not self._take("."):
                return path

    def _key(self) -> str:
        if self.text.startswith("'", self.at):
            return self._skip(_STRING)[1:-1]
        if self.text.startswith('"', self.at):
            return _ESCAPE.sub(_unescape, self._skip(_STRING)[1:-1])
        return self._skip(_BARE_KEY)

    def _pair(self, table: KeyPath, depth: int) -> None:
        start = self.at
        path = self._key_path(table)
        self._note(path, start)
        self._take("=")
        self._skip(_SPACE)
        self._value(path, depth)

    def _value(self, path: KeyPath, depth: int) -> None:
        if depth > _MAX_DEPTH:
            self.at = len(self.text)
        elif self._take("["):
            self._array(path, depth + 1)
        elif self._take("{"):
            self._inline_table(path, depth + 1)
        elif not self._skip(_STRING):
            self._skip(_SCALAR)

    def _array(self, path: KeyPath, depth: int) -> None:
        index = 0
        self._skip(_BLANK)
        while self.at < len(self.text) and not self._take("]"):
            start = self.at
            element = (*path, str(index))
            self._note(element, start)
            self._value(element, depth)
            index += 1
            self._separator(start)

    def _inline_table(self, path: KeyPath, depth: int) -> None:
        self._skip(_BLANK)
        while self.at < len(self.text) and not self._take("}"):
            start = self.at
            self._pair(path, depth)
            self._separator(start)

    def _separator(self, start: int) -> None:
        self._skip(_BLANK)
        self._take(",")
        self._skip(_BLANK)
        if self.at == start:
            self.at = len(self.text)


def _unescape(match: re.Match[str]) -> str:
    word = match[1]
    if word[0] in "uU":
        code = int(word[1:], 16)
        return chr(code) if code < 0x110000 else ""
    return _SHORT_ESCAPES[word]
