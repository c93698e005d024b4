"""What a configuration names on this machine: each thing that is wrong with its line, each once."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from blastbeat.config.build import build
from blastbeat.config.files import read_files
from blastbeat.errors import Problem
from blastbeat.surroundings import examine_surroundings

HOST = '[vhost."a.test"]\nnode = "app"\n'


def look(folder: Path, text: str) -> list[Problem]:
    path = folder / "x.toml"
    path.write_text(text)
    return list(examine_surroundings(build(read_files(path, {}), str(path), {})))


def the_only(folder: Path, line: str) -> Problem:
    [problem] = look(folder, f"[blastbeat]\n{line}\n{HOST}")
    assert (problem.file, problem.line, problem.section) == (str(folder / "x.toml"), 2, "blastbeat")
    assert problem.key == line.partition(" ")[0]
    return problem


def test_nothing_is_wrong_with_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """[blastbeat]
bind = ["127.0.0.1:0", "[::1]:0"]
zmq = ["tcp://127.0.0.1:*", "tcp://*:0", "tcp://lo:5000", "ipc://x.ipc", "ipc://@name"]
stats-bind = "127.0.0.1:0"
control = "ctl.sock"
access-log = "access.log"
error-log = "stderr"
"""
    monkeypatch.chdir(tmp_path)
    assert look(tmp_path, text + HOST) == []
    assert {path.name for path in tmp_path.iterdir()} == {"x.toml"}


@pytest.mark.parametrize("key", ["access-log", "error-log", "control"])
def test_a_folder_that_is_not_there(tmp_path: Path, key: str) -> None:
    problem = the_only(tmp_path, f'{key} = "none/x"')
    assert problem.severity == "error"
    assert f"{tmp_path}/none does not exist" in problem.message


@pytest.mark.parametrize(
    ("path", "directive"),
    [("/run/blastbeat-none/x", "RuntimeDirectory="), ("/var/log/blastbeat-none/x", "LogsDirectory=")],
)
def test_a_folder_that_a_unit_makes(tmp_path: Path, path: str, directive: str) -> None:
    problem = the_only(tmp_path, f'error-log = "{path}"')
    assert problem.severity == "warning" and directive in problem.hint


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    assert "is no folder" in the_only(tmp_path, 'control = "plain/x"').message


def test_a_log_that_is_a_folder(tmp_path: Path) -> None:
    problem = the_only(tmp_path, f'access-log = "{tmp_path}"')
    assert problem.severity == "error" and "is a folder" in problem.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_what_we_may_not_write(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch(mode=0o400)
    assert the_only(tmp_path, 'access-log = "a.log"').severity == "warning"
    (tmp_path / "shut").mkdir(mode=0o500)
    assert the_only(tmp_path, 'access-log = "shut/a.log"').severity == "warning"


def test_a_socket_path_that_is_another_file(tmp_path: Path) -> None:
    (tmp_path / "x.ipc").write_text("mine")
    problem = the_only(tmp_path, f'zmq = "ipc://{tmp_path}/x.ipc"')
    assert problem.severity == "error" and "another kind" in problem.message
    assert (tmp_path / "x.ipc").read_text() == "mine"


def test_what_is_in_use_is_a_note(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket(socket.AF_UNIX) as control:
        control.bind(str(tmp_path / "ctl"))
        control.listen()
        port = taken.getsockname()[1]
        lines = [f'bind = "127.0.0.1:{port}"', f'zmq = "tcp://127.0.0.1:{port}"']
        lines += [f'stats-bind = "127.0.0.1:{port}"', 'control = "ctl"']
        for line in lines:
            problem = the_only(tmp_path, line)
            assert problem.severity == "note"
            assert f"(process {os.getpid()})" in problem.message


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    for line in ('bind = "192.0.2.7:80"', 'zmq = "tcp://192.0.2.7:5000"'):
        assert the_only(tmp_path, line).severity == "error"


def test_what_many_virtualhosts_name_is_told_once(tmp_path: Path) -> None:
    hosts = "".join(f'[vhost."h{n}.test"]\nnode = "app"\nbind = "192.0.2.7:80"\n' for n in range(5))
    problems = look(tmp_path, hosts)
    assert [(problem.line, problem.section) for problem in problems] == [(3, 'vhost."h0.test"')]
