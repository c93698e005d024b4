"""`blastbeat check` beside a running server: it says who has what, and the server notices nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.helpers.stage import Stage


def check(path: Path) -> tuple[int, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "blastbeat", "check", "--json", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def test_beside_the_server_that_runs_with_it(stage: Stage) -> None:
    server = stage.serve()
    node = stage.node()
    path = stage.folder / "same.toml"
    path.write_text(
        f'[blastbeat]\nbind = "127.0.0.1:{server.port}"\nzmq = "{server.endpoint}"\n'
        '[vhost."app.test"]\nnode = "app"\n'
    )
    before = server.counted()
    code, told = check(path)
    assert code == 0 and told["ok"]
    assert told["summary"] == {"errors": 0, "warnings": 0, "notes": 2}
    assert {problem["key"] for problem in told["problems"]} == {"bind", "zmq"}
    assert all("in use" in problem["message"] for problem in told["problems"])
    assert server.counted() == before
    stage.client().get()
    node.expect("uwsgi")


def test_sockets_of_a_server_stay_where_they_are(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(
        f'[blastbeat]\nbind = "127.0.0.1:0"\nzmq = "ipc://{tmp_path}/nodes"\ncontrol = "{tmp_path}/control"\n'
        'access-log = "off"\n[vhost."app.test"]\nnode = "app"\n'
    )
    assert check(path)[1]["problems"] == []
    assert not (tmp_path / "nodes").exists() and not (tmp_path / "control").exists()
    server = stage.serve_process(path)
    server.wait_ready()
    code, told = check(path)
    assert code == 0
    for problem in told["problems"]:
        assert problem["severity"] == "note"
        assert f"(process {server.pid})" in problem["message"]
    assert {problem["key"] for problem in told["problems"]} == {"zmq", "control"}
    assert (tmp_path / "nodes").is_socket() and (tmp_path / "control").is_socket()
