"""Validators for the options of plugins: what the configuration's own keys accept, in both notations.

Each takes a text (ini) or a typed value (TOML) and returns what the plugin gets, or raises ValueError saying
what would be right. Knows no plugin; a validator of a plugin's own is any function of that form.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from blastbeat.config.values import RATE, SIZE, TIME, BadValue, Choice, Count, Flag, Kind, Text
from blastbeat.forwarding import is_passed_on
from blastbeat.headers import is_field
from blastbeat.interfaces import Validator
from blastbeat.paths import normalise

__all__ = [
    "FileContent",
    "Frequency",
    "choice",
    "field",
    "fields",
    "flag",
    "frequency",
    "path_prefix",
    "rate",
    "read_file",
    "secret",
    "several",
    "size",
    "status",
    "text",
    "time",
    "tokens",
    "told_fields",
    "whole",
    "words",
]


def _one(value: object) -> object:
    """`value`, unless it is several."""
    if isinstance(value, list | tuple):
        raise BadValue("is given more than once; it takes one value")
    return value


def _bounded(kind: Kind, minimum: float, maximum: float) -> Validator:
    def validate(value: object) -> Any:
        parsed = kind.parse(_one(value))
        if not minimum <= parsed <= maximum:
            raise BadValue(f"must be from {kind.format(minimum)} to {kind.format(maximum)}")
        return parsed

    return validate


def whole(minimum: int, maximum: int) -> Validator:
    """A whole number within bounds, both included."""
    return _bounded(Count(), minimum, maximum)


def status(*known: int) -> Validator:
    """One of the statuses in `known`."""

    def validate(value: object) -> int:
        parsed = Count().parse(_one(value))
        if parsed not in known:
            raise BadValue(f"must be one of {', '.join(map(str, known))}")
        return parsed

    return validate


def time(minimum: float, maximum: float) -> Validator:
    """Seconds (float): ``5``, ``"500ms"``, ``"2m"``. The bounds are seconds, both included."""
    return _bounded(TIME, minimum, maximum)


def size(minimum: int, maximum: int) -> Validator:
    """Bytes (int): ``65536``, ``"64KiB"``. The bounds are bytes, both included."""
    return _bounded(SIZE, minimum, maximum)


def rate(minimum: int, maximum: int) -> Validator:
    """Bytes per second (int): ``"10Mbit/s"``, ``"1MiB/s"``; a plain number is kbit/s, as for `bandwidth`."""
    return _bounded(RATE, minimum, maximum)


class Frequency(float):
    """Times per second, and how it was `written`."""

    written = ""


_FREQUENCY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*(?:/\s*(s|m|min|h))?", re.ASCII)
_SECONDS = {None: 1, "s": 1, "m": 60, "min": 60, "h": 3600}


def frequency(minimum: float, maximum: float) -> Validator:
    """How often (`Frequency`): ``"10/s"``, ``"100/m"``, ``"1000/h"``; a plain number is per second. So are
    the bounds, both included."""

    def validate(value: object) -> Frequency:
        one = _one(value)
        written = str(one) if isinstance(one, int | float) and not isinstance(one, bool) else one
        match = _FREQUENCY.fullmatch(written.strip()) if isinstance(written, str) else None
        if match is None:
            raise BadValue("is not a rate; write for example 10/s, 100/m or 1000/h")
        found = Frequency(float(match[1]) / _SECONDS[match[2]])
        if not minimum <= found <= maximum:
            raise BadValue(f"must be from {_often(minimum)} to {_often(maximum)}")
        found.written = str(written).strip()
        return found

    return validate


def _often(per_second: float) -> str:
    return f"{per_second:.10g}/s" if per_second >= 1 else f"{per_second * 3600:.10g}/h"


def text(value: object) -> str:
    """One line of text, white space around it removed."""
    return Text().parse(_one(value))


def flag(value: object) -> bool:
    """Yes or no."""
    return Flag().parse(_one(value))


def choice(*known: str) -> Validator:
    """One of a few words, in lower case."""
    kind = Choice(known)
    return lambda value: kind.parse(_one(value))


def secret(validate: Validator) -> Validator:
    """The same, for a value that nobody may see: messages, `config show` and what a reload is told to change
    leave it out. What `validate` raises must not repeat it."""

    return _Secret(validate)


class _Secret:
    is_secret = True

    def __init__(self, validate: Validator) -> None:
        self._validate = validate

    def in_folder(self, folder: str) -> _Secret:
        in_folder = getattr(self._validate, "in_folder", None)
        return _Secret(in_folder(folder)) if in_folder is not None else self

    def __call__(self, value: object) -> Any:
        return self._validate(value)


class _Several:
    def __init__(self, validate: Validator) -> None:
        self._validate = validate

    def in_folder(self, folder: str) -> _Several:
        """The same for a configuration file in `folder`, where each value needs to know it."""
        in_folder = getattr(self._validate, "in_folder", None)
        return _Several(in_folder(folder)) if in_folder is not None else self

    def __call__(self, value: object) -> tuple[Any, ...]:
        values = value if isinstance(value, list | tuple) else (value,)
        return tuple(self._validate(each) for each in values)


def several(validate: Validator) -> Callable[[object], tuple[Any, ...]]:
    """A tuple of values: a list in TOML; in a line of text the option is written once for each."""
    return _Several(validate)


def words(value: object) -> tuple[str, ...]:
    """Words between spaces or commas, or a list of them."""
    found = [word for line in several(text)(value) for word in line.replace(",", " ").split()]
    if not found:
        raise BadValue("is empty; write one word or several with spaces between them")
    return tuple(found)


def tokens(value: object) -> tuple[bytes, ...]:
    """The same, each a token of HTTP (RFC 9110 §5.6.2), as names of fields and methods are."""
    found = tuple(word.encode() for word in words(value))
    for token in found:
        if not is_field(token, b""):
            raise BadValue(f"has {token.decode()!r}, which is no name")
    return found


def told_fields(value: object) -> tuple[bytes, ...]:
    """Names of fields that a request authenticator may tell nodes of, or remove (`Allow.headers`), in lower
    case: none that the server tells itself, none about the message or one connection."""
    found = tuple(token.lower() for token in tokens(value))
    for name in found:
        if not is_passed_on(name):
            raise BadValue(f"has {name.decode()!r}, which the server tells nodes itself, or not at all")
    return found


def path_prefix(value: object) -> bytes:
    """A path to compare `RequestView.path` with by `paths.is_below`: normalised, without a slash at its end.
    White space and ``?`` are refused."""
    written = text(value)
    if not written.startswith("/") or any(mark in written for mark in " ?#"):
        raise BadValue("is not a path; write /app for all of /app and what lies below it")
    return normalise(written.encode()).rstrip(b"/") or b"/"


def field(value: object) -> tuple[bytes, bytes]:
    """A header field, ``"Name: value"``: its name as written, its value in UTF-8."""
    name, colon, content = text(value).partition(":")
    if not colon:
        raise BadValue('is not a field; write "Name: value"')
    pair = name.strip().encode(), content.strip().encode()
    if not is_field(*pair):
        raise BadValue(f'has {name!r}, which is no name of a field; write "Name: value"')
    return pair


def fields(value: object) -> tuple[tuple[bytes, bytes], ...]:
    """Header fields: one ``"Name: value"`` or several, or a table of names with a value or a list of them."""
    if not isinstance(value, Mapping):
        return several(field)(value)
    lines = []
    for name, contents in value.items():
        if ":" in name:
            raise BadValue(f"has {name!r}, which is no name of a field")
        contents = contents if isinstance(contents, list | tuple) else (contents,)
        lines += [f"{name}: {text(content)}" for content in contents]
    return several(field)(lines)


class FileContent:
    """The name of a file that can be read, absolute; a relative one starts at the folder of the configuration
    file that names it. At most `limit` bytes."""

    def __init__(self, limit: int, folder: str = "") -> None:
        self._limit = limit
        self._folder = folder

    def in_folder(self, folder: str) -> FileContent:
        """The same for a configuration file in `folder`; the registry asks for it."""
        return FileContent(self._limit, folder)

    def __call__(self, value: object) -> str:
        path = os.path.abspath(os.path.join(self._folder, text(value)))
        read_file(path, self._limit)
        return path


def read_file(path: str, limit: int) -> bytes:
    """All of a file. Raises ValueError saying why it can't be, and where it was looked for."""
    try:
        with open(path, "rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise BadValue(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > limit:
        raise BadValue(f"{path} is longer than {SIZE.format(limit)}")
    return content
