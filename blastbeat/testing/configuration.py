"""What a test says of a server's configuration, completed to a file that can be served: free ports, a node
named `app`, no plugin but those the test names.

Text stays as it is written, so that errors name the test's own lines; only tables that it lacks are added
behind it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any, TypeAlias

from blastbeat.config.toml_text import key_text, value_text

Toml: TypeAlias = "str | Mapping[str, Any]"
"""A configuration as TOML text, or as the tables that such a text says."""

SERVER_DEFAULTS: Mapping[str, str] = {
    "bind": "127.0.0.1:0",
    "zmq": "tcp://127.0.0.1:*",
    # Longer than a test waits: a wake-up that is lost fails the test, rather than being mended by a ping.
    "ping-freq": "20s",
    "drain": "1s",
    "stats-freq": "0",
}
"""Keys of [blastbeat] where a test does not say them."""

VIRTUALHOST_DEFAULTS: Mapping[str, Any] = {"node": ["app"], "node-grace": "200ms"}
"""The virtualhost ``*`` of a test that names none; its nodes and their grace where tables name none."""


_DEFAULT_TABLES: Mapping[str, Any] = {"plugins": {"load": []}, "vhost": {"*": VIRTUALHOST_DEFAULTS}}


def complete(toml: Toml) -> tuple[str, dict[str, str]]:
    """The text of the file, and the keys of [blastbeat] that are to be added to it."""
    if not isinstance(toml, str):
        return format_tables(_with_nodes(toml)), _further_keys(toml)
    try:
        tables = tomllib.loads(toml)
    except tomllib.TOMLDecodeError:
        return toml, {}  # the server says what is wrong with it
    missing = {name: table for name, table in _DEFAULT_TABLES.items() if name not in tables}
    return f"{toml}\n{format_tables(missing)}", _further_keys(tables)


def _further_keys(tables: Mapping[str, Any]) -> dict[str, str]:
    said = set(tables.get("blastbeat", ()))
    if "bind-ssl" in said:  # a choice of its own: no listener is added to it
        said.add("bind")
    return {key: value for key, value in SERVER_DEFAULTS.items() if key not in said}


def _with_nodes(tables: Mapping[str, Any]) -> dict[str, Any]:
    found = {**_DEFAULT_TABLES, **tables}
    found["plugins"] = {"load": [], **found["plugins"]}
    found["vhost"] = {name: {**VIRTUALHOST_DEFAULTS, **table} for name, table in found["vhost"].items()}
    return found


def format_tables(tables: Mapping[str, Any], prefix: str = "") -> str:
    """TOML with a header for each table, as a person would write it."""
    lines: list[str] = []
    for name, value in tables.items():
        key = prefix + key_text(name)
        if not isinstance(value, Mapping):
            raise TypeError(f"[{key}] must be a table, not {value!r}")
        plain = {each: item for each, item in value.items() if not isinstance(item, Mapping)}
        nested = {each: item for each, item in value.items() if isinstance(item, Mapping)}
        if plain or not nested:
            said = (f"{key_text(each)} = {value_text(item)}" for each, item in plain.items())
            lines += [f"[{key}]", *said, ""]
        if nested:
            lines.append(format_tables(nested, f"{key}."))
    return "\n".join(lines)
