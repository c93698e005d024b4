"""The nodes of docs/how-to/write-a-node-in-any-language.md: the same conversation with each of them.

What a language needs of the machine is named where it is skipped.
"""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from tests.helpers.client import RawClient
from tests.helpers.languages import LANGUAGES, NODES, Missing, prepare
from tests.helpers.printing import PrintingProcess
from tests.helpers.server import RunningServer
from tests.helpers.settings import HOST
from tests.helpers.source_tree import ROOT
from tests.helpers.stage import Stage

# Preparing one may install packages; the waits of the tests have their own bounds.
pytestmark = [pytest.mark.timeout(60)]

PIECES = [b"%d\n" % number for number in range(1, 6)]
PATIENT = 8.0
"""Seconds of silence after which a node takes another socket, where a test is not about that."""


@pytest.fixture(
    params=[
        language if language == "python" else pytest.param(language, marks=pytest.mark.debian)
        for language in LANGUAGES
    ]
)
def command(request: pytest.FixtureRequest) -> list[str]:
    try:
        return prepare(request.param)
    except Missing as error:
        pytest.skip(str(error))


def start(command: list[str], endpoint: str, silence: float = PATIENT) -> PrintingProcess:
    return PrintingProcess([*command, endpoint, "app", str(silence)])


def serve(stage: Stage) -> RunningServer:
    """Pings twenty times a second; requests wait until the node is there."""
    return stage.serve(server={"ping-freq": 0.05}, vhost={"hold": 10})


def ask(client: RawClient, target: str = "/") -> bytes:
    client.get(target)
    response = client.read_response()
    assert response.status == 200, response
    return response.body


def test_requests_of_all_kinds_on_one_connection(stage: Stage, command: list[str]) -> None:
    server = serve(stage)
    client = stage.client()
    with start(command, server.endpoint):
        assert ask(client) == b"hello from app\n"

        body = bytes(range(256)) * 800  # more than one message of it
        client.post(body)
        assert client.read_response().body == body
        client.send_head(method="POST", headers=[("Transfer-Encoding", "chunked")])
        client.send(b"5\r\nhel\0o\r\n")
        client.send(b"6;note=1\r\n world\r\n0\r\n\r\n")
        assert client.read_response().body == b"hel\0o world"
        client.post(b"")
        assert client.read_response().body == b"hello from app\n"
        client.get(headers=[("Connection", "Upgrade"), ("Upgrade", "h2c")])  # no handshake of a WebSocket
        assert client.read_response().body == b"hello from app\n"

        client.get("/stream")
        streamed = client.read_response()
        assert (streamed.status, streamed.chunks) == (200, PIECES)
        client.send_head(method="HEAD")
        assert client.read_response("HEAD")["Content-Length"] == "15"
        client.get("/%C3%A9t%C3%A9?q=" + 300 * "x", headers=[("X-Empty", ""), ("X-Latin", "\xe9")])
        assert client.read_response().status == 404
        assert ask(client) == b"hello from app\n"
    client.close()
    server.wait_idle()
    assert server.counters["connections.accepted"] == 1
    assert server.counters["sessions.opened"] == 1
    # The body of the answer to HEAD, which the server keeps from the client.
    assert server.counters["messages.dropped.leftover"] <= 1, server.counted()


def test_many_sessions_go_on_side_by_side(stage: Stage, command: list[str]) -> None:
    server = serve(stage)
    uploading, streaming, quick = stage.client(), stage.client(), stage.client()
    with start(command, server.endpoint):
        uploading.send_head(method="POST", headers=[("Content-Length", "10")])
        uploading.send(b"01234")
        streaming.get("/stream")
        streaming.read_head()
        assert streaming.read_chunk() == PIECES[0]
        assert ask(quick) == b"hello from app\n"
        assert [streaming.read_chunk() for _ in range(5)] == [*PIECES[1:], b""]
        uploading.send(b"56789")
        assert uploading.read_response().body == b"0123456789"


def test_a_chat_over_websockets(stage: Stage, command: list[str]) -> None:
    server = serve(stage)
    first, second = stage.websocket(), stage.websocket()
    with start(command, server.endpoint):
        for client in (first, second):
            client.handshake("/chat")
        second.send_text("both here?")
        for client in (first, second):
            client.expect_text("both here?")
        second.finish()
        for text in ("alone", "é", ""):
            first.send_text(text)
            first.expect_text(text)
        assert server.counters["messages.dropped.unknown-sid"] <= 1, "the node forgets who has left"
        first.finish()


def test_who_leaves_is_forgotten(stage: Stage, command: list[str]) -> None:
    server = serve(stage)
    with start(command, server.endpoint):
        streaming, uploading, client = stage.client(), stage.client(), stage.client()
        streaming.get("/stream")
        streaming.read_head()
        uploading.send_head(method="POST", headers=[("Content-Length", "10")])
        uploading.send(b"01234")
        streaming.close()
        uploading.reset()
        server.wait_exchanges(2)
        assert ask(client) == b"hello from app\n"
        before = server.counters["messages.dropped.unknown-sid"]
        assert before <= 5  # of the stream, on their way when its client left
        client.get("/stream")
        assert client.read_response().chunks == PIECES
        assert server.counters["messages.dropped.unknown-sid"] == before


def test_it_answers_pings_while_nothing_else_happens(stage: Stage, command: list[str]) -> None:
    server = serve(stage)
    client = stage.client()
    with start(command, server.endpoint):
        assert ask(client) == b"hello from app\n"
        # Ten times as long as a node may be silent that is given requests.
        server.wait_counter("messages.sent", server.counters["messages.sent"] + 30)
        assert ask(client) == b"hello from app\n"


def test_sigterm_finishes_what_runs(stage: Stage, command: list[str]) -> None:
    server = serve(stage)
    streaming, chatting, idle = stage.client(), stage.websocket(), stage.client()
    with start(command, server.endpoint) as node:
        assert ask(idle) == b"hello from app\n"
        chatting.handshake("/chat")
        streaming.get("/stream")
        streaming.read_head()
        assert streaming.read_chunk() == PIECES[0]
        node.send_signal(signal.SIGTERM)
        chatting.expect_closed(1012, "restarting")
        assert [streaming.read_chunk() for _ in range(5)] == [*PIECES[1:], b""]
        assert node.wait() == 0
        idle.get("/")  # waits for the next process
        with start(command, server.endpoint):
            assert idle.read_response().body == b"hello from app\n"


def test_a_server_that_was_started_anew(stage: Stage, command: list[str], tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/zmq"
    config = stage.configure(server={"ping-freq": 0.05, "zmq": endpoint}, vhost={"hold": 10})
    first = RunningServer(config)
    with start(command, endpoint):
        client = RawClient(first.port)
        assert ask(client) == b"hello from app\n"
        client.get("/stream")
        client.read_head()
        client.close()
        first.stop()
        second = RunningServer(config)
        try:
            client = RawClient(second.port)
            assert ask(client) == b"hello from app\n"
            client.close()
        finally:
            second.stop()


def test_a_name_that_was_taken(command: list[str], context: zmq.Context[zmq.Socket[bytes]]) -> None:
    """ZeroMQ is silent to the second socket of a name, for ever: the node takes another."""
    with context.socket(zmq.ROUTER) as router, context.socket(zmq.DEALER) as other:
        with router.get_monitor_socket(int(zmq.EVENT_HANDSHAKE_SUCCEEDED)) as monitor:
            endpoint = f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}"
            other.setsockopt(zmq.IDENTITY, b"app")
            other.connect(endpoint)
            other.send(b"first")
            assert receive(router) == [b"app", b"first"]
            receive(monitor)
            with start(command, endpoint, silence=0.7) as node:
                receive(monitor)  # it has connected, and nothing that it says comes
                other.close()
                while (said := receive(router, node)) != [b"app", b"marked", b"pong", b""]:
                    if said == [b"app", b"", b"pong", b""]:  # a socket that was taken
                        router.send_multipart([b"app", b"marked", b"ping", b""])


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)


def test_instances_are_replaced_without_a_lost_request(stage: Stage) -> None:
    """`instance.py`: a new process beside the old one, then the old one drains; requests go on."""
    server = stage.serve(
        server={"ping-freq": 0.05}, vhost={"hold": 10, "instances": 4, "request-encoder": "headers"}
    )
    command = [sys.executable, str(NODES / "python" / "instance.py")]
    client = stage.client()
    answers = 0

    def go_on_until(condition: Callable[[], bool]) -> None:
        nonlocal answers
        deadline = time.monotonic() + PATIENT
        while not condition():
            assert time.monotonic() < deadline
            assert ask(client, "/page?q=1") == f"GET /page?q=1 of {HOST}\n".encode()
            answers += 1

    with start(command, server.endpoint) as old:
        assert ask(client, "/") == f"GET / of {HOST}\n".encode()
        with start(command, server.endpoint) as new:
            go_on_until(lambda: server.counters["nodes.up"] == 2)
            old.send_signal(signal.SIGTERM)
            go_on_until(lambda: not old.is_running)
            assert old.wait() == 0
            assert ask(client, "/") == f"GET / of {HOST}\n".encode()
            new.send_signal(signal.SIGTERM)
            assert new.wait() == 0
    # `exchange`: a session for each request, though all came on one connection.
    assert server.counters["connections.accepted"] == 1
    assert server.counters["sessions.opened"] == answers + 2


def test_the_page_shows_the_files() -> None:
    page = (ROOT / "docs" / "how-to" / "write-a-node-in-any-language.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^```\w+ (examples/\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    files = {path for path in NODES.rglob("*") if path.is_file()}
    assert set(shown) == {str(path.relative_to(ROOT)) for path in files}
    for name, text in shown.items():
        assert text == (ROOT / name).read_text(encoding="utf-8"), f"the page's copy of {name} differs"


def receive(socket: zmq.Socket[bytes], node: PrintingProcess | None = None) -> list[bytes]:
    """The next message; `node` is who should send it."""
    assert socket.poll(int(PATIENT * 1000)), f"nothing came; the node printed {node.lines if node else ''}"
    return socket.recv_multipart()
