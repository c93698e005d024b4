"""`blastbeat node` as its users start it, with a real server: serving, replacing, ending."""

from __future__ import annotations

import json
import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.helpers.printing import PrintingProcess
from tests.helpers.stage import Stage

APPLICATION = """
import os

class Application:
    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                os.write(1, f"{kind} {os.getpid()}\\n".encode())  # whole, beside others
                await send({"type": f"{kind}.complete"})
        if scope["path"] == "/die":
            os._exit(9)
        body = f"{os.getpid()} {scope['root_path']}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

application = Application()
"""


def node(stage: Stage, *arguments: str, app: str = "shop:application") -> PrintingProcess:
    command = [sys.executable, "-m", "blastbeat", "node", app, "--connect", stage.server.endpoint]
    return PrintingProcess([*command, "--name", "app", *arguments], cwd=stage.folder)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.py"
    file.write_text(APPLICATION)
    return file


def pid_of(stage: Stage) -> int:
    client = stage.client()
    client.get("/")
    return int(client.read_response().body.split()[0])


def test_it_serves_and_its_stop_closes_websockets_and_ends_the_lifespan(stage: Stage, shop: Path) -> None:
    stage.serve()
    with node(stage, "--root-path", "/shop") as process:
        process.wait_line("ready node app zmq tcp://127.0.0.1:")
        client = stage.client()
        client.get("/")
        assert client.read_response().body.endswith(b" /shop")
        websocket = stage.websocket()
        websocket.handshake("/")
        process.send_signal(signal.SIGTERM)
        websocket.expect_close(1012)
        websocket.send_close(1012)
        process.wait_line("lifespan.shutdown")
        assert process.wait() == 0
        process.wait_silent()


def test_sighup_replaces_each_worker(stage: Stage, shop: Path) -> None:
    stage.serve()
    with node(stage, "--workers", "2") as process:
        process.wait_line("ready node app")
        started = started_by(process, 2)
        process.send_signal(signal.SIGHUP)
        assert len(started_by(process, 4) - started) == 2
        process.wait_until(
            lambda lines: sum("lifespan.shutdown" in line for line in lines) == 2, "the end of both before"
        )
        assert pid_of(stage) not in started
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0


def started_by(process: PrintingProcess, count: int) -> set[int]:
    def found(lines: list[str]) -> list[str]:
        return re.findall(r"^lifespan.startup (\d+)$", "\n".join(lines), re.MULTILINE)

    process.wait_until(lambda lines: len(found(lines)) >= count, f"{count} workers")
    return set(map(int, found(process.lines)))


def test_a_worker_that_dies_is_replaced(stage: Stage, shop: Path) -> None:
    stage.serve()
    with node(stage) as process:
        process.wait_line("ready node app")
        before = pid_of(stage)
        client = stage.client()
        client.post(b"", "/die")
        process.wait_line("ended with exit code 9")
        assert started_by(process, 2) > {before}
        process.wait_until(lambda lines: sum("serves tcp" in line for line in lines) == 2, "the second")
        assert pid_of(stage) != before


def test_no_worker_outlives_the_supervisor(stage: Stage, shop: Path) -> None:
    stage.serve()
    with node(stage, "--workers", "2") as process:
        process.wait_line("ready node app")
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.wait_silent()


def test_what_can_not_be_loaded_ends_it_with_the_reason(stage: Stage, shop: Path) -> None:
    stage.serve()
    shop.write_text("x = 1\ny = x / 0\n")
    with node(stage, "--workers", "3") as process:
        assert process.wait() == 3
        process.wait_silent()
        assert process.lines == [
            "Traceback (most recent call last):",
            f'  File "{shop}", line 2, in <module>',
            "    y = x / 0",
            "        ~~^~~",
            "ZeroDivisionError: division by zero",
            "blastbeat: shop:application can't be loaded: ZeroDivisionError: division by zero",
        ]


def test_bad_settings_are_told_at_once(stage: Stage, shop: Path) -> None:
    stage.serve()
    with node(stage, "--workers", "none") as process:
        assert process.wait() == 78
        process.wait_silent()
        assert process.lines == ["command line: error: --workers = 'none': is not a whole number"]


def test_a_worker_retires_after_its_requests(stage: Stage, shop: Path) -> None:
    stage.serve()
    with node(stage, "--max-requests", "1") as process:
        process.wait_line("ready node app")
        first = pid_of(stage)
        process.wait_line(f"lifespan.shutdown {first}")
        assert pid_of(stage) != first


def test_one_that_hangs_shows_where_and_is_replaced(stage: Stage, shop: Path) -> None:
    stage.serve()
    shop.write_text(APPLICATION.replace("os._exit(9)", "__import__('threading').Event().wait()"))
    with node(stage, "--hang-timeout", "1") as process:
        process.wait_line("ready node app")
        before = pid_of(stage)
        stage.client().post(b"", "/die")
        process.wait_line("hangs: its loop stands still for 1 s (hang-timeout)")
        process.wait_line(f'File "{shop}", line ')
        process.wait_line("died of SIGABRT")
        assert started_by(process, 2) > {before}


def test_a_second_signal_ends_it_at_once(stage: Stage, shop: Path) -> None:
    stage.serve()
    shop.write_text(APPLICATION.replace("os._exit(9)", "await __import__('asyncio').sleep(1000)"))
    with node(stage) as process:
        process.wait_line("ready node app")
        stage.client().get("/die")
        stage.server.wait_until(lambda: stage.server.server.session_count == 1, "the request is there")
        process.send_signal(signal.SIGTERM)
        process.wait_line("stops: what runs may take 30 s; asked again it ends at once")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        process.wait_silent()


def test_everything_from_the_environment_and_a_file_for_two_servers(
    stage: Stage, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = stage.serve()
    other = f"ipc://{stage.folder}/nobody"
    (stage.folder / "node.toml").write_text(
        f'[node]\napp = "shop"\nname = "app"\nlog-format = "json"\nconnect = ["{other}", "{server.endpoint}"]'
    )
    monkeypatch.setenv("BLASTBEAT_NODE_ROOT_PATH", "/from/environment")
    command = [sys.executable, "-m", "blastbeat", "node", "--config", "node.toml"]
    with PrintingProcess(command, cwd=stage.folder) as process:
        line = json.loads(process.wait_line('"message":"serves '))
        assert re.fullmatch(r"app/.+-\d+-[0-9a-f]{8}", line["node"])
        client = stage.client()
        client.get("/")
        assert client.read_response().body.endswith(b" /from/environment")
        process.wait_line(f'"message":"nobody answers at {other}')
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


def test_the_service_manager_is_told(stage: Stage, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.serve()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(stage.folder / "notify"))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(stage.folder / "notify"))
        with node(stage) as process:
            ready = manager.recv(1000).split(b"\n")
            assert ready == [
                b"READY=1",
                b"MAINPID=%d" % process.pid,
                b"STATUS=shop:application as app",
            ]
            process.send_signal(signal.SIGTERM)
            assert manager.recv(1000).startswith(b"STOPPING=1\n")
            assert process.wait() == 0


@pytest.mark.parametrize("name", ["a-name-that-no-virtualhost-has"])
def test_a_server_that_does_not_know_the_node_is_explained(stage: Stage, shop: Path, name: str) -> None:
    server = stage.serve()
    command = [
        sys.executable,
        "-m",
        "blastbeat",
        "node",
        "shop",
        "--connect",
        server.endpoint,
        "--name",
        name,
    ]
    with PrintingProcess(command, cwd=stage.folder) as process:
        process.wait_line(f"connected to {server.endpoint}, but the server there does not answer")
