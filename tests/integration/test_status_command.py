"""`blastbeat status` and a server that really runs, in a process of its own."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from blastbeat.commands.status import ask_address
from blastbeat.config.model import Address
from blastbeat.errors import ControlError
from tests.helpers.settings import HOST
from tests.helpers.stage import Stage


def ask(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "blastbeat", "status", str(config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=15)


def test_through_the_control_socket(stage: Stage) -> None:
    """From a start without nodes to the end of the server."""
    config = stage.configure({"control": "control.sock", "zmq": f"ipc://{stage.folder}/nodes"})
    process = stage.serve_process(config)
    process.wait_ready()
    assert f"! no available node for: {HOST}" in ask(config).stdout
    stage.node("app/1", endpoint=f"ipc://{stage.folder}/nodes")
    found = ask(config)
    assert found.returncode == 0 and not found.stderr
    assert re.search(rf"^{HOST} +up +1 ", found.stdout, re.MULTILINE)
    assert re.search(r"^  app/1 +up ", found.stdout, re.MULTILINE)
    told = json.loads(ask(config, "--json").stdout)
    assert told["process"]["pid"] == process.pid
    process.send_signal()
    assert process.wait() == 0
    after = ask(config)
    assert after.returncode == 1 and "is the server running?" in after.stderr and not after.stdout


def test_through_the_status_address(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    config = stage.configure({"stats-bind": f"127.0.0.1:{port}"})
    assert "is the server running?" in ask(config).stderr
    stage.serve({"stats-bind": f"127.0.0.1:{port}"})
    found = ask(config, "--search", "app")
    assert found.returncode == 0 and HOST in found.stdout


def test_an_address_where_somebody_else_listens(stage: Stage) -> None:
    server = stage.serve()
    with pytest.raises(ControlError, match="answers 404"):
        ask_address(Address("", server.port), {})


def test_an_address_that_talks_nonsense() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.close()
        with pytest.raises(ControlError):
            ask_address(Address("127.0.0.1", 1), {})
