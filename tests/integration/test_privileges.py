"""Started as root the server becomes another user once everything is bound: with all its threads, for good,
and with its files. Every change of user happens in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.client import RawClient
from tests.helpers.manager import FakeManager
from tests.helpers.process import ServerProcess
from tests.helpers.settings import HOST
from tests.helpers.stage import Stage

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

UID, GID = 54321, 54322  # numbers need no entry
AS_OTHER = {"uid": UID, "gid": GID}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """One that every user may enter."""
    for each in (tmp_path, *tmp_path.parents):
        if not os.stat(each).st_mode & 0o001 and os.stat(each).st_uid == os.geteuid():
            each.chmod(0o755)
    yield tmp_path


@pytest.fixture
def manager(folder: Path) -> Iterator[FakeManager]:
    manager = FakeManager(folder / "notify")
    yield manager
    manager.close()


def identities(process: ServerProcess) -> set[tuple[str, str, str]]:
    """Users, groups and further groups of all its threads."""
    found = set()
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        text = (task / "status").read_text()
        found.add(tuple(" ".join(re.findall(rf"^{key}:(.*)$", text, re.M)[0].split()) for key in KEYS))
    return found  # type: ignore[return-value]


KEYS = ("Uid", "Gid", "Groups")


@needs_root
def test_every_thread_is_the_other_user_and_serves(stage: Stage, folder: Path) -> None:
    endpoint = f"ipc://{folder}/nodes"
    files = {name: folder / "log" / name for name in ("access.log", "error.log")}
    (folder / "log").mkdir()
    os.chown(folder / "log", UID, GID)
    server = {
        **AS_OTHER,
        "zmq": [endpoint, "tcp://127.0.0.1:*"],
        "control": str(folder / "control"),
        "access-log": str(files["access.log"]),
        "error-log": str(files["error.log"]),
    }
    config = stage.configure(server)
    config.chmod(0o644)
    process = stage.serve_process(config)
    port = process.wait_ready()
    assert identities(process) == {(f"{UID} {UID} {UID} {UID}", f"{GID} {GID} {GID} {GID}", str(GID))}
    assert len(list(Path(f"/proc/{process.pid}/task").iterdir())) >= 3  # libzmq's are among them
    for path in (folder / "nodes", folder / "control", *files.values()):
        assert (path.stat().st_uid, path.stat().st_gid) == (UID, GID), path
    warnings = [line for line in process.stderr.splitlines() if line.startswith("warning")]
    assert all("modules that are loaded later" in line for line in warnings)
    node, client = stage.node(endpoint=endpoint), stage.client(address=("127.0.0.1", port))
    stage.exchange(node, client)
    process.send_signal(signal.SIGTERM)
    client.close()
    assert process.wait() == 0
    assert HOST in files["access.log"].read_text()


@needs_root
def test_a_low_port_is_bound_before(stage: Stage, folder: Path) -> None:
    """What another user could not bind, after the change or at all."""
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = next(port for port in range(700, 1024) if probe.connect_ex(("127.0.0.1", port)))
    except OSError:
        pytest.fail("no port below 1024 is free")
    config = stage.configure({**AS_OTHER, "bind": f"127.0.0.1:{free}"})
    process = stage.serve_process(config)
    assert process.wait_ready() == free
    assert {users.split()[0] for users, _, _ in identities(process)} == {str(UID)}
    client = RawClient(free)
    client.get(host="nobody.test")
    assert client.read_response().status == 404
    client.close()


@needs_root
def test_a_reload_that_will_fail_is_told_at_the_start_and_by_check(stage: Stage, folder: Path) -> None:
    page = folder / "busy.html"
    page.write_text("busy")
    page.chmod(0o600)
    config = stage.configure(AS_OTHER, {"error-page": f"503 {page}"})
    config.chmod(0o640)
    process = stage.serve_process(config)
    process.wait_line("ready")
    user = f"a reload will fail: user {UID} ({UID}:{GID}) may not read"
    assert f"warning: {user} {config} (mode 0640, owner 0:0)" in process.stderr
    assert f"warning: error-page: {user} {page} (mode 0600, owner 0:0)" in process.stderr
    checked = subprocess.run(
        [sys.executable, "-m", "blastbeat", "check", str(config)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0
    assert f"{config}: warning: {user} {config} (mode" in checked.stdout
    assert re.search(
        rf"^{re.escape(str(config))}:\d+: warning: .*error-page = .*{re.escape(user)} {page} ",
        checked.stdout,
        re.M,
    )


@needs_root
def test_a_reload_as_the_other_user(stage: Stage, folder: Path, manager: FakeManager) -> None:
    """What it may read it takes over, what it may not changes nothing."""
    config = stage.configure(AS_OTHER)
    config.chmod(0o644)
    process = stage.serve_process(config, environ={"NOTIFY_SOCKET": manager.address})
    port = process.wait_ready()
    manager.wait_for("READY")
    config.chmod(0o600)
    process.send_signal(signal.SIGHUP)
    assert "not taken over" in manager.wait_for("READY")["STATUS"]
    process.wait_match(rf".*{re.escape(str(config))}.*Permission denied")
    config.chmod(0o644)
    process.send_signal(signal.SIGHUP)
    assert manager.wait_for("READY")["STATUS"].startswith("serves")
    client = RawClient(port)
    client.get(host="nobody.test")
    assert client.read_response().status == 404
    client.close()


@needs_root
def test_a_log_is_not_given_away_through_a_link(stage: Stage, folder: Path) -> None:
    """Its folder belongs to the user who must not get at root's files by it."""
    logs, secret = folder / "log", folder / "secret"
    logs.mkdir()
    os.chown(logs, UID, GID)
    secret.write_text("")
    secret.chmod(0o600)
    (logs / "access.log").symlink_to(secret)
    os.link(secret, logs / "error.log")
    server = {"access-log": str(logs / "access.log"), "error-log": str(logs / "error.log")}
    process = stage.serve_process(stage.configure({**AS_OTHER, **server}))
    process.wait_line("ready")
    assert secret.stat().st_uid == 0
    assert "access.log is a symbolic link and so was not given" in process.stderr
    assert "error.log has other names (hard links) and so was not given" in process.stderr


@needs_root
def test_only_root_can(stage: Stage, folder: Path) -> None:
    """As another user it says so, and serves."""
    config = stage.configure({"uid": UID + 1, "gid": GID})
    config.chmod(0o644)
    script = (
        "import os, sys\n"
        "from blastbeat.cli import main\n"
        "import blastbeat.server, blastbeat.commands.serve, encodings.idna, uvloop\n"
        # Loads what it will need: where Python lies the other user may not be let in.
        "main(['check', sys.argv[-1]])\n"
        f"os.setgroups([]); os.setgid({GID}); os.setuid({UID})\n"
        "sys.exit(main(sys.argv[4:]))\n"
    )
    process = stage.serve_process(config, prefix=[sys.executable, "-c", script])
    process.wait_line("ready")
    assert "warning: uid and gid have no effect: only root can become another user" in process.stderr
    assert f"runs as user {UID}, not as {UID + 1}" in process.stderr


def test_an_unknown_user(stage: Stage) -> None:
    process = stage.serve_process(stage.configure({"uid": "no-such-account-here"}))
    assert process.wait() == 3
    assert "blastbeat: uid = no-such-account-here: this machine has no user of this name" in process.stderr
