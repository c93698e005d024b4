"""`blastbeat reload` and SIGHUP as an operator uses them: on a process, through its control socket."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.process import ServerProcess
from tests.helpers.settings import Table, configuration
from tests.helpers.stage import Stage

APP: Table = {"node": "app"}


class Operator:
    """At the shell, beside a server that runs."""

    def __init__(self, stage: Stage, server: Table) -> None:
        self.server = {"zmq": f"ipc://{stage.folder}/nodes", **server}
        self.path = stage.folder / "blastbeat.toml"
        self.write({"app.test": APP})
        self.process: ServerProcess = stage.serve_process(self.path)
        self.port = self.process.wait_ready()

    def write(self, vhosts: dict[str, Table], **server: object) -> None:
        self.path.write_text(configuration({**self.server, **server}, vhosts=vhosts))

    def reload(self, *options: str) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-m", "blastbeat", "reload", str(self.path), *options]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=15)


@pytest.fixture
def operator(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    # A socket's path is short, and that of a test may be long.
    folder = tmp_path_factory.mktemp("c")
    operator = Operator(stage, {"control": str(folder / "s"), "access-log": "off"})
    yield operator
    operator.process.send_signal()
    assert operator.process.wait() == 0
    assert "Traceback" not in operator.process.stderr


def test_what_is_different_then_the_change(stage: Stage, operator: Operator) -> None:
    operator.write({"app.test": {**APP, "max-hops": 3}, "new.test": APP}, uid="nobody")
    dry = operator.reload("--dry-run")
    lines = [
        "~ [blastbeat] uid: not set -> nobody (needs a restart)",
        "~ virtualhost app.test: max-hops: 10 -> 3",
        "+ virtualhost new.test",
        "needs a restart: [blastbeat] uid",
    ]
    assert (dry.returncode, dry.stderr) == (0, "")
    assert dry.stdout.splitlines() == [*lines, "nothing was changed: this was a dry run"]
    node = stage.node(endpoint=operator.server["zmq"])
    client = stage.client(address=("127.0.0.1", operator.port))
    client.get(host="new.test")
    assert client.read_response().status == 404
    done = operator.reload()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [*lines, "taken over; configuration 2 is in force"]
    client.get(host="new.test")
    node.respond(node.expect_request().sid)
    assert client.read_response().status == 200
    again = json.loads(operator.reload("--json").stdout)
    assert (again["applied"], again["generation"], again["lines"]) == (
        True,
        3,
        ["~ [blastbeat] uid: not set -> nobody (needs a restart)"],
    )


def test_a_bad_file(operator: Operator) -> None:
    """What the text alone tells, and what only the server knows; both as `check` says it."""
    operator.write({"app.test": {**APP, "max-hops": "many"}})
    assert operator.reload().returncode == 78
    operator.write({"app.test": {**APP, "filters": "nobody"}})
    refused = operator.reload()
    assert refused.returncode == 78
    assert f"{operator.path}:" in refused.stderr and "nobody" in refused.stderr
    assert refused.stderr.splitlines()[-1].endswith("not taken over, nothing has changed")
    checked = subprocess.run(
        [sys.executable, "-m", "blastbeat", "check", str(operator.path)],
        capture_output=True,
        text=True,
        timeout=15,
    )
    place = refused.stderr.partition(": error")[0]
    assert place in checked.stdout


def test_an_address_in_use(operator: Operator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        operator.write({"app.test": APP}, bind=["127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}"])
        refused = operator.reload()
    assert refused.returncode == 1
    assert "the address is in use" in refused.stderr


def test_the_command_line_still_counts(stage: Stage) -> None:
    """What `serve` was told on its command line replaces the file's keys at a reload, too."""
    endpoint = f"ipc://{stage.folder}/other"
    config = stage.configure({"zmq": f"ipc://{stage.folder}/nodes"}, vhosts={"app.test": APP})
    process = stage.serve_process(config, "--zmq", endpoint, "--access-log", "off")
    port = process.wait_ready()
    stage.configure({"zmq": f"ipc://{stage.folder}/moved"}, vhosts={"new.test": APP})
    process.send_signal(signal.SIGHUP)
    process.wait_match(".*configuration read again: 1 virtualhost added")
    node, client = stage.node(endpoint=endpoint), stage.client(address=("127.0.0.1", port))
    client.get(host="new.test")
    node.respond(node.expect_request().sid)
    assert client.read_response().status == 200
    assert not Path(f"{stage.folder}/moved").exists()
