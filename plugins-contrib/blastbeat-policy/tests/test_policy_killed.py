"""A server process that is killed with `kill -9`: what it had counted is there, but for what came since its
last write."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import blastbeat
import blastbeat_policy
from blastbeat.testing import Client
from blastbeat_policy.storage import months_of, read_month

PATIENCE = 15.0
FOLDERS = [str(Path(module.__file__ or "").parents[1]) for module in (blastbeat, blastbeat_policy)]

# What an entry point does for a distribution that is installed.
PLUGIN_FILE = """
from blastbeat_policy import PolicyPlugin
plugin = PolicyPlugin()
for name in dir(plugin):
    if name.startswith("blastbeat_"):
        globals()[name] = getattr(plugin, name)
"""
CONFIGURATION = """
[blastbeat]
bind = "127.0.0.1:0"
zmq = "tcp://127.0.0.1:*"
access-log = "off"
[plugins]
load = []
files = ["policy.py"]
[plugin.policy]
file = "usage.sqlite"
write-every = "100ms"
[plan.bronze]
methods = "GET"
[customer.acme]
plan = "bronze"
[vhost."*"]
customer = "acme"
node = "app"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy.py").write_text(PLUGIN_FILE, encoding="utf-8")
    (tmp_path / "blastbeat.toml").write_text(CONFIGURATION, encoding="utf-8")
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "blastbeat", "serve", str(folder / "blastbeat.toml")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(FOLDERS)},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.match(r"ready http://127\.0\.0\.1:(\d+) ", line)
    assert found, f"it did not start: {line!r}"
    return int(found[1])


def refusals(path: str) -> int:
    """What the file says of all months; 0 while there is none."""
    if not os.path.exists(path):
        return 0
    usage = [each for month in months_of(path) for each in read_month(path, month)[0].values()]
    return sum(each.refused.get("methods", 0) for each in usage)


def wait_for(path: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while refusals(path) != count:
        assert time.monotonic() < deadline, f"the file says {refusals(path)}, not {count}"


@pytest.mark.timeout(60)
def test_what_was_written_is_there_after_kill_9(server: subprocess.Popen[str], folder: Path) -> None:
    client = Client("127.0.0.1", port_of(server), virtualhost="acme.example")
    path = str(folder / "usage.sqlite")
    for count in (1, 2):
        assert client.request("DELETE").status == 405
        wait_for(path, count)
    server.send_signal(signal.SIGKILL)
    server.wait(PATIENCE)
    client.close()
    assert refusals(path) == 2
