"""`blastbeat node` as its users start it, with a real server: serving, replacing, ending."""

from __future__ import annotations

import re
import signal
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
                print(kind, os.getpid(), flush=True)
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
        assert not started_by(process, 4) - started <= started
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
