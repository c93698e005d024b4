"""How commands ask a running server, and what they say when it can't be asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blastbeat.config.model import Config
from blastbeat.errors import ControlError
from blastbeat.transport import control_client
from blastbeat.transport.control_client import ask
from tests.helpers.control import config_of
from tests.helpers.server import PATIENCE
from tests.helpers.stage import Stage


@contextmanager
def answering(path: Path, *pieces: bytes) -> Iterator[None]:
    """Somebody who reads a line and says this, whatever it was."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                for piece in pieces:
                    connection.sendall(piece)

        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join(PATIENCE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def test_a_real_server(stage: Stage, path: Path) -> None:
    server = stage.serve({"control": str(path)})
    server.server.control.handle("echo", lambda arguments: dict(arguments))
    long = "x" * 50_000
    assert ask(config_of(path), "echo", {"n": [1, {"long": long}]}) == {"n": [1, {"long": long}]}
    with pytest.raises(ControlError, match="no command 'nothing'"):
        ask(config_of(path), "nothing")


def test_an_answer_in_pieces(path: Path) -> None:
    with answering(path, b'{"ok": true, ', b'"result": [1, ', b"2]}\n"):
        assert ask(config_of(path), "status") == [1, 2]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 400\r\n", "can't be read"),
        (b'{"ok": true}\n', "can't be read"),
        (b"[]\n", "can't be read"),
        (b'{"ok": false, "error": "the file is broken"}\n', "^the file is broken$"),
    ],
)
def test_answers_that_are_none(path: Path, answer: bytes, error: str) -> None:
    with answering(path, answer), pytest.raises(ControlError, match=error):
        ask(config_of(path), "status")


def test_an_answer_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_client, "MAX_ANSWER", 100)
    with answering(path, b"x" * 200), pytest.raises(ControlError, match="longer than 100"):
        ask(config_of(path), "status")


def test_no_socket_is_configured() -> None:
    with pytest.raises(ControlError, match=r"write `control = .*` under \[blastbeat\] in b.toml and restart"):
        ask(Config(file="b.toml"), "status")


def test_nobody_listens(path: Path) -> None:
    with pytest.raises(ControlError, match="is the server running"):
        ask(config_of(path), "status")
    with pytest.raises(ControlError, match="is the server running"):
        ask(config_of(path / "below"), "status")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left_behind:
        left_behind.bind(str(path))
    with pytest.raises(ControlError, match="is the server running"):
        ask(config_of(path), "status")


def test_a_server_that_does_not_answer(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as busy:
        busy.bind(str(path))
        busy.listen()
        with pytest.raises(ControlError, match=r"within 0.01 s"):
            ask(config_of(path), "status", timeout=0.01)


@pytest.mark.parametrize("exists", [True, False])
def test_no_permission(path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    if exists:
        path.write_text("")
    with pytest.raises(ControlError, match="no permission.*(belongs to user|the server's user).* root"):
        ask(config_of(path), "status")


def test_a_file_of_another_kind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(91, "Protocol wrong type for socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ControlError, match="wrong type"):
        ask(config_of(path), "status")
