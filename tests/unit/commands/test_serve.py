"""`blastbeat serve`: overrides, the ready line, and what is said before it. The server is a fake."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from blastbeat.commands import serve
from blastbeat.config.model import Address, Config, ServerConfig
from blastbeat.errors import ConfigError
from blastbeat.server_logs import ServerLogs

TEXT = '[blastbeat]\nbind = "127.0.0.1:80"\nzmq = "ipc:///x"\n[vhost."a.test"]\nnode = "app"\n'


class FakeServer:
    """Binds nothing; says it is ready and ends."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.addresses = list(config.server.bind)
        self.endpoints = list(config.server.zmq)
        self.warnings = ["names can be taken"]
        self.driver_name = "h11"
        self.loop = ""
        self.logs = ServerLogs()

    async def run(self, ready: Callable[..., None] | None = None) -> None:
        self.loop = type(asyncio.get_running_loop()).__module__
        assert ready is not None
        ready(self)


def options(config: Path | None, **given: str) -> argparse.Namespace:
    unset = dict.fromkeys(("bind", "zmq", "access_log", "log_format", "log_level"))
    return argparse.Namespace(config=str(config) if config else None, **{**unset, **given})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "x.toml"
    path.write_text(TEXT)
    return path


def test_the_ready_line_follows_the_warnings(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve.run(options(config), FakeServer) == 0
    said = capsys.readouterr()
    assert said.err.splitlines()[-2:] == [
        "warning: names can be taken",
        f"ready http://127.0.0.1:80 zmq ipc:///x (1 virtualhost, driver h11, loop {loop_name()})",
    ]
    assert not said.out


def test_the_signal_of_a_rotation_does_not_end_the_start(config: Path) -> None:
    class SignalledServer(FakeServer):
        def __init__(self, config: Config) -> None:
            super().__init__(config)
            os.kill(os.getpid(), signal.SIGUSR1)

    assert serve.run(options(config), SignalledServer) == 0


class FailingServer(FakeServer):
    async def run(self, ready: Callable[..., None] | None = None) -> None:
        logging.getLogger("blastbeat.test").error("the last word")
        raise RuntimeError("it broke")


def test_what_was_logged_before_a_failure_is_written(config: Path, tmp_path: Path) -> None:
    config.write_text(TEXT.replace("[vhost", f'error-log = "{tmp_path}/error.log"\n[vhost'))
    with pytest.raises(RuntimeError):
        serve.run(options(config), FailingServer)
    assert (tmp_path / "error.log").read_text().endswith("ERROR blastbeat.test: the last word\n")


def test_files_on_the_command_line_are_where_they_were_typed(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    seen: list[Config] = []

    def remember(config: Config) -> FakeServer:
        seen.append(config)
        return FakeServer(config)

    for target in ("a.log", "off", "stderr"):
        serve.run(options(config, access_log=target), remember)
    assert [each.server.access_log for each in seen] == [str(elsewhere / "a.log"), "off", "stderr"]


def loop_name() -> str:
    return "uvloop" if serve.can_use_uvloop() else "asyncio"


def test_the_command_line_replaces_single_keys(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    serve.run(options(config, bind="[::1]:81", zmq="ipc:///y", log_level="error"), FakeServer)
    assert "ready http://[::1]:81 zmq ipc:///y " in capsys.readouterr().err


def test_a_bad_override_is_a_bad_configuration(config: Path) -> None:
    with pytest.raises(ConfigError, match="--bind = 'nonsense:x'"):
        serve.run(options(config, bind="nonsense:x"), FakeServer)


def test_warnings_of_the_configuration_are_said(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(TEXT + 'alias = ["b.test", "b.test"]\n')
    serve.run(options(config), FakeServer)
    assert f"{config}:6: warning: " in capsys.readouterr().err


def test_the_faster_loop_is_used_where_it_is_installed(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "uvloop", None)
    serve.run(options(config), FakeServer)
    assert capsys.readouterr().err.endswith("loop asyncio)\n")


@pytest.mark.parametrize(
    ("addresses", "endpoints", "hosts", "text"),
    [
        ([Address("", 443, tls=True)], [], 1, "ready https://*:443 (1 virtualhost, "),
        ([Address("", 80)], ["ipc:///x"], 2, "ready http://*:80 zmq ipc:///x (2 virtualhosts, "),
        (
            [Address("::1", 80), Address("1.2.3.4", 9)],
            [],
            0,
            "ready http://[::1]:80 http://1.2.3.4:9 (0 virtual",
        ),
        ([Address("", 443, tls=True)], [], 1, "ready https://*:443 (1 virtualhost, "),
        (
            [],
            ["ipc:///x", "tcp://[::]:5"],
            1,
            "ready zmq ipc:///x tcp://[::]:5 (1 virtualhost, driver h11, loop asyncio)",
        ),
    ],
)
def test_the_ready_line(addresses: list[Address], endpoints: list[str], hosts: int, text: str) -> None:
    server = FakeServer(Config(server=ServerConfig(bind=tuple(addresses), zmq=tuple(endpoints))))
    assert serve.ready_line(server, hosts, "asyncio.unix_events").startswith(text)
