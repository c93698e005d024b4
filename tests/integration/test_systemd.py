"""The server under a service manager: what it tells, what kills it, and the sockets it is given."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blastbeat import cli
from blastbeat.arguments import build_parser
from blastbeat.config.model import Config, ServerConfig
from blastbeat.system.descriptors import needed_descriptors
from tests.helpers.client import RawClient
from tests.helpers.manager import FakeManager, passing_on
from tests.helpers.server import PATIENCE
from tests.helpers.settings import HOST
from tests.helpers.source_tree import ROOT
from tests.helpers.stage import Stage


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeManager]:
    path = str(tmp_path / "notify") if request.param == "path" else f"@blastbeat-{os.getpid()}"
    manager = FakeManager(path)
    yield manager
    manager.close()


@pytest.fixture
def on_path(tmp_path: Path) -> Iterator[FakeManager]:
    manager = FakeManager(tmp_path / "notify")
    yield manager
    manager.close()


def listening(host: str = "127.0.0.1", family: int = socket.AF_INET) -> socket.socket:
    sock = socket.socket(family)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind((host, 0))
    sock.listen()
    return sock


def ask(port: int, host: str = HOST) -> int:
    """The status of a GET."""
    client = RawClient(port)
    try:
        client.get(host=host)
        return client.read_response().status
    finally:
        client.close()


# ---------------------------------------------------------------- notices


def test_from_ready_to_stopping(stage: Stage, manager: FakeManager) -> None:
    config = stage.configure({"drain": 2})
    process = stage.serve_process(config, environ={"NOTIFY_SOCKET": manager.address})
    told = manager.receive()
    assert (told["READY"], told["MAINPID"]) == ("1", str(process.pid))
    port = int(re.fullmatch(r"serves 127\.0\.0\.1:(\d+)", told["STATUS"])[1])  # type: ignore[index]
    assert ask(port, "nobody.test") == 404  # what was told is true
    process.send_signal(signal.SIGTERM)
    told = manager.receive()
    assert told["STOPPING"] == "1" and int(told["EXTEND_TIMEOUT_USEC"]) >= 2_000_000
    assert process.wait() == 0


def test_a_start_that_fails_is_never_ready(stage: Stage, on_path: FakeManager) -> None:
    with listening() as taken:
        port = taken.getsockname()[1]
        config = stage.configure({"bind": f"127.0.0.1:{port}"})
        process = stage.serve_process(config, environ={"NOTIFY_SOCKET": on_path.address})
        assert process.wait() == 3
    assert f"can't listen on 127.0.0.1:{port}: the address is in use" in process.stderr
    assert on_path.is_silent(0)


def test_the_watchdog_is_fed_by_the_loop_and_starves_with_it(
    stage: Stage, tmp_path: Path, on_path: FakeManager
) -> None:
    plugin = tmp_path / "hang.py"
    plugin.write_text(
        "import signal\n"
        "from blastbeat import hookimpl\n"
        "@hookimpl\n"
        "def blastbeat_logs_reopened():\n"
        "    signal.pause()\n"  # the loop hangs; the process and its other threads go on
    )
    config = stage.configure(tables={"plugins": {"files": [str(plugin)]}})
    environ = {"NOTIFY_SOCKET": on_path.address, "WATCHDOG_USEC": "200000"}
    process = stage.serve_process(config, environ=environ)
    process.wait_ready()
    for _ in range(3):
        on_path.wait_for("WATCHDOG")
    process.send_signal(signal.SIGUSR1)
    deadline = time.monotonic() + PATIENCE
    while not on_path.is_silent(0.5):  # far beyond the watchdog's 0.2 s
        assert time.monotonic() < deadline, "the loop hangs and the watchdog is fed"


def test_children_do_not_speak_in_its_name(stage: Stage, tmp_path: Path, on_path: FakeManager) -> None:
    plugin = tmp_path / "environment.py"
    plugin.write_text(
        "import os\n"
        "from blastbeat import hookimpl\n"
        "@hookimpl\n"
        "def blastbeat_server_started():\n"
        "    names = [name for name in os.environ if name.startswith(('LISTEN_', 'NOTIFY_', 'WATCHDOG_'))]\n"
        f"    open({str(tmp_path / 'found')!r}, 'w').write(repr(names))\n"
    )
    config = stage.configure(tables={"plugins": {"files": [str(plugin)]}})
    environ = {"NOTIFY_SOCKET": on_path.address, "WATCHDOG_USEC": "60000000", "LISTEN_FDS": "1"}
    process = stage.serve_process(config, environ=environ)
    process.wait_ready()
    assert (tmp_path / "found").read_text() == "[]"


# ---------------------------------------------------------------- socket activation


def test_a_passed_socket_is_served(stage: Stage) -> None:
    """Also what had knocked before the server was there."""
    with listening() as sock:
        port = sock.getsockname()[1]
        early = RawClient(port)
        early.get(host="nobody.test")
        config = stage.configure({"bind": [f"127.0.0.1:{port}", "127.0.0.1:0"]})
        process = stage.serve_process(config, **passing_on(sock))
        assert process.wait_ready() == port
        assert early.read_response().status == 404
        early.close()
        second = re.findall(r"127\.0\.0\.1:(\d+)", process.wait_line("ready"))[1]
        assert ask(int(second), "nobody.test") == 404  # bound by the server itself
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        RawClient(port).close()  # the socket is the manager's: the next server will answer


def test_ipv4_through_a_socket_for_both(stage: Stage) -> None:
    """ListenStream=PORT is one socket for IPv4 and IPv6; clients are called by their usual addresses."""
    with listening("::", socket.AF_INET6) as sock:
        port = sock.getsockname()[1]
        endpoint = f"ipc://{stage.folder}/nodes"
        config = stage.configure({"bind": f":{port}", "zmq": endpoint})
        process = stage.serve_process(config, **passing_on(sock))
        process.wait_line("ready")
        node = stage.node(endpoint=endpoint)
        for host, addr in (("127.0.0.1", "127.0.0.1"), ("::1", "::1")):
            client = stage.client(address=(host, port)) if host == "127.0.0.1" else None
            if client is None:
                with socket.create_connection(("::1", port)) as plain:
                    plain.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                    assert node.expect_request()["REMOTE_ADDR"] == addr
                continue
            client.get()
            assert node.expect_request()["REMOTE_ADDR"] == addr


def test_a_reload_gives_a_passed_socket_up_and_takes_it_again(
    stage: Stage, tmp_path: Path, on_path: FakeManager
) -> None:
    """In between clients wait in its queue: bound anew it could not be."""
    with listening() as first, listening() as second:
        ports = [each.getsockname()[1] for each in (first, second)]
        both = {"bind": [f"127.0.0.1:{port}" for port in ports]}
        environ = {"NOTIFY_SOCKET": on_path.address}
        process = stage.serve_process(stage.configure(both), environ=environ, **passing_on(first, second))
        on_path.wait_for("READY")
        assert [ask(port, "nobody.test") for port in ports] == [404, 404]
        stage.configure({"bind": f"127.0.0.1:{ports[0]}"})
        process.send_signal(signal.SIGHUP)
        assert int(on_path.wait_for("RELOADING")["MONOTONIC_USEC"]) > 0
        assert on_path.wait_for("READY")["STATUS"] == f"serves 127.0.0.1:{ports[0]}"
        waiting = stage.client(address=("127.0.0.1", ports[1]))
        waiting.get(host="nobody.test")
        assert ask(ports[0], "nobody.test") == 404
        stage.configure(both)
        process.send_signal(signal.SIGHUP)
        on_path.wait_for("READY")
        assert waiting.read_response().status == 404


def test_a_passed_socket_that_no_bind_names(stage: Stage) -> None:
    with listening() as sock:
        port = sock.getsockname()[1]
        process = stage.serve_process(stage.configure(), **passing_on(sock))
        assert process.wait() == 3
        assert f"systemd passed a socket for 127.0.0.1:{port}, which no bind names" in process.stderr


# ---------------------------------------------------------------- the real thing


UNITS = ROOT / "packaging" / "systemd"


def unit(name: str) -> dict[str, list[str]]:
    """The values of each setting, in order."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        key, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_the_unit_fits_the_defaults() -> None:
    service, defaults = unit("blastbeat.service"), ServerConfig()
    assert int(service["LimitNOFILE"][0]) >= needed_descriptors(Config(), defaults.connections)
    assert float(service["TimeoutStopSec"][0].removesuffix("s")) > defaults.drain
    prevented = {int(code) for code in service["RestartPreventExitStatus"][0].split()}
    assert prevented == {cli.USAGE, cli.BAD_CONFIG}
    for key in ("ExecStartPre", "ExecStart"):
        arguments = service[key][0].split()[1:]
        assert build_parser().parse_args(arguments).config == "/etc/blastbeat/blastbeat.toml"
    # libzmq asks for SCHED_BATCH, and ends the process when it is refused.
    assert "@resources" not in " ".join(service["SystemCallFilter"])


@pytest.mark.debian
def test_the_units_are_valid(tmp_path: Path) -> None:
    """Debian's package systemd."""
    installed = Path(sys.executable).parent.parent
    for name in ("blastbeat.service", "blastbeat.socket"):
        text = (UNITS / name).read_text().replace("/opt/blastbeat", str(installed))
        (tmp_path / name).write_text(text)
    paths = [str(path) for path in tmp_path.iterdir()]
    verified = subprocess.run(
        ["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False
    )
    about_us = [line for line in (verified.stdout + verified.stderr).splitlines() if "blastbeat" in line]
    assert (verified.returncode, about_us) == (0, []), verified.stderr
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(tmp_path / "blastbeat.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    exposure = re.search(r"Overall exposure level for blastbeat.service: ([0-9.]+) ", judged.stdout)
    assert exposure is not None, judged.stderr
    assert float(exposure[1]) < 2, judged.stdout  # as docs/how-to/run-as-a-service.md says


@pytest.mark.debian
def test_systemd_socket_activate(stage: Stage) -> None:
    """Debian's package systemd: the real thing passes the socket."""
    tool = shutil.which("systemd-socket-activate")
    assert tool is not None, "apt-get install systemd"
    with listening() as sock:
        port = sock.getsockname()[1]
    config = stage.configure({"bind": f"127.0.0.1:{port}"})
    process = stage.serve_process(config, prefix=[tool, "-l", f"127.0.0.1:{port}"])
    process.wait_line("Listening on")
    client = RawClient(port)  # which is what starts the server
    client.get(host="nobody.test")
    assert client.read_response().status == 404
    client.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
