"""docs/how-to/authenticate-clients.md, run as a reader would: files, commands, what they print.

The plugins are installed for the commands by what an installer would leave behind, so that no network is
needed.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import os
import re
import runpy
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from blastbeat.config import load_config
from blastbeat.testing.client import Client
from tests.helpers.contrib import Distribution, distributions
from tests.helpers.source_tree import ROOT

PAGE = ROOT / "docs" / "how-to" / "authenticate-clients.md"
_BLOCK = re.compile(r"^```(\w+) ([\w.-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = {(kind, name): text for kind, name, text in _BLOCK.findall(PAGE.read_text("utf-8"))}
NAMES = ("blastbeat-auth-basic", "blastbeat-auth-jwt", "blastbeat-forward-auth")
PLUGINS: tuple[Distribution, ...] = tuple(found for found in distributions() if found.name in NAMES)
PASSWORD = "sesame"

Start = Callable[..., Any]


def install(folder: Path) -> dict[str, str]:
    """What makes the three plugins found by commands: the environment for them."""
    for found in PLUGINS:
        info = folder / f"{found.module}-{found.project['version']}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {found.name}\nVersion: {found.project['version']}\n"
        )
        points = "".join(f"{name} = {value}\n" for name, value in found.entry_points.items())
        (info / "entry_points.txt").write_text(f"[blastbeat]\n{points}")
    sources = [str(found.folder / "src") for found in PLUGINS]
    path = os.pathsep.join([str(folder), *sources, str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The reader's folder: the page's files, and what its commands have made there."""
    folder = tmp_path / "reader"
    folder.mkdir()
    for (kind, name), text in BLOCKS.items():
        if kind in ("toml", "ini", "python"):
            (folder / name).write_text(text)
    environment = install(tmp_path / "site")
    for name, typed in (("hash", f"{PASSWORD}\n"), ("token", "")):
        run(folder, BLOCKS["console", name], environment, typed)
    run(folder, "$ blastbeat check blastbeat.toml\n", environment)
    return folder


def run(folder: Path, block: str, environment: dict[str, str], typed: str = "") -> None:
    program, _, rest = block.removeprefix("$ ").strip().partition(" ")
    command = {"blastbeat": "-m blastbeat", "python": ""}[program]
    done = subprocess.run(
        ["sh", "-c", f"{shlex.quote(sys.executable)} {command} {rest}"],
        cwd=folder,
        env=environment,
        input=typed,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def service(folder: Path) -> Iterator[int]:
    """The page's service on a free port."""
    handler = runpy.run_path(str(folder / "service.py"))["Service"]
    handler.log_message = lambda *_: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def load_plugins(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    for found in PLUGINS:
        monkeypatch.syspath_prepend(str(found.folder / "src"))
    return {name: importlib.import_module(module) for f in PLUGINS for name, module in f.entry_points.items()}


def answer(request: Any) -> str:
    told = (
        f"{name}={request.variables.get(name, '')}"
        for name in ("REMOTE_USER", "HTTP_X_EMAIL", "HTTP_X_GROUPS")
        if name == "REMOTE_USER" or name in request.variables
    )
    return f"{request.variables['SERVER_NAME'].partition('.')[0]}: {' '.join(told)}"


def curl(client: Client, folder: Path, line: str) -> str:
    """The status, and what of the response the page shows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-u")
    parser.add_argument("-H")
    parser.add_argument("-b")
    parser.add_argument("url")
    typed = line.removeprefix("$ curl ").replace("$(cat token)", (folder / "token").read_text().strip())
    options = parser.parse_args(shlex.split(typed))
    headers = {}
    if options.u:
        headers["Authorization"] = f"Basic {base64.b64encode(options.u.encode()).decode()}"
    if options.H:
        name, _, value = options.H.partition(": ")
        headers[name] = value
    if options.b:
        headers["Cookie"] = options.b
    url = urlsplit(options.url)
    response = client.get(url.path, {"Host": url.netloc, **headers})
    for name in ("Location", "WWW-Authenticate"):
        if name in response:
            return f"{response.status} {name}: {response[name]}"
    return f"{response.status} {response.text}"


def test_it_does_what_the_page_says(
    folder: Path,
    service: int,
    monkeypatch: pytest.MonkeyPatch,
    blastbeat_server: Start,
    blastbeat_node: Start,
    blastbeat_client: Start,
) -> None:
    text = BLOCKS["toml", "blastbeat.toml"]
    for written, used in (("127.0.0.1:8080", "127.0.0.1:0"), ("127.0.0.1:5000", "127.0.0.1:*")):
        text = text.replace(written, used)
    text = text.replace("127.0.0.1:9000", f"127.0.0.1:{service}")
    blastbeat_server(plugins=load_plugins(monkeypatch), toml=text, folder=folder)
    for name in ("shop", "api", "portal"):
        blastbeat_node(answer, name=name)
    client = blastbeat_client()
    for name in ("basic", "anybody", "jwt", "forward"):
        lines = BLOCKS["console", name].splitlines()
        assert [curl(client, folder, line) for line in lines] == BLOCKS["text", name].splitlines()


def test_both_notations_mean_the_same(tmp_path: Path) -> None:
    meant = []
    for kind, name in (("toml", "blastbeat.toml"), ("ini", "blastbeat.ini")):
        (tmp_path / name).write_text(BLOCKS[kind, name])
        config, problems = load_config(tmp_path / name)
        assert problems == []
        found = [(host.name, host.request_authenticators) for host in config.virtualhosts]
        found += [
            (host.name, route.policy.request_authenticators)
            for host in config.virtualhosts
            for route in host.routes
        ]
        meant.append(found)
    assert meant[0] == meant[1] and len(meant[0]) == 4
