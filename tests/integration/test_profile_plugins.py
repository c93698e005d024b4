"""`serve --profile-plugins`: a plugin of each kind at work in a server that really runs, over a reload."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.helpers.stage import Stage

PLUGIN = """
from anyio import sleep
from blastbeat import hookimpl
from blastbeat.interfaces import Allow, Filter


class Marks(Filter):
    def on_response(self, view, head):
        head.headers.append((b"X-Marked", b"yes"))
        return head

    def on_closed(self, view):
        raise RuntimeError("out of luck")


class Waits:
    async def authenticate(self, view):
        await sleep(0.05)
        return Allow()


@hookimpl
def blastbeat_register_filters(register):
    register("marks", lambda options: Marks())


@hookimpl
def blastbeat_register_request_authenticators(register):
    register("waits", lambda options: Waits())


@hookimpl
def blastbeat_exchange_closed(view):
    pass
"""


def status(config: Path, *options: str) -> str:
    arguments = [sys.executable, "-m", "blastbeat", "status", str(config), *options]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=15, check=True).stdout


def places(config: Path) -> dict[str, dict[str, Any]]:
    told = json.loads(status(config, "--json"))["plugin_profile"]
    return {f"{each['plugin']}: {each['place']}": each for each in told}


def test_what_each_plugin_costs_is_told_and_goes_on_over_a_reload(stage: Stage, tmp_path: Path) -> None:
    (stage.folder / "marking.py").write_text(PLUGIN)
    endpoint = f"ipc://{tmp_path}/n"
    server = {"control": "control.sock", "zmq": endpoint}
    plugins = {"plugins": {"files": ["marking.py"]}}
    policy = {"filters": ["marks"], "request-authenticators": ["waits"]}
    config = stage.configure(server, policy, tables=plugins)
    process = stage.serve_process(config, "--profile-plugins")
    port = process.wait_ready()
    assert "no plugin was called yet" not in status(config), "factories were"

    node = stage.node(endpoint=endpoint)

    def ask() -> None:
        client = stage.client(address=("127.0.0.1", port))
        client.get()
        node.respond(node.expect_request().sid)
        response = client.read_response()
        client.close()
        node.expect("end")
        assert response.status == 200 and response.all("x-marked") == ["yes"]

    ask()
    found = places(config)
    waits = found["marking: request-authenticator waits.authenticate"]
    assert waits["calls"] == 1 and waits["errors"] == 0
    assert waits["waited_seconds"] >= 0.04 > waits["seconds"], "what is awaited is not what it costs"
    assert found["marking: filter marks.on_response"]["calls"] == 1
    assert found["marking: filter marks.on_closed"]["errors"] == 1
    assert found["marking: hook exchange_closed"]["calls"] == 1
    assert found["least-connections: selector least-connections.select"]["calls"] == 1
    assert found["uwsgi-encoder: encoder uwsgi.encode_request"]["calls"] == 1
    assert found["http1-h11: driver h11.receive_data"]["calls"] >= 1
    assert not any(".on_request" in place for place in found), "no filter has one"

    stage.configure({**server, "access-log": "off"}, {**policy, "timeout": "33s"}, tables=plugins)
    done = subprocess.run(
        [sys.executable, "-m", "blastbeat", "reload", str(config)], capture_output=True, timeout=15
    )
    assert done.returncode == 0, done.stderr
    ask()
    again = places(config)
    assert again["marking: filter marks.factory"]["calls"] > found["marking: filter marks.factory"]["calls"]
    for place in (
        "filter marks.on_response",
        "hook exchange_closed",
        "request-authenticator waits.authenticate",
    ):
        assert again[f"marking: {place}"]["calls"] == 2
    table = status(config)
    assert "PLUGIN" in table and "filter marks.on_closed" in table
    process.send_signal()
    assert process.wait() == 0


def test_who_does_not_ask_for_it_is_not_told(stage: Stage) -> None:
    config = stage.configure({"control": "control.sock", "zmq": f"ipc://{stage.folder}/n"})
    process = stage.serve_process(config)
    process.wait_ready()
    assert json.loads(status(config, "--json"))["plugin_profile"] is None
    assert "PLUGIN" not in status(config)
    process.send_signal()
    assert process.wait() == 0
