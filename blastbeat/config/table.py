"""One table of a TOML file that belongs to somebody else than the server, e.g. `[node]`: its values with the
line of each.

Knows no key. Other tables of the file are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from blastbeat.config.files import MAX_BYTES
from blastbeat.config.toml import syntax_problem
from blastbeat.config.toml_lines import locate_keys
from blastbeat.errors import ConfigError, Problem


@dataclass(frozen=True, slots=True)
class Value:
    """What was written, and where."""

    value: Any
    line: int


def read_table(file: str, name: str) -> Mapping[str, Value]:
    """The table's keys as they were written. Raises ConfigError where the file can't be read, is no TOML or
    has no such table."""
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise ConfigError([Problem(f"can't be read: {error.strerror}", file=file)]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem("is not UTF-8 text", file=file)]) from error
    if len(data) > MAX_BYTES:
        raise ConfigError([Problem(f"is larger than {MAX_BYTES} bytes", file=file)])
    try:
        tables = tomli.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError([syntax_problem(error, text, file)]) from error
    table = tables.get(name)
    if not isinstance(table, dict):
        raise ConfigError(
            [Problem(f"has no table [{name}]", file=file, hint=f"write [{name}] above the keys")]
        )
    lines = locate_keys(text)
    return {key: Value(value, lines.get((name, key), 0)) for key, value in table.items()}
