"""Targets with placeholders, as `redirect` and `rewrite` take them: ``/new{rest}?id={1}``.

What a placeholder brings in can never change the meaning of what is written around it: behind a ``?`` it is
quoted as one value. Knows no request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from urllib.parse import quote_from_bytes

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*|[0-9]{1,2})\}")
_TEXT = re.compile(r"[!-;=?-\[\]_a-z|~]*")  # printable ASCII but space " < > \ ^ ` { }
_VALUE_SAFE = "/"

Values = Callable[[str], tuple[bytes, bytes]]
"""Of a placeholder's name: how it stands in a path, and what it is before any quoting."""


class Template:
    """`text` with the placeholders in `known`. Raises ValueError for any other, and for what can't stand in a
    target."""

    def __init__(self, text: str, known: Collection[str]) -> None:
        self.text = text
        self.names: set[str] = set()
        self.is_relative = text.startswith(("/", "{path}", "{rest}", "{uri}"))
        self.has_query = False  # what was read so far
        self._parts: list[tuple[bytes, str, bool]] = []  # text, the placeholder behind it, is in the query
        position = 0
        for match in _PLACEHOLDER.finditer(text):
            if match[1] not in known:
                raise ValueError(f"has the placeholder {match[0]}; known: {_listed(known)}")
            self._add(text[position : match.start()], match[1])
            position = match.end()
        self._add(text[position:], "")

    def _add(self, text: str, name: str) -> None:
        if not _TEXT.fullmatch(text):
            raise ValueError(f"has characters that can't stand in a URL in {text!r}; write them as %XX")
        self.has_query = self.has_query or "?" in text
        self._parts.append((text.encode(), name, self.has_query))
        if name == "query" and not self.has_query:
            raise ValueError("has {query} without a ? before it; write ?{query}")
        if name:
            self.names.add(name)
        if name == "uri":
            self.has_query = True

    @property
    def takes_query(self) -> bool:
        """The request's query has its place in it."""
        return not self.names.isdisjoint(("query", "uri"))

    def fill(self, values: Values) -> bytes:
        """The text with the placeholders' values."""
        filled = []
        for text, name, in_query in self._parts:
            filled.append(text)
            if name:
                in_path, plain = values(name)
                if in_query and name != "query":
                    in_path = quote_from_bytes(plain, _VALUE_SAFE).encode()
                filled.append(in_path)
        target = b"".join(filled)
        return target.removesuffix(b"?")


def with_query(target: bytes, query: bytes) -> bytes:
    """`target` with a further query, before its fragment if it has one."""
    if not query:
        return target
    base, mark, fragment = target.partition(b"#")
    return base + (b"&" if b"?" in base else b"?") + query + mark + fragment


def one_slash(target: bytes) -> bytes:
    """A target within this host: `//other.example/` would lead to another one."""
    return b"/" + target.lstrip(b"/\\")


def rest_of(path: bytes, prefix: bytes) -> bytes:
    """What lies behind `prefix` in a path below it: empty, or beginning with a slash."""
    return path if prefix == b"/" else path[len(prefix) :]


def _listed(known: Collection[str]) -> str:
    return " ".join(f"{{{name}}}" for name in known) or "none"
