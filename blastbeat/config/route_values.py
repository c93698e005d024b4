"""What a route asks of a request, from text to the model's values: a path, a header field, a cookie.

Knows no option, as values.py does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from blastbeat.config.model import FieldMatch
from blastbeat.config.values import BadValue, Kind
from blastbeat.paths import format_path, normalise

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)


def path_text(path: bytes) -> str:
    """A normalised path as the model holds it; `path_bytes` gives it back."""
    return path.decode("utf-8", "surrogateescape")


def path_bytes(text: str) -> bytes:
    """A path of the model as requests' paths are compared with it."""
    return text.encode("utf-8", "surrogateescape")


class PathPrefix(Kind):
    """The beginning of a path: `/api`, with everything below it. Kept as it is compared."""

    label = "path"

    def parse(self, value: object) -> str:
        if not isinstance(value, str):
            raise BadValue("is not a text; write it in quotes")
        text = value.strip()
        if text[:1] != "/":
            raise BadValue("does not begin with /", f"write /{text}" if text and text != "*" else "write /")
        if not text.isprintable():
            raise BadValue("contains characters that cannot be printed")
        if "?" in text or "#" in text:
            raise BadValue("has more than a path in it; a query is not looked at")
        if text.endswith("/*"):
            raise BadValue("needs no * to hold what is below it", f"write {text[:-2] or '/'}")
        path = normalise(text.encode()).rstrip(b"/") or b"/"
        # Escapes and a slash at the end are fine; what is gone from each path that is compared is not.
        if path != (unquote_to_bytes(text).rstrip(b"/") or b"/"):
            raise BadValue(f"is the same as {self.format(path_text(path))}", "write that")
        return path_text(path)

    def format(self, value: Any) -> str:
        return format_path(path_bytes(value)).decode()


@dataclass(frozen=True)
class FieldMatchKind(Kind):
    """A name, or a name and the value it must have: `X-Beta`, `X-Beta=yes`.

    `folds_case`: names are compared in lower case, as those of header fields are.
    """

    what: str
    folds_case: bool

    @property
    def label(self) -> str:  # type: ignore[override]
        return f"{self.what}, or {self.what}=value"

    def parse(self, value: object) -> FieldMatch:
        text = value.strip() if isinstance(value, str) else ""
        name, equals, wanted = text.partition("=")
        if not _TOKEN.fullmatch(name.strip()):
            raise BadValue(f"is not the name of a {self.what}; write NAME, or NAME=VALUE")
        if not wanted.isprintable():
            raise BadValue("contains characters that cannot be printed")
        name = name.strip().lower() if self.folds_case else name.strip()
        return FieldMatch(name, wanted.strip() if equals else None)

    def format(self, value: Any) -> str:
        return value.name if value.value is None else f"{value.name}={value.value}"
