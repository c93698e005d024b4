"""The settings of `blastbeat node` from the command line, the environment and a file, in this order.

Pure but for the file it reads. What is wrong is told with its place: option, variable, or file and line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from blastbeat.config.names import MAX_NODE_NAME, EndpointKind
from blastbeat.config.table import read_table
from blastbeat.config.values import SIZE, TIME, BadValue, Choice, Count, Flag, Kind, Text, did_you_mean
from blastbeat.errors import ConfigError, Problem
from blastbeat.node.options import BY_NAME, ENVIRONMENT, OPTIONS, TABLE, Option, Settings

CONFIG_VARIABLE = f"{ENVIRONMENT}CONFIG"


@dataclass(frozen=True, slots=True)
class _Written:
    """A value as somebody wrote it; `folder` is what relative names start at."""

    value: Any
    place: str
    file: str = ""
    line: int = 0
    folder: str = ""


def read_settings(
    given: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    folder: str,
    implied: Mapping[str, Any] | None = None,
) -> Settings:
    """`given`: what stands on the command line by option, None or missing where nothing does, and `config`.
    `folder`: where relative names of the command line and the environment start; `implied`: what holds
    whoever says otherwise. Raises ConfigError with everything that is wrong."""
    reader = _Reader(given, environ, folder)
    return reader.read(implied or {})


class _Reader:
    def __init__(self, given: Mapping[str, Any], environ: Mapping[str, str], folder: str) -> None:
        self.problems: list[Problem] = []
        self.given = given
        self.environ = environ
        self.folder = folder
        self.file = str(given.get("config") or environ.get(CONFIG_VARIABLE) or "")
        self.table: dict[str, _Written] = {}

    def read(self, implied: Mapping[str, Any]) -> Settings:
        if self.file:
            self._read_file()
        self._look_at_variables()
        values: dict[str, Any] = {}
        for option in OPTIONS:
            if option.field in implied:
                values[option.field] = implied[option.field]
                continue
            written = self._find(option)
            if written is not None:
                self._take(option, written, values)
            elif option.default is None:
                self._missing(option)
            elif option.kind == "folder" and isinstance(option.default, str):
                values[option.field] = os.path.abspath(os.path.join(self.folder, option.default))
        if self.problems:
            raise ConfigError(self.problems)
        return Settings(**values)

    def _read_file(self) -> None:
        folder = os.path.dirname(os.path.join(self.folder, self.file))
        for key, found in read_table(os.path.join(self.folder, self.file), TABLE).items():
            if key in BY_NAME:
                self.table[key] = _Written(found.value, key, self.file, found.line, folder)
            else:
                hint = did_you_mean(key, BY_NAME) or f"keys are {', '.join(BY_NAME)}"
                self.problems.append(
                    Problem("there is no such key", "error", self.file, found.line, TABLE, key, hint=hint)
                )

    def _look_at_variables(self) -> None:
        """A mistyped variable would do nothing, and nobody would know why."""
        known = {option.variable for option in OPTIONS} | {CONFIG_VARIABLE}
        for variable in self.environ:
            if variable.startswith(ENVIRONMENT) and variable not in known:
                hint = did_you_mean(variable, list(known))
                problem = Problem("there is no such option", file="environment", key=variable, hint=hint)
                self.problems.append(problem)

    def _find(self, option: Option) -> _Written | None:
        value = self.given.get(option.field)
        if value is not None:
            place = option.metavar if option.name == "app" else f"--{option.name}"
            return _Written(value, place, "command line", 0, self.folder)
        value = self.environ.get(option.variable)
        if value:
            words: Any = value.split() if option.repeated else value
            return _Written(words, option.variable, "environment", 0, self.folder)
        return self.table.get(option.name)

    def _missing(self, option: Option) -> None:
        place = option.metavar if option.name == "app" else f"--{option.name} {option.metavar}"
        hint = f"give {place}, set {option.variable}, or write {option.name} below [{TABLE}] in --config FILE"
        self.problems.append(Problem(f"not given: {option.help}", key=option.name, hint=hint))

    def _take(self, option: Option, written: _Written, values: dict[str, Any]) -> None:
        many = written.value if isinstance(written.value, list) else [written.value]
        try:
            if not option.repeated and isinstance(written.value, list):
                raise BadValue("is a list; only one is expected")
            parsed = [_parse(option, value, written.folder) for value in many]
            if not parsed:
                raise BadValue("is empty")
        except BadValue as error:
            section = TABLE if written.line else ""
            shown = " ".join(map(str, many))[:100]
            self.problems.append(
                Problem(
                    str(error), "error", written.file, written.line, section, written.place, shown, error.hint
                )
            )
            return
        values[option.field] = tuple(dict.fromkeys(parsed)) if option.repeated else parsed[0]


def _parse(option: Option, value: object, folder: str) -> Any:
    parsed = _kind(option).parse(value)
    if option.kind == "folder":
        parsed = os.path.abspath(os.path.join(folder, parsed or "."))
        if not os.path.isdir(parsed):
            raise BadValue(f"is not a folder ({parsed})")
    _check_bounds(option, parsed)
    check = _CHECKS.get(option.name)
    return check(parsed) if check is not None else parsed


def show_value(option: Option, value: float) -> str:
    """As somebody would write it."""
    return _kind(option).format(value)


def _kind(option: Option) -> Kind:
    return Choice(option.choices) if option.kind == "choice" else _KINDS[option.kind]


def _check_bounds(option: Option, value: Any) -> None:
    low, high = option.minimum, option.maximum
    if low is None or high is None or (option.zero and value == 0) or low <= value <= high:
        return
    zero = f", or 0 for {option.zero}" if option.zero else ""
    raise BadValue(f"is out of bounds; from {show_value(option, low)} to {show_value(option, high)}{zero}")


def _check_name(name: str) -> str:
    if not name.isascii() or not re.fullmatch(r"[^\s/]+", name):
        raise BadValue(
            "is no name of a node; ASCII without blanks and `/`, as `node` of a virtualhost says it"
        )
    if len(name) > MAX_NODE_NAME:
        raise BadValue(f"has more than {MAX_NODE_NAME} characters")
    return name


def _check_app(app: str) -> str:
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*(:[^\W\d]\w*(\.[^\W\d]\w*)*)?", app):
        hint = f"did you mean {_as_module(app)!r}?" if "/" in app or app.endswith(".py") else ""
        raise BadValue("is not module:attribute; write for example shop.asgi:application", hint)
    return app


def _as_module(path: str) -> str:
    file, _, attribute = path.partition(":")
    return f"{file.removesuffix('.py').strip('./').replace('/', '.')}:{attribute or 'application'}"


def _check_root_path(path: str) -> str:
    if path and (not path.startswith("/") or path.endswith("/")):
        raise BadValue("must begin with / and not end so, e.g. /shop")
    return path


def _check_endpoint(endpoint: str) -> str:
    rest = endpoint.partition("://")[2]
    if endpoint.startswith("tcp://") and (rest.startswith("*") or rest.endswith(("*", ":0"))):
        raise BadValue("is where a server would bind; write the host and the port to connect to")
    return endpoint


_KINDS: Mapping[str, Kind] = {
    "text": Text(),
    "folder": Text(),
    "flag": Flag(),
    "count": Count(),
    "time": TIME,
    "size": SIZE,
    "endpoint": EndpointKind(),
}
_CHECKS: Mapping[str, Callable[[str], str]] = {
    "app": _check_app,
    "name": _check_name,
    "root-path": _check_root_path,
    "connect": _check_endpoint,
}
