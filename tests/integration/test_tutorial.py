"""docs/tutorial/first-node.md, run as a reader would: its files, its commands, what it says they print."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.helpers.curl import TIMED_OUT, curl
from tests.helpers.printing import PrintingProcess

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-node.md"
_BLOCK = re.compile(r"^```(\w+) ([\w.-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEARTBEAT = re.compile(r".. - (ping|pong) 0 bytes")


@dataclass
class Reader:
    """Somebody who does what the page says, block by block, on ports that are free here."""

    folder: Path
    open: ExitStack
    ports: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, PrintingProcess] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def follow(self, kind: str, name: str, text: str) -> None:
        self.done.append(name)
        if kind in ("ini", "python"):
            (self.folder / name).write_text(self._with_our_ports(text))
        elif kind == "text":
            self._expect(name, text.splitlines())
        elif name == "server":
            self._start_server(text)
        elif name == "client":
            self._ask(text)
        else:
            self._start_node(name, text)

    def _with_our_ports(self, text: str) -> str:
        for port, ours in {
            "0.0.0.0:8080": "127.0.0.1:0",
            "0.0.0.0:5000": "127.0.0.1:*",
            **self.ports,
        }.items():
            text = text.replace(port, ours)
        return text

    def _start_server(self, text: str) -> None:
        assert text == "$ blastbeat first.ini\n"
        command = [sys.executable, "-m", "blastbeat", "first.ini"]
        server = self.open.enter_context(PrintingProcess(command, self.folder))
        ready = re.match(r"ready http://(\S+) zmq tcp://(\S+)", server.wait_line("ready "))
        assert ready is not None
        self.ports = {"127.0.0.1:8080": ready[1], "127.0.0.1:5000": ready[2]}

    def _start_node(self, name: str, text: str) -> None:
        command, *expected = text.splitlines()
        assert command == f"$ python {name}.py"
        for other in self.nodes.values():
            other.__exit__(None, None, None)
        self.nodes = {
            name: self.open.enter_context(PrintingProcess([sys.executable, f"{name}.py"], self.folder))
        }
        self._expect(name, expected)

    def _ask(self, text: str) -> None:
        command, *expected = text.splitlines(keepends=True)
        code, output = curl(self._with_our_ports(command.removeprefix("$ ")))
        assert code == (TIMED_OUT if "--max-time" in command else 0)
        assert output == "".join(expected)

    def _expect(self, name: str, expected: list[str]) -> None:
        """The node's next lines are these. Heartbeats come when they come: these are only awaited."""
        node = self.nodes[name]
        for line in filter(_HEARTBEAT.fullmatch, expected):
            node.wait_line(line)
        talk = [line for line in expected if not _HEARTBEAT.fullmatch(line)]
        start = self.seen.get(name, 0)
        self.seen[name] = start + len(talk)
        node.wait_until(lambda lines: len(_talk(lines)) >= start + len(talk), f"{len(talk)} lines more")
        assert _comparable(_talk(node.lines)[start:]) == _comparable(talk)


def _talk(lines: list[str]) -> list[str]:
    return [line for line in lines if not _HEARTBEAT.fullmatch(line)]


def _comparable(lines: list[str]) -> list[str]:
    """Session ids numbered as they come; the size of a request head left out: it holds our ports."""
    numbers: dict[str, str] = {}
    text = "\n".join(re.sub(r"(uwsgi) \d+", r"\1 N", line) for line in lines)
    text = re.sub(r"[0-9a-f]{32}", lambda sid: numbers.setdefault(sid[0], f"sid{len(numbers)}"), text)
    return text.splitlines()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with ExitStack() as stack:
        yield Reader(tmp_path, stack)


@pytest.mark.timeout(60)
def test_what_the_page_says_is_what_happens(reader: Reader) -> None:
    for kind, name, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        reader.follow(kind, name, text)
    files = ["first.ini", "server", "listen.py", "listen", "client", "listen", "node.py", "node"]
    assert reader.done == files + ["client", "node"] * 3


def test_no_block_is_left_out() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("```") == 2 * len(_BLOCK.findall(text))


def test_the_frames_shown_are_the_protocols() -> None:
    """Every line of a transcript is a message of protocol version 1, in a direction it may travel."""
    to_node = {"uwsgi", "end", "ping", "spawn"}
    from_node = {"headers", "body", "chunk", "pong"}
    shown = re.findall(
        r"^(<-|->) (-|[0-9a-f]{32}) (\w+) \d+ bytes$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(shown) > 20
    for arrow, sid, type in shown:
        assert type in (to_node if arrow == "<-" else from_node)
        assert (sid == "-") == (type in ("ping", "pong", "spawn"))
