"""docs/how-to/write-a-node-in-python.md: each example as a process of its own behind a real server."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.printing import PrintingProcess
from tests.helpers.source_tree import ROOT
from tests.helpers.stage import Stage

PAGE = (ROOT / "docs" / "how-to" / "write-a-node-in-python.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


@contextmanager
def node(stage: Stage, name: str) -> Iterator[PrintingProcess]:
    """The program of that name, known to the server."""
    server = stage.serve()
    text = FILES[name].replace("tcp://127.0.0.1:5000", server.endpoint)
    assert server.endpoint in text
    (stage.folder / name).write_text(text)
    with PrintingProcess([sys.executable, name], Path(stage.folder)) as process:
        server.wait_until(lambda: server.server.figures().instances_up >= 1, "the node is up")
        yield process


def test_every_example_is_tested() -> None:
    tested = set(re.findall(r'node\(stage, "(\w+\.py)"\)', Path(__file__).read_text(encoding="utf-8")))
    assert tested == set(FILES)


def test_hello(stage: Stage) -> None:
    with node(stage, "hello.py"):
        client = stage.client()
        client.get("/here")
        assert client.read_response().body == b"You asked for /here\n"


def test_stream(stage: Stage) -> None:
    with node(stage, "stream.py"):
        client = stage.client()
        client.get()
        assert client.read_response().body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


def test_upload(stage: Stage) -> None:
    with node(stage, "upload.py"):
        client = stage.client()
        client.post(b"x" * 700_000)
        assert client.read_response().body == b"700000 bytes\n"


def test_chat(stage: Stage) -> None:
    with node(stage, "chat.py"):
        client = stage.client()
        client.get()
        assert client.read_response().status == 426
        members = [stage.websocket() for _ in range(2)]
        for member in members:
            member.handshake("/")
            member.send_text("hello")
            member.expect_text("hello")
        members[0].expect_text("hello")
        members[0].send_text("both")
        for member in members:
            member.expect_text("both")


def test_retry(stage: Stage) -> None:
    with node(stage, "retry.py"):
        client = stage.client()
        for _ in range(5):
            client.get()
            assert client.read_response().body == b"done\n"


def test_raw(stage: Stage) -> None:
    with node(stage, "raw.py"):
        client = stage.client()
        client.get()
        response = client.read_response()
        assert response.body == b"as it stands\n" and ("X-Raw", "yes") in list(response.headers)


def test_loop(stage: Stage) -> None:
    with node(stage, "loop.py"):
        client = stage.client()
        for _ in range(2):
            client.get()
            assert client.read_response().body == b"from a loop\n"


def test_script(stage: Stage) -> None:
    with node(stage, "script.py"):
        client = stage.client()
        client.post(b"World")
        assert client.read_response().body == b"Hello, World!\n"
        client.get()
        assert client.read_response().body == b"Hello, nobody!\n"


def test_stop(stage: Stage) -> None:
    with node(stage, "stop.py") as process:
        client = stage.client()
        client.get()
        assert client.read_response().body == b"until it stops\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
