"""Configurations for tests: plain dicts -> TOML text, with defaults that make a test fast.

Knows option names only as strings; that the text means something is the loader's business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Table = Mapping[str, Any]

HOST = "app.test"
"""The virtualhost that tests use unless they name another."""

SERVER_DEFAULTS: Table = {
    "bind": "127.0.0.1:0",
    "zmq": "tcp://127.0.0.1:*",
    "ping-freq": 20,
    "drain": 5.0,
    "stats-freq": 0,
}
# `ping-freq` is longer than any test waits: a wake-up that the server loses fails the test, rather than being
# mended by the next ping; and a scripted node answers pings only while it listens. Tests about liveness set
# their own.
VHOST_DEFAULTS: Table = {"node": ["app"], "node-grace": 0.2}


def toml_value(value: Any) -> str:
    """One TOML value: strings, numbers, booleans, lists and inline tables."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return json.dumps(value)


def toml_table(name: str, values: Table) -> str:
    """``[name]`` and its keys; None leaves one out that would have a default here."""
    given = ((key, value) for key, value in values.items() if value is not None)
    lines = [f"[{name}]", *(f"{json.dumps(key)} = {toml_value(value)}" for key, value in given)]
    return "\n".join(lines) + "\n"


def configuration(
    server: Table | None = None,
    vhost: Table | None = None,
    vhosts: Mapping[str, Table] | None = None,
    tables: Mapping[str, Table] | None = None,
) -> str:
    """TOML text: `server` adds to [blastbeat]; `vhost` adds to the one virtualhost of HOST; `vhosts` replaces
    it by others, taken as they are; `tables` are further top-level tables such as ``plugin.example``."""
    hosts = vhosts if vhosts is not None else {HOST: {**VHOST_DEFAULTS, **(vhost or {})}}
    parts = [toml_table("blastbeat", {**SERVER_DEFAULTS, **(server or {})})]
    parts += [toml_table(f"vhost.{json.dumps(name)}", values) for name, values in hosts.items()]
    parts += [toml_table(name, values) for name, values in (tables or {}).items()]
    return "\n".join(parts)
