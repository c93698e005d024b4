"""`blastbeat status`: what a running server is doing, asked through its control socket, or at its status
address where there is only that.

Knows where to ask; how it looks is `status_text`'s business. A configuration that became bad while the server
runs does not keep anybody from looking.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from blastbeat.commands.status_text import Look, format_status
from blastbeat.config import find_config
from blastbeat.config.build import build
from blastbeat.config.files import read_files
from blastbeat.config.model import Address, Config
from blastbeat.errors import ConfigError, ControlError
from blastbeat.logs import set_up_logging
from blastbeat.transport.control_client import ask

TIMEOUT = 10.0
"""Seconds a server may take to answer."""

PAGE = 1000
"""Virtualhosts asked for at a time, where all are wanted."""

DEFAULT_LIMIT = 50
"""Virtualhosts listed in a terminal, unless more are asked for."""

_CLEAR = "\x1b[H\x1b[2J\x1b[3J"

Ask = Callable[[Mapping[str, Any]], dict[str, Any]]


def run(options: argparse.Namespace) -> int:
    """Print it; 1 where the server can't be asked. Raises ConfigError where there is no configuration to
    find the server by."""
    set_up_logging(options.log_level or "warning")
    config = _read_config(options.config)
    query = {"virtualhost": options.virtualhost, "search": options.search}
    query = {key: value for key, value in query.items() if value}

    def take() -> dict[str, Any]:
        if options.json and options.limit is None:
            return take_all(lambda asked: ask_server(config, asked), query)
        return ask_server(config, {**query, "limit": options.limit or DEFAULT_LIMIT})

    if options.watch is None:
        sys.stdout.write(_written(take(), options.json, None))
        return 0
    return _watch(take, options.watch, options.json)


def _read_config(named: str | None) -> Config:
    path = find_config(named, os.environ)
    document = read_files(path, os.environ)
    built = build(document, str(path), {})
    if not path.is_file():
        raise ConfigError([problem for problem in built.problems if problem.severity == "error"])
    return built.config


def ask_server(config: Config, query: Mapping[str, Any]) -> dict[str, Any]:
    """Raises ControlError."""
    server = config.server
    if server.control or server.stats_bind is None:
        status: dict[str, Any] = ask(config, "status", query, timeout=TIMEOUT)
        return status
    return ask_address(server.stats_bind, query)


def ask_address(address: Address, query: Mapping[str, Any]) -> dict[str, Any]:
    """`status.json` of a status address. Raises ControlError."""
    host = address.host if address.host not in ("", "0.0.0.0", "::") else "localhost"
    connection = http.client.HTTPConnection(host, address.port, timeout=TIMEOUT)
    try:
        connection.request("GET", f"/status.json?{urlencode(query)}")
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise ControlError(
                f"http://{address}/ answers {response.status}: {body[:200].decode(errors='replace')}"
            )
        status: dict[str, Any] = json.loads(body)
        return status
    except ConnectionRefusedError:
        raise ControlError(f"nobody listens on {address} (stats-bind): is the server running?") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ControlError(f"http://{address}/ (stats-bind) can't be read: {error}") from None
    finally:
        connection.close()


def take_all(ask: Ask, query: Mapping[str, Any]) -> dict[str, Any]:
    """A status with every virtualhost that matches, page by page; of their nodes, each once."""
    whole = ask({**query, "limit": PAGE, "offset": 0})
    seen = {(node["router"], node["name"]) for node in whole["nodes"]}
    while len(whole["virtualhosts"]) < whole["virtualhosts_matching"]:
        page = ask({**query, "limit": PAGE, "offset": len(whole["virtualhosts"])})
        if not page["virtualhosts"]:
            break  # some went away meanwhile
        whole["virtualhosts"] += page["virtualhosts"]
        for node in page["nodes"]:
            if (node["router"], node["name"]) not in seen:
                seen.add((node["router"], node["name"]))
                whole["nodes"].append(node)
    whole["limit"] = len(whole["virtualhosts"])
    return whole


def _watch(take: Callable[[], dict[str, Any]], period: float, as_json: bool) -> int:
    before = None
    try:
        while True:
            try:
                status = take()
                text = _written(status, as_json, before)
                before = status
            except ControlError as error:
                text = f"blastbeat: {error}; asking again every {period:g} s\n"
            sys.stdout.write(f"{_CLEAR if sys.stdout.isatty() and not as_json else ''}{text}")
            if not (as_json or sys.stdout.isatty()):
                sys.stdout.write("\n")
            sys.stdout.flush()
            time.sleep(period)
    except KeyboardInterrupt:
        return 0


def _written(status: dict[str, Any], as_json: bool, before: dict[str, Any] | None) -> str:
    if as_json:
        return json.dumps(status) + "\n"
    is_terminal = sys.stdout.isatty()
    look = Look(
        shutil.get_terminal_size().columns if is_terminal else None,
        is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
    )
    return format_status(status, look, before)
