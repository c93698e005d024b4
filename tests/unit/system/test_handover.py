"""What `check` and the start say of files that another user could not read. Becoming one needs root:
tests/integration/test_privileges.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blastbeat.config.model import (
    Config,
    ErrorPage,
    Origin,
    RouteConfig,
    ServerConfig,
    VirtualHostConfig,
)
from blastbeat.errors import StartError
from blastbeat.system.accounts import Account
from blastbeat.system.handover import examine_account, examine_files, hand_over, whom_to_become

FREE = 3_999_999_999
STRANGER = Account(FREE, FREE, frozenset({FREE}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for each in (tmp_path, *tmp_path.parents):
        if not os.stat(each).st_mode & 0o001 and os.stat(each).st_uid == os.geteuid():
            each.chmod(0o755)
    return tmp_path


def secret(path: Path) -> str:
    path.parent.mkdir(exist_ok=True)
    path.touch()
    path.chmod(0o600)
    return str(path)


def test_unknown_accounts() -> None:
    server = ServerConfig(uid="no-such-account-here")
    with pytest.raises(StartError, match="uid = no-such-account-here: this machine has no user"):
        whom_to_become(server)
    (problem,) = examine_account(Config(server))
    assert (problem.key, problem.severity) == ("uid", "error")
    assert whom_to_become(ServerConfig()) is None and examine_account(Config()) == []


def test_every_file_that_a_reload_reads(folder: Path) -> None:
    files = {name: secret(folder / name) for name in "main included plugin 503 offline route".split()}
    route = RouteConfig(
        "/api", VirtualHostConfig("a", route="/api", offline=files["route"], section="vhost.a")
    )
    config = Config(
        ServerConfig(plugins_files=(files["plugin"],)),
        (
            VirtualHostConfig(
                "a",
                file=files["main"],
                section="vhost.a",
                error_pages=(ErrorPage(503, files["503"]),),
                offline=files["offline"],
                routes=(route,),
                origins={
                    "timeout": Origin(files["included"], 3, "vhost.a"),
                    "bind": Origin("command line", 0, ""),
                },
            ),
        ),
        file=files["main"],
    )
    problems = list(examine_files(config, STRANGER))
    assert {(problem.section, problem.key, problem.value) for problem in problems if problem.key} == {
        ("plugins", "plugins", files["plugin"]),
        ("vhost.a", "error-page", files["503"]),
        ("vhost.a", "offline", files["offline"]),
        ("vhost.a", "offline", files["route"]),
    }
    texts = [problem.message for problem in problems]
    for path in files.values():
        assert sum(f"user {STRANGER} may not read {path} (mode 0600" in text for text in texts) == 1
    assert {problem.severity for problem in problems} == {"warning"}
    assert all("a reload will fail: user" in problem.message for problem in problems)
    for path in files.values():
        Path(path).chmod(0o644)
    assert list(examine_files(config, STRANGER)) == []


def test_logs_that_could_not_be_opened_anew(folder: Path) -> None:
    closed, open_ = folder / "closed", folder / "open"
    for path, mode in ((closed, 0o755), (open_, 0o777)):
        path.mkdir()
        path.chmod(mode)
    server = ServerConfig(access_log=str(closed / "access.log"), error_log=str(open_ / "error.log"))
    (problem,) = examine_files(Config(server), STRANGER)
    assert (problem.section, problem.key) == ("blastbeat", "access-log")
    assert "can't be opened anew" in problem.message
    assert list(examine_files(Config(ServerConfig(access_log="off", error_log="stderr")), STRANGER)) == []


def test_without_root_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def give(uid: int, gid: int) -> None:
        raise AssertionError("nothing is ours to give")

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (warning,) = hand_over(Config(), STRANGER, ["ipc:///tmp/never"], give)
    assert warning.startswith("uid and gid have no effect: only root") and "runs as user 1000" in warning
    assert hand_over(Config(), Account(1000, 1000, frozenset()), [], give) == []
