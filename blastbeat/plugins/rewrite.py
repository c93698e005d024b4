"""The filter `rewrite`: another path for the node than the one the client asked for.

Compares and replaces the path as every filter does, decoded and normalised, so that no spelling gets around a
rule. Python's regular expressions can take exponential time; `patterns` refuses those that could.
"""

from __future__ import annotations

import re

from blastbeat import hookimpl, validators
from blastbeat.errors import ConfigError, Problem
from blastbeat.interfaces import Answer, Filter, Options, Register, RequestView, Route
from blastbeat.paths import format_path, is_below
from blastbeat.plugins.patterns import MAX_PATH, parse_pattern
from blastbeat.plugins.templates import Template, one_slash, rest_of, with_query

PLACEHOLDERS = ("path", "rest", "query")

TOO_LONG = Answer(414, detail=f"rewrite: the path is longer than {MAX_PATH} characters")
"""Passing it on unchanged would be a way around the rule."""


class Rewrite(Filter):
    """`pattern` must match all of the path, or the path lie below `path`."""

    def __init__(
        self, to: Template, *, path: bytes, pattern: re.Pattern[str] | None, keeps_query: bool
    ) -> None:
        self._to = to
        self._path = path
        self._pattern = pattern
        self._adds_query = keeps_query and not to.takes_query

    def on_request(self, view: RequestView) -> Answer | Route | None:
        path = view.path
        if path == b"*":
            return None
        groups: dict[str, bytes] = {}
        if self._pattern is None:
            if not is_below(path, self._path):
                return None
        else:
            if len(path) > MAX_PATH:
                return TOO_LONG
            match = self._pattern.fullmatch(path.decode("utf-8", "surrogateescape"))
            if match is None:
                return None
            groups = _groups_of(match)
        return Route(target=self._target(view, path, groups))

    def _target(self, view: RequestView, path: bytes, groups: dict[str, bytes]) -> bytes:
        query, prefix = view.request.query, self._path

        def values(name: str) -> tuple[bytes, bytes]:
            if name == "query":
                return query, query
            value = groups.get(name)
            if value is None:
                value = path if name == "path" else rest_of(path, prefix)
            return format_path(value), value

        target = one_slash(self._to.fill(values))
        return with_query(target, query) if self._adds_query else target


def _groups_of(match: re.Match[str]) -> dict[str, bytes]:
    """What the groups matched, by number and name; nothing for those that took no part."""
    texts = {str(number): text for number, text in enumerate(match.groups(), start=1)} | match.groupdict()
    return {name: (text or "").encode("utf-8", "surrogateescape") for name, text in texts.items()}


def _make(options: Options) -> Rewrite:
    pattern = options.get("pattern")
    if ("path" in options) == (pattern is not None):
        raise ConfigError([Problem("it needs either `path` or `pattern`, and `to`")])
    if "to" not in options:
        raise ConfigError([Problem("it needs `to`: rewrite path=/old to=/new{rest}")])
    names: list[str] = list(PLACEHOLDERS)
    if pattern is not None:
        names.remove("rest")
        names += [*map(str, range(1, pattern.groups + 1)), *pattern.groupindex]
    try:
        to = Template(options["to"], names)
    except ValueError as error:
        raise ConfigError([Problem(f"to={options['to']}: {error}")]) from None
    if not to.is_relative:
        raise ConfigError([Problem(f"to={options['to']}: is not a path; write /new{{rest}}")])
    return Rewrite(
        to,
        path=options.get("path", b"/"),
        pattern=pattern,
        keeps_query=options.get("query", "keep") == "keep",
    )


OPTIONS = {
    "path": validators.path_prefix,
    "pattern": parse_pattern,
    "to": validators.text,
    "query": validators.choice("keep", "drop"),
}


@hookimpl
def blastbeat_register_filters(register: Register) -> None:
    register("rewrite", _make, options=OPTIONS)
