"""The nodes and the configuration of the original's manual, as their users run them."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.curl import curl
from tests.helpers.printing import PrintingProcess

EXAMPLES = Path(__file__).parents[2] / "examples"
PAGE = "<h1>Hello from foobar1</h1>\n"


@dataclass(frozen=True)
class Running:
    """The server that runs `seed.ini`, with the ports it really has."""

    process: PrintingProcess
    port: int
    endpoint: str

    def node(self, name: str, folder: Path) -> PrintingProcess:
        """The example node, with nothing changed but the endpoint."""
        text = (EXAMPLES / name).read_text()
        assert text.count("'tcp://0.0.0.0:5000'") == 1
        script = folder / name
        script.write_text(text.replace("tcp://0.0.0.0:5000", self.endpoint))
        return PrintingProcess([sys.executable, str(script)])


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    text = (EXAMPLES / "seed.ini").read_text()
    config = tmp_path / "seed.ini"
    config.write_text(text.replace("0.0.0.0:8080", "127.0.0.1:0").replace("0.0.0.0:5000", "127.0.0.1:*"))
    with PrintingProcess([sys.executable, "-m", "blastbeat", str(config)]) as process:
        found = re.match(r"ready http://127\.0\.0\.1:(\d+) zmq (\S+)", process.wait_line("ready "))
        assert found is not None
        yield Running(process, int(found[1]), found[2])


def test_the_configuration_is_the_manuals() -> None:
    manual = ["[blastbeat]", "bind = 0.0.0.0:8080", "zmq = tcp://0.0.0.0:5000", ""]
    manual += ["[blastbeat:localhost:8000]", "node = foobar1"]
    assert (EXAMPLES / "seed.ini").read_text().splitlines() == manual


@pytest.mark.parametrize("name", ["node.py", "node_gevent.py"])
def test_a_node_of_the_manual_prints_what_it_receives(running: Running, tmp_path: Path, name: str) -> None:
    with running.node(name, tmp_path) as node:
        node.wait_line("received a message of type ping")
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost:8000\r\n\r\n")
            node.wait_line("received a message of type uwsgi")
        node.wait_line("received a message of type end")


@pytest.mark.parametrize("name", ["node_answering.py", "node_gevent_answering.py"])
def test_a_node_with_the_lines_added_serves_its_page(running: Running, tmp_path: Path, name: str) -> None:
    with running.node(name, tmp_path) as node:
        node.wait_line("received a message of type ping")
        url = "http://localhost:8000/"
        command = f"curl --connect-to localhost:8000:127.0.0.1:{running.port} {url} {url}"
        assert curl(command) == (0, PAGE + PAGE)
        node.wait_line("received a message of type end")
        types = [line.removeprefix("received a message of type ") for line in node.lines]
        # One session: both requests came on one connection.
        assert [type for type in types if type not in ("ping", "spawn")] == ["uwsgi", "uwsgi", "end"]


@pytest.mark.parametrize("name", ["node", "node_gevent"])
def test_only_lines_were_added(name: str) -> None:
    """The answering version is the other one, with every line in place."""
    plain = (EXAMPLES / f"{name}.py").read_text().splitlines()
    answering = iter((EXAMPLES / f"{name}_answering.py").read_text().splitlines())
    assert all(line in answering for line in plain)


def test_a_host_nobody_serves_is_named_in_the_log(running: Running) -> None:
    code, output = curl(
        f"curl --connect-to elsewhere:8000:127.0.0.1:{running.port} http://elsewhere:8000/lost"
    )
    assert code == 0 and output
    line = running.process.wait_line("/lost")
    assert "404" in line and "elsewhere:8000" in line
