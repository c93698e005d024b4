"""Both logs of a real server process: where they go, in which form, and that nothing waits for them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.app import AppRequest
from tests.helpers.client import RawClient
from tests.helpers.logs_page import examples
from tests.helpers.process import ServerProcess
from tests.helpers.source_tree import ROOT
from tests.helpers.stage import Stage
from tests.helpers.waiting import wait_until

BROKEN_FILTER = """
from blastbeat import hookimpl
from blastbeat.interfaces import Filter

class Broken(Filter):
    def on_response(self, view, head):
        raise RuntimeError("broken")

@hookimpl
def blastbeat_register_filters(register):
    register("broken", lambda options: Broken())
"""


class Running:
    """A server process with a node that answers, and a client."""

    def __init__(
        self, stage: Stage, server: dict[str, Any], *arguments: str, vhost: Any = None, **options: Any
    ) -> None:
        endpoint = f"ipc://{stage.folder}/nodes"
        tables = options.pop("tables", None)
        config = stage.configure({"zmq": endpoint, "ping-freq": 0.1, **server}, vhost, tables=tables)
        self.process: ServerProcess = stage.serve_process(config, *arguments, **options)
        self.port = self.process.wait_ready()
        self.app = stage.app(endpoint=endpoint, handler=tell_request_id)
        self.client: RawClient = stage.client(address=("127.0.0.1", self.port))

    def get(self, target: str) -> str:
        """The request's id."""
        self.client.get(target)
        response = self.client.read_response()
        assert response.status == 200
        return response.body.decode()

    def stop(self) -> None:
        self.client.close()
        self.process.send_signal()
        assert self.process.wait() == 0


def tell_request_id(request: AppRequest) -> bytes:
    return request.variables["HTTP_X_REQUEST_ID"].encode()


def targets(path: Path) -> list[str]:
    """What a log in the combined format says was asked for."""
    return re.findall(r'"GET (\S+) HTTP/1\.1" 200 ', path.read_text())


# ---------------------------------------------------------------- forms and places


def test_text_to_standard_error_is_the_default(stage: Stage) -> None:
    running = Running(stage, {})
    request_id = running.get("/one?x=1")
    running.stop()
    line = next(line for line in running.process.stderr.splitlines() if "/one?x=1" in line)
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[.*\] "GET /one\?x=1 HTTP/1\.1" 200 \d+ "-" "-" virtualhost=app\.test node=app'
        rf" duration=.* close_reason=complete request_id={request_id}",
        line,
    )


def test_a_request_has_the_same_id_in_both_logs_and_at_its_node(stage: Stage, tmp_path: Path) -> None:
    access, error, plugin = tmp_path / "access.log", tmp_path / "error.log", tmp_path / "broken.py"
    plugin.write_text(BROKEN_FILTER)
    running = Running(
        stage,
        {"access-log": str(access), "error-log": str(error), "log-format": "json"},
        vhost={"filters": ["broken"]},
        tables={"plugins": {"files": [str(plugin)]}},
    )
    request_id = running.get("/found")
    running.stop()
    [exchange] = map(json.loads, access.read_text().splitlines())
    assert (exchange["request_id"], exchange["target"], exchange["status"]) == (request_id, "/found", 200)
    failed = [record for record in map(json.loads, error.read_text().splitlines()) if "exception" in record]
    assert [record["request_id"] for record in failed] == [request_id]
    assert failed[0]["virtualhost"] == "app.test" and failed[0]["exception"] == "RuntimeError: broken"
    assert "/found" not in running.process.stderr and "broken" not in running.process.stderr


def test_the_command_line_chooses_too(stage: Stage, tmp_path: Path) -> None:
    access = tmp_path / "a.log"
    running = Running(stage, {"access-log": "off"}, "--access-log", str(access), "--log-format", "json")
    running.get("/one")
    running.stop()
    assert json.loads(access.read_text())["target"] == "/one"


def test_a_plugin_writes_other_lines_as_the_page_shows(stage: Stage, tmp_path: Path) -> None:
    access, plugin = tmp_path / "access.log", tmp_path / "short.py"
    plugin.write_text("\n".join(examples("other lines")))
    plugins = {"files": [str(plugin)], "disabled": ["access-log"]}
    running = Running(stage, {"access-log": str(access)}, tables={"plugins": plugins})
    running.get("/found")
    running.stop()
    assert re.fullmatch(r"\S+Z /found 200\n", access.read_text())


def test_off_is_off(stage: Stage) -> None:
    running = Running(stage, {"access-log": "off"})
    running.get("/nowhere")
    running.stop()
    assert "/nowhere" not in running.process.stderr


def test_figures_come_by_themselves(stage: Stage, tmp_path: Path) -> None:
    error = tmp_path / "error.log"
    running = Running(stage, {"error-log": str(error), "stats-freq": 1, "log-format": "json"})
    running.get("/one")

    def told() -> list[dict[str, Any]]:
        records = map(json.loads, error.read_text().splitlines())
        return [record["figures"] for record in records if "figures" in record]

    wait_until(lambda: sum(figures["requests"] for figures in told()) == 1)
    assert told()[-1]["nodes_known"] == 1
    running.stop()


# ---------------------------------------------------------------- files that move


def test_no_line_is_lost_and_none_goes_to_the_wrong_file(stage: Stage, tmp_path: Path) -> None:
    access, error = tmp_path / "access.log", tmp_path / "error.log"
    running = Running(stage, {"access-log": str(access), "error-log": str(error)})
    before = [f"/before/{number}" for number in range(50)]
    after = [f"/after/{number}" for number in range(50)]
    for target in before:
        running.get(target)
    moved = [path.rename(path.with_suffix(".log.1")) for path in (access, error)]
    running.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: access.exists() and error.exists())
    for target in after:
        running.get(target)
    running.stop()
    old, new = targets(moved[0]), targets(access)
    assert old + new == before + after
    assert not set(after) & set(old)
    assert "is up" in moved[1].read_text() and "is up" not in error.read_text()


def test_the_rotation_of_the_documentation(stage: Stage, tmp_path: Path) -> None:
    """docs/how-to/rotate-logs.md: what logrotate does is done here, its script is run as it stands there."""
    page = (ROOT / "docs" / "how-to" / "rotate-logs.md").read_text(encoding="utf-8")
    script = re.search(r"^ +postrotate\n(.*?)^ +endscript$", page, re.MULTILINE | re.DOTALL)
    mode = re.search(r"^ +create (\d+) ", page, re.MULTILINE)
    assert script is not None and mode is not None
    access = tmp_path / "access.log"
    running = Running(stage, {"access-log": str(access)})
    systemctl = tmp_path / "bin" / "systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(
        f'#!/bin/sh\n[ "$*" = "show --property MainPID --value blastbeat" ] && echo {running.process.pid}\n'
    )
    systemctl.chmod(0o755)
    running.get("/before")
    wait_until(lambda: bool(targets(access)))
    old = access.rename(access.with_suffix(".log.1"))
    access.touch(int(mode[1], 8))
    path = f"{systemctl.parent}:{os.environ['PATH']}"
    subprocess.run(["sh", "-ec", script[1]], check=True, env={**os.environ, "PATH": path})

    def is_written_anew() -> bool:
        running.get("/during")
        return bool(targets(access))

    wait_until(is_written_anew)
    running.get("/after")
    running.stop()
    assert targets(old)[0] == "/before" and targets(access)[-1] == "/after"
    assert set(targets(old)[1:]) | set(targets(access)[:-1]) == {"/during"}


# ---------------------------------------------------------------- nothing waits for a log


def test_lost_lines_are_counted(stage: Stage) -> None:
    server = stage.serve({"access-log": "/dev/full"})
    node, client = stage.node(), stage.client()
    for number in range(3):
        stage.exchange(node, client, f"/{number}")
    server.wait_counter("log.lines-lost.access", 3)
    assert server.call(server.server.figures).counters["log.lines-lost.access"] == 3


def test_both_logs_may_be_one_file(stage: Stage, tmp_path: Path) -> None:
    both = tmp_path / "both.log"
    running = Running(stage, {"access-log": str(both), "error-log": str(both)})
    running.get("/one")
    running.stop()
    assert targets(both) == ["/one"] and "INFO blastbeat." in both.read_text()


def test_standard_error_that_nobody_reads_holds_up_nothing(stage: Stage) -> None:
    running = Running(stage, {"log-queue": 100}, reads_until="ready")
    for number in range(600):
        running.get(f"/{number}")
    running.process.resume_reading()
    running.process.wait_match(".* access-log: [0-9]+ lines lost")
    running.get("/last")
    running.stop()
    lost = re.findall(r"access-log: (\d+) lines lost", running.process.stderr)
    assert running.process.stderr.count("GET /") == 601 - sum(map(int, lost)) < 601


def test_a_folder_that_vanishes_is_survived(stage: Stage, tmp_path: Path) -> None:
    folder, error = tmp_path / "logs", tmp_path / "error.log"
    folder.mkdir()
    access = folder / "access.log"
    running = Running(stage, {"access-log": str(access), "error-log": str(error)})
    running.get("/before")
    shutil.rmtree(folder)
    running.get("/lost")
    wait_until(lambda: "cannot be opened anew: No such file" in error.read_text())
    folder.mkdir()
    running.get("/back")
    running.stop()
    assert "/back" in targets(access)
    assert error.read_text().count("cannot be opened anew") == 1


def test_a_full_disk_is_survived_and_told(stage: Stage, tmp_path: Path) -> None:
    error = tmp_path / "error.log"
    running = Running(stage, {"access-log": "/dev/full", "error-log": str(error)})
    running.get("/one")
    wait_until(lambda: "/dev/full cannot be written" in error.read_text())
    running.get("/two")
    running.stop()
    assert error.read_text().count("No space left on device") == 1


@pytest.mark.parametrize("key", ["access-log", "error-log"])
def test_a_log_that_cannot_be_opened_keeps_it_from_starting(stage: Stage, tmp_path: Path, key: str) -> None:
    config = stage.configure({key: str(tmp_path / "nowhere" / "x.log")})
    process = stage.serve_process(config)
    assert process.wait() == 3
    assert f"blastbeat: {key} = '{tmp_path}/nowhere/x.log': cannot be opened for writing" in process.stderr
    assert "Traceback" not in process.stderr
