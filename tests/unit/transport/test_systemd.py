"""What a service manager is told. The manager is a datagram socket of the test's own, on no network."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from blastbeat.transport.systemd import MAX_STATUS, Notifier
from tests.helpers.engine_fakes import FakeClock
from tests.helpers.transport_fakes import FakeLoop


class Manager:
    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.setblocking(False)

    def told(self) -> list[list[str]]:
        """The messages so far, as lines."""
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return messages


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@blastbeat-test-{os.getpid()}"


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    manager = Manager(address)
    yield manager
    manager.socket.close()


@pytest.fixture
def notifier(manager: Manager, address: str) -> Iterator[Notifier]:
    notifier = Notifier(address, watchdog=10.0)
    yield notifier
    notifier.close()


def test_a_life(manager: Manager, notifier: Notifier) -> None:
    notifier.ready("serves\n2 virtualhosts")
    pid = f"MAINPID={os.getpid()}"
    assert manager.told() == [["READY=1", pid, "STATUS=serves 2 virtualhosts"]]
    notifier.reloading()
    (message,) = manager.told()
    assert message[0] == "RELOADING=1" and re.fullmatch(r"MONOTONIC_USEC=[1-9]\d*", message[1])
    notifier.ready()
    notifier.status("is well")
    notifier.stopping(12.5)
    assert manager.told() == [
        ["READY=1", pid],
        ["STATUS=is well"],
        ["STOPPING=1", "EXTEND_TIMEOUT_USEC=12500000", "STATUS=stops"],
    ]


def test_a_status_that_is_too_long_does_not_take_the_rest_with_it(
    manager: Manager, notifier: Notifier
) -> None:
    notifier.ready("serves " + ", ".join(["127.0.0.1:8080"] * 1000))
    ((ready, _, status),) = manager.told()
    assert ready == "READY=1" and len(status) == len("STATUS=") + MAX_STATUS and status.endswith("…")


def test_signs_of_life_come_from_the_loop(manager: Manager, notifier: Notifier) -> None:
    loop = FakeLoop(FakeClock())
    notifier.start_watchdog(loop.as_loop())
    notifier.start_watchdog(loop.as_loop())
    assert manager.told() == [["WATCHDOG=1"]]
    loop.advance(15.1)
    assert manager.told() == [["WATCHDOG=1"]] * 3
    notifier.close()
    loop.advance(100)
    assert loop.timers == 0 and not loop.failures


def test_nobody_asked() -> None:
    loop = FakeLoop(FakeClock())
    notifier = Notifier.from_environment({})
    notifier.ready("x")
    notifier.reloading()
    notifier.stopping(1)
    notifier.start_watchdog(loop.as_loop())
    assert loop.timers == 0
    notifier.close()
    notifier.close()


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("10000000", "", 10.0),
        ("10000000", str(os.getpid()), 10.0),
        ("10000000", "1", 0.0),
        ("", "", 0.0),
        ("soon", "", 0.0),
    ],
    ids=["any process", "this one", "another", "none", "nonsense"],
)
def test_what_the_environment_says(usec: str, pid: str, seconds: float) -> None:
    environ = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid, "HOME": "/"}
    notifier = Notifier.from_environment(environ)
    assert notifier.watchdog == seconds
    assert environ == {"HOME": "/"}
    notifier.close()


def test_a_manager_that_is_gone_is_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    notifier = Notifier(str(tmp_path / "nobody"))
    notifier.ready()
    assert "cannot be told" in caplog.text and "nobody" in caplog.text
    notifier.close()
    assert len(caplog.records) == 1
    Notifier("vsock:2:1234").ready()
    assert "not a unix socket" in caplog.text


def test_a_manager_that_reads_nothing_holds_nobody_up(manager: Manager, notifier: Notifier) -> None:
    """The kernel takes some messages, then no more."""
    loop = FakeLoop(FakeClock())
    notifier.start_watchdog(loop.as_loop())
    loop.advance(10_000)
    assert loop.timers == 1 and not loop.failures
    assert 1 < len(manager.told()) <= 2001
