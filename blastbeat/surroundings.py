"""What a configuration names on this machine: files, folders, addresses, endpoints; whether they are there
and would serve.

Opens files to read at most and binds for a moment at most (transport/probing.py): a server that runs notices
nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from blastbeat.config.build import Built
from blastbeat.config.names import split_host_port
from blastbeat.config.rows import problem_at
from blastbeat.errors import Problem
from blastbeat.transport.probing import Obstacle, Prober, is_interface

_MADE_BY_SYSTEMD = {"/run/": "RuntimeDirectory=", "/var/log/": "LogsDirectory="}
"""Folders that a unit makes when it starts, by where they lie."""


def examine_surroundings(built: Built) -> Iterator[Problem]:
    """Everything in the way of what the configuration names; each thing once, at the first line that has
    it."""
    seen: set[tuple[str, Any]] = set()
    prober = Prober()
    for settings in built.all_settings:
        for name, given in settings.given.items():
            look = _LOOKS.get(name)
            if look is None:
                continue
            for row, values in given:
                for value in values:
                    if (name, value) in seen:
                        continue
                    seen.add((name, value))
                    for found in look(value, prober):
                        yield problem_at(settings.section, row, found.message, found.hint, found.severity)


def _look_at_address(address: Any, prober: Prober) -> Iterator[Obstacle]:
    found = prober.tcp(address.host, address.port)
    if found is not None:
        yield found


def _look_at_endpoint(endpoint: str, prober: Prober) -> Iterator[Obstacle]:
    transport, _, rest = endpoint.partition("://")
    if transport == "ipc":
        if not rest.startswith(("@", "*")):
            yield from _look_at_socket(rest, prober)
        return
    host, port = split_host_port(rest)
    if is_interface(host):
        return  # ZeroMQ takes the addresses of the interface
    found = prober.tcp("0.0.0.0" if host == "*" else host, 0 if port == "*" else int(port))
    if found is not None:
        yield found


def _look_at_socket(path: str, prober: Prober) -> Iterator[Obstacle]:
    if not path:
        return
    yield from _look_at_folder(path, "the socket")
    try:
        is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return
    if not is_socket:
        yield Obstacle("there is a file of another kind", hint="it is not removed; choose another path")
        return
    found = prober.unix(path)
    if found is not None:
        yield found


def _look_at_log(target: str, prober: Prober) -> Iterator[Obstacle]:
    if target in ("stderr", "off"):
        return
    if os.path.isdir(target):
        yield Obstacle("is a folder", hint="write the name of a file in it")
    elif not os.path.lexists(target):
        yield from _look_at_folder(target, "the log")
    elif not os.access(target, os.W_OK):
        yield Obstacle(f"user {os.geteuid()} may not write it", "warning")


def _look_at_folder(path: str, what: str) -> Iterator[Obstacle]:
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        if os.path.lexists(folder):
            yield Obstacle(f"{folder} is no folder", hint=f"{what} will lie there")
            return
        directive = next((word for root, word in _MADE_BY_SYSTEMD.items() if folder.startswith(root)), "")
        hint = f"make it; under systemd {directive} does" if directive else f"make it: {what} will lie there"
        yield Obstacle(f"the folder {folder} does not exist", "warning" if directive else "error", hint)
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Obstacle(f"user {os.geteuid()} may not make files in {folder}", "warning")


_LOOKS = {
    "bind": _look_at_address,
    "stats-bind": _look_at_address,
    "zmq": _look_at_endpoint,
    "control": _look_at_socket,
    "access-log": _look_at_log,
    "error-log": _look_at_log,
    "bind-ssl": _look_at_address,
}
