"""Stopping: what runs is finished, nothing new begins, a second request ends at once; the process around."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from blastbeat.events import CloseReason
from tests.helpers.client import RawClient, request_head
from tests.helpers.node import ScriptedNode, head
from tests.helpers.process import ServerProcess
from tests.helpers.stage import Stage


def test_what_runs_is_finished(stage: Stage) -> None:
    """Responses that have begun, and those that have not; they say `close`, then the connection ends."""
    server = stage.serve()
    node, waiting, streaming = stage.node(), stage.client(), stage.client()
    waiting.get("/waiting")
    first = node.expect_request().sid
    streaming.get("/streaming")
    second = node.expect_request().sid
    node.send(second, "headers", head())
    streaming.read_head()
    server.request_stop()
    node.respond(first, b"finished")
    response = waiting.read_response()
    assert (response.body, response["Connection"]) == (b"finished", "close")
    waiting.expect_eof()
    node.send(second, "chunk", b"more")
    node.send(second, "chunk")
    assert [streaming.read_chunk(), streaming.read_chunk()] == [b"more", b""]
    streaming.expect_eof()
    assert {node.expect("end").sid, node.expect("end").sid} == {first, second}
    waiting.close()
    streaming.close()
    server.join()


def test_upload_is_finished(stage: Stage) -> None:
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.send_head(method="POST", headers=[("Content-Length", "8")])
    client.send(b"half")
    sid = node.expect_request().sid
    node.expect_body(sid, 4)
    server.request_stop()
    client.send(b"full")
    assert node.expect_body(sid, 4) == b"full"
    node.respond(sid, b"stored")
    assert client.read_response().body == b"stored"
    client.close()
    server.join()


def test_idle_connections_are_closed(stage: Stage) -> None:
    """Silently; also those that never said anything."""
    server = stage.serve()
    node, used, fresh = stage.node(), stage.client(), stage.client()
    sid = stage.exchange(node, used)
    server.wait_counter("connections.accepted", 2)
    server.request_stop()
    used.expect_eof()
    fresh.expect_eof()
    node.expect_end(sid)
    used.close()
    fresh.close()
    server.join()


def can_connect(port: int) -> bool:
    try:
        RawClient(port).close()
    except ConnectionError:
        return False
    return True


def test_nothing_new_is_accepted(stage: Stage) -> None:
    server = stage.serve()
    node, client = stage.node(), stage.client()
    client.send(request_head("/1") + request_head("/2"))
    sid = node.expect_request().sid
    server.request_stop()
    server.wait_until(lambda: not can_connect(server.port), "connections are refused")
    node.respond(sid, b"last")
    assert client.read_response().body == b"last"
    client.expect_eof()
    client.close()
    node.expect_end(sid)
    server.join()


def test_drain_time(stage: Stage) -> None:
    """What is not over after `drain` is cut, and its node told."""
    server = stage.serve({"drain": 0.2})
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.send(sid, "headers", head())
    node.send(sid, "chunk", b"part")
    client.read_head()
    client.read_chunk()
    server.request_stop()
    client.expect_eof()
    node.expect_end(sid)
    server.join()
    assert [view.reason for view in server.exchanges] == [CloseReason.SERVER_STOP]


def test_second_stop_ends_at_once(stage: Stage) -> None:
    server = stage.serve({"drain": 3600})
    node, client = stage.node(), stage.client()
    client.get()
    node.expect_request()
    server.request_stop()
    server.server.stop()
    client.read_to_eof()
    server.join()


# ---------------------------------------------------------------- the process


def start(stage: Stage) -> tuple[ServerProcess, ScriptedNode, RawClient]:
    """A process, a node and a client of it."""
    config = stage.configure({"zmq": f"ipc://{stage.folder}/nodes", "ping-freq": 0.1})
    process = stage.serve_process(config)
    port = process.wait_ready()
    node = stage.node(endpoint=f"ipc://{stage.folder}/nodes")
    return process, node, stage.client(address=("127.0.0.1", port))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_finishes_what_runs(stage: Stage, number: signal.Signals) -> None:
    process, node, client = start(stage)
    client.get("/last?one=1")
    sid = node.expect_request().sid
    process.send_signal(number)
    node.wait_ping()  # it lives on
    node.respond(sid, b"finished")
    assert client.read_response().body == b"finished"
    client.expect_eof()
    client.close()
    assert process.wait() == 0
    assert "Traceback" not in process.stderr
    assert "/last?one=1" in process.stderr  # the access log


def test_second_signal_ends_at_once(stage: Stage) -> None:
    process, node, client = start(stage)
    client.get()
    node.expect_request()
    process.send_signal()
    node.wait_ping()
    process.send_signal()
    client.read_to_eof()
    process.wait()
    assert "Traceback" not in process.stderr


def test_idle_process_stops(stage: Stage) -> None:
    process, _, client = start(stage)
    process.send_signal()
    client.expect_eof()
    client.close()
    assert process.wait() == 0
    assert "Traceback" not in process.stderr


def run(config: Path) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "blastbeat", "serve", str(config)]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=15)


def test_address_in_use(stage: Stage) -> None:
    """Exit code 3, and a message that names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(stage.configure({"bind": f"127.0.0.1:{port}"}))
    assert result.returncode == 3
    assert str(port) in result.stderr and "Traceback" not in result.stderr
    assert "ready" not in result.stderr


def test_endpoint_in_use(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(stage.configure({"zmq": f"tcp://127.0.0.1:{port}"}))
    assert result.returncode == 3
    assert str(port) in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "text", [None, "[blastbeat", "[blastbeat]\nbind = 'nonsense:port'\n", "[blastbeat]\nbnid = '1'\n"]
)
def test_bad_configuration(stage: Stage, text: str | None) -> None:
    """Exit code 78, and the file named; a missing one too."""
    path = stage.folder / "bad.toml"
    if text is not None:
        path.write_text(text)
    result = run(path)
    assert result.returncode == 78
    assert "bad.toml" in result.stderr and "Traceback" not in result.stderr
