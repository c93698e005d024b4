"""docs/how-to/operate.md, done by somebody on call: several terminals, the commands, and what they print."""

from __future__ import annotations

import fnmatch
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.helpers.curl import curl
from tests.helpers.printing import PATIENCE, PrintingProcess

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "operate.md"
_BLOCK = re.compile(r"^```(\w+) ([\w.-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PAUSE = 0.05
PORTS = ("8080", "5000", "9180")

pytestmark = pytest.mark.timeout(90)


@dataclass
class Terminal:
    """What runs in it now, if it was not over at once."""

    process: PrintingProcess | None = None
    request: threading.Thread | None = None
    output: list[str] = field(default_factory=list)


@dataclass
class Operator:
    """Does what the page says, on ports that are free here."""

    folder: Path
    open: ExitStack
    ports: dict[str, str]
    terminals: dict[str, Terminal] = field(default_factory=dict)

    def follow(self, kind: str, name: str, text: str) -> None:
        for port, ours in self.ports.items():
            text = text.replace(f":{port}", f":{ours}")
        if kind != "console":
            (self.folder / name).write_text(text)
            return
        terminal = self.terminals.setdefault(name, Terminal())
        for command, expected in _steps(text):
            self._do(terminal, command, expected)

    def _do(self, terminal: Terminal, command: str, expected: list[str]) -> None:
        if command == "^C":
            assert terminal.process is not None
            terminal.process.send_signal(signal.SIGINT)
        elif not command:  # what the last command of this terminal prints now
            assert terminal.request is not None
            terminal.request.join(PATIENCE)
            assert _fits(terminal.output, expected), terminal.output
        elif command.startswith(("blastbeat serve", "python ")):
            terminal.process = self._start(command)
            if expected:
                terminal.process.wait_until(lambda lines: _fits(lines, expected), f"{expected}")
        elif command.startswith("curl ") and not expected:
            self._ask_meanwhile(terminal, command)
        else:
            self._look(command, expected)

    def _start(self, command: str) -> PrintingProcess:
        name, *arguments = shlex.split(command)
        start = [sys.executable, "-m", "blastbeat"] if name == "blastbeat" else [sys.executable]
        return self.open.enter_context(PrintingProcess([*start, *arguments], self.folder))

    def _ask_meanwhile(self, terminal: Terminal, command: str) -> None:
        """A request that is on its way when the next step is done: the node was heard to have it."""
        before = self._read("http://127.0.0.1:9180/status.json").count('"sessions": 1')
        terminal.request = threading.Thread(target=lambda: terminal.output.extend(self._run(command)))
        terminal.request.start()
        self._until(
            lambda: self._read("http://127.0.0.1:9180/status.json").count('"sessions": 1') > before,
            "the request is with the node",
        )

    def _read(self, url: str) -> str:
        return curl(f"curl {url.replace(':9180', ':' + self.ports['9180'])}")[1]

    def _look(self, command: str, expected: list[str]) -> None:
        """Runs it; what only shows how things are is asked again until they are so."""
        printed: list[str] = []

        def fits() -> bool:
            printed[:] = self._run(command)
            return _fits(printed, expected)

        if command.startswith(("blastbeat status", "curl ", "tail ")):
            self._until(fits, f"$ {command}\n{expected}\nit printed:\n{printed}")
        else:
            assert fits(), f"$ {command}\n{expected}\nit printed:\n{printed}"

    @staticmethod
    def _until(condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, what
            threading.Event().wait(_PAUSE)

    def _run(self, command: str) -> list[str]:
        command, _, wanted = command.partition(" | grep ")
        name, *arguments = shlex.split(command)
        if name == "curl":
            lines = curl(command)[1].splitlines()
        elif name == "tail":
            count, file = int(arguments[1]), arguments[2]
            lines = (self.folder / file).read_text().splitlines()[-count:]
        elif name == "echo":
            with (self.folder / arguments[2]).open("a") as file_:
                file_.write(f"{arguments[0]}\n")
            lines = []
        else:
            assert name == "blastbeat"
            run = [sys.executable, "-m", "blastbeat", *arguments]
            done = subprocess.run(
                run, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            lines = done.stdout.splitlines()
        return [line for line in lines if wanted in line]


def _steps(text: str) -> list[tuple[str, list[str]]]:
    """Each command with the lines it prints; first, without a command, those of the one before."""
    steps: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ ") or line == "^C":
            steps.append((line.removeprefix("$ "), []))
        elif not steps:
            steps.append(("", [line]))
        else:
            steps[-1][1].append(line)
    return steps


def _fits(printed: list[str], expected: list[str]) -> bool:
    """`…` stands for anything; alone on a line, for any lines."""
    pattern = "\n".join(expected).strip()
    escaped = fnmatch.translate(re.sub(r"[\[\]*?]", lambda found: f"[{found[0]}]", pattern).replace("…", "*"))
    return re.fullmatch(escaped, "\n".join(printed).strip()) is not None


def free_ports(count: int) -> list[str]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [str(each.getsockname()[1]) for each in sockets]


def test_the_page_is_true(tmp_path: Path) -> None:
    blocks = _BLOCK.findall(PAGE.read_text())
    assert len(blocks) > 12
    with ExitStack() as open_:
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        operator = Operator(tmp_path, open_, ports)
        for kind, name, text in blocks:
            operator.follow(kind, name, text)
        server = operator.terminals["server"].process
        assert server is not None and server.wait() == 0
