"""docs/tutorial/python-application.md, run as a reader would: its files, its commands, what browsers show."""

from __future__ import annotations

import re
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.helpers.printing import PrintingProcess
from tests.helpers.waiting import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "python-application.md"
_BLOCK = re.compile(r"^```(\w+) (\S+)(?: (\d+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HTTP, ZMQ = "127.0.0.1:8000", "127.0.0.1:5000"


@dataclass
class Reader:
    """Somebody who does what the page says, block by block, on ports that are free here."""

    folder: Path
    open: ExitStack
    ports: dict[str, str] = field(default_factory=lambda: {HTTP: "127.0.0.1:0", ZMQ: "127.0.0.1:*"})
    running: dict[str, PrintingProcess] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def follow(self, kind: str, name: str, status: str, text: str) -> None:
        self.done.append(f"{kind} {name.removeprefix('http://' + HTTP)}")
        if kind == "console":
            getattr(self, f"_{name}")(text.splitlines())
        elif kind == "browser":
            self._look(self._ours(name), int(status), text.strip())
        elif kind == "websocket":
            self._talk(self._ours(name), text.splitlines())
        else:
            (self.folder / name).write_text(self._ours(text))

    def _ours(self, text: str) -> str:
        for port, ours in self.ports.items():
            text = text.replace(port, ours)
        return text

    def _shell(self, commands: list[str]) -> None:
        make, change = commands
        name = change.removeprefix("$ cd ")
        assert make == f"$ django-admin startproject {name}"
        command = [sys.executable, "-m", "django", "startproject", name]
        with PrintingProcess(command, self.folder) as process:
            assert process.wait() == 0
        self.folder /= name

    def _start(self, name: str, commands: list[str]) -> PrintingProcess:
        (line,) = commands
        program, *arguments = shlex.split(self._ours(line.removeprefix("$ ")))
        assert program == "blastbeat"
        command = [sys.executable, "-m", "blastbeat", *arguments]
        process = self.running[name] = self.open.enter_context(PrintingProcess(command, self.folder))
        return process

    def _stop(self, name: str) -> None:
        """Ctrl-C."""
        process = self.running.pop(name, None)
        if process is not None:
            process.send_signal(signal.SIGINT)
            assert process.wait() == 0, process.lines
            process.wait_silent()

    def _server(self, commands: list[str]) -> None:
        ready = self._start("server", commands).wait_line("ready ")
        match = re.search(r"http://(\S+) zmq tcp://([\d.:]+)", ready)
        assert match is not None, ready
        self.ports = {HTTP: match[1], ZMQ: match[2]}

    def _node(self, commands: list[str]) -> None:
        self._stop("node")
        self._start("node", commands).wait_line("ready ")

    def _run(self, commands: list[str]) -> None:
        self._stop("node")
        self._stop("server")
        ready = self._start("run", [f"{commands[0]} --port 0"]).wait_line("ready ")
        match = re.search(r"http://([\d.:]+)", ready)
        assert match is not None, ready
        self.ports = {HTTP: match[1]}

    def _look(self, url: str, status: int, text: str) -> None:
        """Servers tell of an application a moment after it says `ready`."""

        def is_there() -> bool:
            response = httpx.get(url, trust_env=False)
            return response.status_code == status and text in response.text

        wait_until(is_there, f"{status} at {url}, with {text!r}")

    def _talk(self, url: str, lines: list[str]) -> None:
        with connect(url, proxy=None) as websocket:
            for line in lines:
                arrow, _, text = line.partition(" ")
                if arrow == "->":
                    websocket.send(text)
                else:
                    assert websocket.recv(timeout=5) == text


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    # Another test's application may have named its settings: those are not of the site that is made here.
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    with ExitStack() as stack:
        yield Reader(tmp_path, stack)


@pytest.mark.timeout(60)
def test_what_the_page_says_is_what_happens(reader: Reader) -> None:
    for kind, name, status, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        reader.follow(kind, name, status, text)
    reader._stop("run")
    assert len(reader.done) == 16
    assert [step for step in reader.done if step.startswith("console")] == [
        "console shell",
        "console server",
        "console node",
        "console node",
        "console node",
        "console run",
    ]


def test_no_block_is_left_out() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("```") == 2 * len(_BLOCK.findall(text))


def test_two_commands_are_enough() -> None:
    """From a project that is there to a page in the browser."""
    text = PAGE.read_text(encoding="utf-8").partition("## 4.")[0]
    assert len(re.findall(r"^\$ blastbeat ", text, re.MULTILINE)) == 2
