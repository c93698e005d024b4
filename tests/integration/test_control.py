"""The control socket of a running server: who may speak, what is answered, and what becomes of its file."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from blastbeat.errors import ControlError, StartError
from blastbeat.transport import control
from blastbeat.transport.control import MAX_CONNECTIONS, MAX_REQUEST, ControlSocket
from blastbeat.transport.control_client import ask
from tests.helpers.control import config_of, connect, read_answer, say
from tests.helpers.server import RunningServer
from tests.helpers.stage import Stage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def serve(stage: Stage, path: Path) -> RunningServer:
    """With a few commands that are no use but to these tests."""
    server = stage.serve({"control": str(path)})

    async def slow(arguments: Mapping[str, Any]) -> object:
        await anyio.lowlevel.checkpoint()
        return ["slowly", dict(arguments)]

    def fail(_: Mapping[str, Any]) -> object:
        raise RuntimeError("oops")

    def refuse(_: Mapping[str, Any]) -> object:
        raise ControlError("not today")

    server.server.control.handle("echo", lambda arguments: arguments)
    server.server.control.handle("slow", slow)
    server.server.control.handle("fail", fail)
    server.server.control.handle("refuse", refuse)
    server.server.control.handle("unsayable", lambda _: object())
    return server


def test_a_command_and_its_answer(stage: Stage, path: Path) -> None:
    serve(stage, path)
    assert say(path, b'{"command": "echo", "name": "x"}\n') == {"ok": True, "result": {"name": "x"}}
    assert say(path, b'{"command": "slow", "n": 1}\n')["result"] == ["slowly", {"n": 1}]


def test_a_line_in_pieces_and_what_follows_it(stage: Stage, path: Path) -> None:
    serve(stage, path)
    with connect(path) as connection:
        connection.sendall(b'{"command"')
        connection.sendall(b': "echo"}\nrest')
        assert read_answer(connection)["ok"]


def test_a_last_line_needs_no_newline(stage: Stage, path: Path) -> None:
    serve(stage, path)
    with connect(path) as connection:
        connection.sendall(b'{"command": "echo"}')
        connection.shutdown(socket.SHUT_WR)
        assert read_answer(connection)["ok"]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"status\n", "not JSON"),
        (b"\xff\n", "not JSON"),
        (b"[" * 30000 + b"\n", "not JSON"),
        (b"[1]\n", "object with a command"),
        (b'{"command": 3}\n', "object with a command"),
        (b'{"name": "x"}\n', "object with a command"),
        (b"\n", "not JSON"),
        (b"x" * MAX_REQUEST, "at most 65536 bytes"),
        (b'{"command": "nothing"}\n', "no command 'nothing'; known: echo, fail, refuse, "),
        (b'{"command": "refuse"}\n', "not today"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, bytes) else "",
)
def test_what_is_wrong_is_said(stage: Stage, path: Path, line: bytes, error: str) -> None:
    serve(stage, path)
    answer = say(path, line)
    assert answer["ok"] is False and error in answer["error"]
    assert say(path, b'{"command": "echo"}\n')["ok"]


@pytest.mark.parametrize("command", ["fail", "unsayable"])
def test_a_handler_that_fails_is_not_the_servers_end(stage: Stage, path: Path, command: str) -> None:
    server = serve(stage, path)
    server.allow_tracebacks = True
    answer = say(path, b'{"command": "%b"}\n' % command.encode())
    assert answer["ok"] is False and "the command failed" in answer["error"]
    assert "a command failed" in server.log_text
    assert say(path, b'{"command": "echo"}\n')["ok"]


def test_who_says_nothing_is_told_so(stage: Stage, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "REQUEST_TIMEOUT", 0.05)
    serve(stage, path)
    with connect(path) as connection:
        assert "no request within" in read_answer(connection)["error"]


def test_who_leaves_disturbs_nobody(stage: Stage, path: Path) -> None:
    serve(stage, path)
    connect(path).close()
    with connect(path) as connection:
        connection.sendall(b'{"command": "slow"}\n')
    assert say(path, b'{"command": "echo"}\n')["ok"]


def test_the_number_of_connections_is_bounded(stage: Stage, path: Path) -> None:
    """Further ones wait until one of those before is over."""
    server = serve(stage, path)
    silent = [connect(path) for _ in range(MAX_CONNECTIONS)]
    waiting = connect(path)
    waiting.sendall(b'{"command": "echo"}\n')
    server.wait_until(lambda: len(server.server.control._open) == MAX_CONNECTIONS, "all slots are taken")
    silent.pop().close()
    assert read_answer(waiting)["ok"]
    for connection in (waiting, *silent):
        connection.close()


def test_connections_end_with_the_server(stage: Stage, path: Path) -> None:
    server = serve(stage, path)
    with connect(path) as silent:
        server.stop()
        assert silent.recv(1) == b""


def test_only_its_user_can_open_the_file(stage: Stage, path: Path) -> None:
    umask = os.umask(0)
    try:
        serve(stage, path)
    finally:
        os.umask(umask)
    assert stat.filemode(path.stat().st_mode) == "srw-------"


def test_another_user_is_not_answered(stage: Stage, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system does not keep modes, the kernel still tells who asks."""
    server = serve(stage, path)
    monkeypatch.setattr(control, "_ROOT", -1)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with connect(path) as connection:
        assert connection.recv(1) == b""
    assert "neither the server's own nor root" in server.log_text


def test_the_file_goes_with_the_server(stage: Stage, path: Path) -> None:
    server = serve(stage, path)
    assert path.exists()
    server.stop()
    assert not path.exists()


def test_a_file_that_is_anothers_by_now_stays(stage: Stage, path: Path) -> None:
    server = serve(stage, path)
    path.unlink()
    path.write_text("another's")
    server.stop()
    assert path.read_text() == "another's"


def test_it_answers_while_the_server_stops(stage: Stage, path: Path) -> None:
    """A drain may take long, and is what one wants to look at."""
    server = serve(stage, path)
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    server.request_stop()
    assert say(path, b'{"command": "echo"}\n')["ok"]
    node.respond(sid, b"last")
    assert client.read_response().body == b"last"
    client.close()
    server.join()


# ---------------------------------------------------------------- starting


def test_what_a_killed_server_left_is_replaced(stage: Stage, path: Path) -> None:
    config = stage.configure({"control": str(path)})
    process = stage.serve_process(config)
    process.wait_ready()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.exists()
    serve(stage, path)
    assert say(path, b'{"command": "echo"}\n')["ok"]


@pytest.mark.parametrize("backlog", [0, 16])
def test_a_living_server_keeps_its_socket(stage: Stage, path: Path, backlog: int) -> None:
    """Also one that is too busy to accept."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as alive:
        alive.bind(str(path))
        alive.listen(backlog)
        first = connect(path)
        with pytest.raises(StartError, match=r"control = .*another server listens there"):
            stage.serve({"control": str(path)})
        first.close()
        assert path.exists()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_file_of_another_kind_is_left_alone(stage: Stage, path: Path, kind: str) -> None:
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/nowhere")
    with pytest.raises(StartError, match="no socket"):
        stage.serve({"control": str(path)})
    assert os.path.lexists(path)


@pytest.mark.parametrize("parent", ["missing", "file"])
def test_a_folder_that_is_none(stage: Stage, tmp_path: Path, parent: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=f"control = .*{parent}/c.sock"):
        stage.serve({"control": str(tmp_path / parent / "c.sock")})


def test_a_server_that_does_not_start_leaves_nothing(stage: Stage, path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StartError, match="in use"):
        stage.serve({"control": str(path), "bind": f"127.0.0.1:{taken.getsockname()[1]}"})
    assert not path.exists()


# ---------------------------------------------------------------- without a server


def test_one_command_has_one_handler() -> None:
    socket = ControlSocket("")
    socket.handle("status", dict)
    with pytest.raises(ValueError, match="'status' already"):
        socket.handle("status", dict)


def test_without_a_path_there_is_none() -> None:
    async def main() -> None:
        socket = ControlSocket("")
        async with anyio.create_task_group() as tasks:
            socket.open()
            await socket.start(tasks)
            socket.give_to(-1, -1)
            socket.close()

    anyio.run(main)


def test_a_server_that_ends_at_once(path: Path) -> None:
    """Cancelled with a connection that was accepted in the same turn of the loop."""

    async def main() -> None:
        socket = ControlSocket(str(path))
        async with anyio.create_task_group() as tasks:
            socket.open()
            await socket.start(tasks)
            with connect(path):
                while not socket._open:
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        socket.close()

    anyio.run(main)
    assert not path.exists()


def test_accepting_goes_on_after_it_failed(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(control, "PAUSE_WHEN_EXHAUSTED", 0.0)

    async def main() -> None:
        socket = ControlSocket(str(path))
        socket.handle("echo", dict)
        loop = asyncio.get_running_loop()
        accept, failures = loop.sock_accept, [OSError(24, "Too many open files")]

        async def fail_first(bound: Any) -> object:
            if failures:
                raise failures.pop()
            return await accept(bound)

        monkeypatch.setattr(loop, "sock_accept", fail_first)
        async with anyio.create_task_group() as tasks:
            socket.open()
            await socket.start(tasks)
            assert await anyio.to_thread.run_sync(lambda: ask(config_of(path), "echo")) == {}
            socket.close()

    anyio.run(main)
    assert "can't accept: Too many open files" in caplog.text


def test_the_file_can_be_given_away(path: Path) -> None:
    socket = ControlSocket(str(path))
    socket.open()
    socket.give_to(os.getuid(), -1)
    socket.close()
    assert not path.exists()
