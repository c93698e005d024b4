"""What README.md and the protocol page show works as it stands: the ini, the node, the curl command."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blastbeat.cli import main
from tests.helpers.curl import curl
from tests.helpers.printing import PrintingProcess
from tests.helpers.source_tree import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROTOCOL = (ROOT / "docs" / "reference" / "protocol.md").read_text(encoding="utf-8")


def block(page: str, kind: str) -> str:
    """The page's first code block of a language that holds a whole file."""
    match = re.search(rf"^```{kind}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert match is not None, f"the page shows no {kind}"
    return match[1]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrintingProcess]:
    """README's configuration, on free ports, and with a heartbeat that finds the node at once."""
    text = block(README, "ini").replace("0.0.0.0:8080", "127.0.0.1:0").replace("0.0.0.0:5000", "127.0.0.1:*")
    text = text.replace("[blastbeat]", "[blastbeat]\nping-freq = 0.05")
    (tmp_path / "blastbeat.ini").write_text(text)
    with PrintingProcess([sys.executable, "-m", "blastbeat", "blastbeat.ini"], tmp_path) as process:
        yield process


@pytest.mark.parametrize("page", [README, PROTOCOL], ids=["README", "protocol"])
def test_the_node_answers_the_command(page: str, server: PrintingProcess, tmp_path: Path) -> None:
    ready = re.match(r"ready http://(\S+) zmq (\S+) ", server.wait_line("ready "))
    assert ready is not None
    (tmp_path / "node.py").write_text(block(page, "python").replace("tcp://127.0.0.1:5000", ready[2]))
    (command,) = re.findall(r"^curl .*$", README, re.MULTILINE)
    command = command.replace("127.0.0.1:8080", ready[1])
    with PrintingProcess([sys.executable, "node.py"], tmp_path) as node:
        answer = "503"
        while answer.startswith("503") and node.is_running:  # until it has connected
            code, answer = curl(command)
            assert code == 0
        assert answer == "hello\n", node.lines
        # On a connection that stays open, too.
        assert curl(f"{command} http://localhost:8000/again") == (0, "hello\nhello\n")


def test_check_finds_no_error_in_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "blastbeat.ini"
    path.write_text(block(README, "ini"))
    assert main(["check", str(path)]) == 0
    said = capsys.readouterr().out
    assert f"{path}:5: warning: " in said and "no listener has port 8000" in said
    assert f"{path}: 0 errors, 2 warnings, " in said  # a note where another server has the port
