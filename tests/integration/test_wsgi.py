"""WSGI applications behind a real server: PEP 3333 as wsgiref's validator reads it, clients that are slow or
leave, threads that are all taken or hang."""

from __future__ import annotations

import io
import queue
import random
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication
from wsgiref.validate import validator

import pytest

from blastbeat.node import Node
from blastbeat.node.wsgi import WsgiHandler, wsgi_handler
from tests.helpers.client import RawClient
from tests.helpers.node_thread import NodeThread
from tests.helpers.stage import Stage

MIB = 1024 * 1024


@contextmanager
def serving(stage: Stage, application: WSGIApplication, **options: Any) -> Iterator[WsgiHandler]:
    handler = wsgi_handler(application, **options)
    with NodeThread(Node(stage.server.endpoint, "app", handler)) as node:
        node.wait_up(stage.server)
        yield handler
    assert handler.close(5.0) == 0


@validator
def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/size":
        size = sum(map(len, iter(lambda: environ["wsgi.input"].read(10_000), b"")))
        start_response("200 Fine", [("Content-Type", "text/plain")])
        return [str(size).encode()]
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"x" * 100_000 for _ in range(100))
    if path == "/write":
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"one ")
        write(b"two ")
        return [b"three"]
    start_response("404 Nothing Here", [("Content-Type", "text/plain"), ("X-Path", path)])
    return [b"hello ", b"world"]


@pytest.mark.parametrize("head", [b"OPTIONS * HTTP/1.1\r\nHost: app.test\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"])
def test_the_validator_finds_nothing_in_unusual_requests(stage: Stage, head: bytes) -> None:
    stage.serve(vhosts={"*": {"node": "app"}})
    with serving(stage, application):
        client = stage.client()
        client.send(head)
        assert client.read_response().status == 404


@pytest.mark.parametrize("encoder", ["uwsgi", "headers"])
def test_the_validator_finds_nothing(stage: Stage, encoder: str) -> None:
    stage.serve(vhost={"request-encoder": encoder})
    with serving(stage, application, threads=2):
        client = stage.client()
        for _ in range(3):
            client.get("/%e4")
            response = client.read_response()
            assert response.status == 404 and response.body == b"hello world"
            assert response.reason == "Nothing Here" and response["X-Path"] == "/\xe4"
        client.get("/stream")
        assert len(client.read_response().body) == 10_000_000
        client.get("/write")
        assert client.read_response().body == b"one two three"
        client.post(b"y" * 3_000_000, "/size")
        assert client.read_response().body == b"3000000"
        client.send_head("/", method="HEAD")
        assert client.read_response("HEAD").status == 404


def test_a_websocket_is_answered_with_an_error(stage: Stage) -> None:
    stage.serve()
    with serving(stage, application):
        websocket = stage.websocket()
        websocket.ask("/")
        assert b"WSGI" in websocket.expect_refused(400).body


def test_a_slow_client_of_a_file_holds_no_thread(stage: Stage, tmp_path: Path) -> None:
    path, closed = tmp_path / "file", threading.Event()
    path.write_bytes(bytes(30 * MIB))

    def files(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/small":
            return [b"small"]
        file = path.open("rb")
        wrapper: Iterable[bytes] = environ["wsgi.file_wrapper"](file, 1000)

        def close() -> None:
            file.close()
            closed.set()

        wrapper.close = close  # type: ignore[attr-defined]
        return wrapper

    stage.serve()
    with serving(stage, files, threads=1):
        slow, gone, other = stage.client(receive_buffer=4096), stage.client(), stage.client()
        slow.get("/file")
        slow.read_head()
        for _ in range(3):
            other.get("/small")
            assert other.read_response().body == b"small"
        gone.get("/file")
        gone.read_head()
        gone.reset()
        assert closed.wait(5)
        closed.clear()
        received = 0
        while chunk := slow.read_chunk():
            received += len(chunk)
        assert received == 30 * MIB and closed.wait(5)


def test_a_client_that_takes_nothing_holds_a_thread_until_others_want_it(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    ends: queue.Queue[str] = queue.Queue()

    def endless(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/small":
            yield b"small"
            return
        try:
            while True:
                yield bytes(MIB)
        finally:
            ends.put("closed")

    stage.serve()
    with serving(stage, endless, threads=1, held_seconds=0.1):
        slow, other = stage.client(receive_buffer=4096), stage.client()
        slow.get("/endless")
        slow.read_head()
        other.get("/small")
        assert other.read_response().body == b"small"
        assert ends.get(timeout=5) == "closed"
    assert "GET /endless: cut, its client takes nothing and others wait" in caplog.text


def test_a_client_that_sends_nothing_holds_a_thread_until_others_want_it(stage: Stage) -> None:
    stage.serve()
    with serving(stage, many_kinds, threads=1, held_seconds=0.1):
        slow, other = stage.client(), stage.client()
        slow.send(b"POST /list/1 HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000\r\n\r\nabc")
        stage.server.wait_until(lambda: stage.server.server.session_count == 1, "it has a session")
        other.get("/list/5")
        assert other.read_response().body == b"xxxxx"
        assert slow.read_response().status == 408
        slow.reset()  # else the rest of its upload is awaited


@pytest.mark.parametrize("phase", ["body", "iterating", "writing"])
def test_a_client_that_leaves(stage: Stage, phase: str) -> None:
    begun, ends = threading.Event(), queue.Queue[object]()

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield bytes(100_000)

        def close(self) -> None:
            ends.put("closed")

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            begun.set()
            if phase == "body":
                environ["wsgi.input"].read()
            write = start_response("200 OK", [])
            while phase == "writing":
                write(bytes(100_000))
        except OSError as error:
            ends.put(error)
            raise
        return Body()

    stage.serve()
    with serving(stage, application, threads=1):
        client = stage.client()
        client.send(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000000\r\n\r\n" + bytes(1000))
        if phase != "body":
            client.read_head()
        else:
            assert begun.wait(5)
        client.reset()
        end = ends.get(timeout=5)
        assert end == "closed" if phase == "iterating" else isinstance(end, OSError)
    assert ends.empty()


def test_requests_beyond_what_may_wait_are_refused(stage: Stage) -> None:
    go, begun = threading.Event(), queue.Queue[str]()

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        begun.put(environ["PATH_INFO"])
        go.wait(5)
        start_response("200 OK", [])
        return [b"ok"]

    stage.serve()
    with serving(stage, application, threads=1, backlog=1) as handler:
        clients = [stage.client() for _ in range(3)]
        clients[0].get("/a")
        begun.get(timeout=5)
        clients[1].get("/b")
        stage.server.wait_until(lambda: handler.pool.waiting == 1, "the second waits")
        clients[2].get("/c")  # goes back to the server, which has no other instance
        refused = clients[2].read_response()
        assert refused.status == 503 and "Retry-After" in refused
        go.set()
        assert [client.read_response().status for client in clients[:2]] == [200, 200]


def test_a_thread_that_hangs_is_left_behind(stage: Stage) -> None:
    hang, begun = threading.Event(), threading.Event()

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        begun.set()
        hang.wait(30)
        start_response("200 OK", [])
        return [b"too late"]

    stage.serve()
    handler = wsgi_handler(application, threads=1)
    with NodeThread(Node(stage.server.endpoint, "app", handler), graceful_timeout=0.1) as node:
        node.wait_up(stage.server)
        client = stage.client()
        client.get("/")
        assert begun.wait(5)
    assert handler.close(0.0) == 1
    assert client.read_response().status == 502
    hang.set()
    assert handler.close(5.0) == 0


class Counted:
    """A body, and how many of them are open."""

    lock = threading.Lock()
    count = 0

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self.read = io.BytesIO(b"".join(blocks)).read if isinstance(blocks, list) else None
        with self.lock:
            Counted.count += 1

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._blocks)

    def close(self) -> None:
        with self.lock:
            Counted.count -= 1


def many_kinds(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """`/<kind>/<bytes>`: so many bytes, and as a header how many the request had."""
    kind, size = environ["PATH_INFO"][1:].split("/")
    start_response("200 OK", [("X-Size", str(len(environ["wsgi.input"].read())))])
    if kind == "generator":
        return Counted(b"x" * min(1000, int(size) - begin) for begin in range(0, int(size), 1000))
    body = Counted([b"x" * int(size)])
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](body) if kind == "file" else body
    return wrapped


def test_many_at_once_and_nothing_is_left_over(stage: Stage) -> None:
    """Requests of all kinds, uploads, clients that leave, over few threads."""
    stage.serve()
    wrong: list[object] = []

    def visit(seed: int) -> None:
        draw = random.Random(seed)
        client = RawClient(stage.server.port)
        for _ in range(25):
            target = f"/{draw.choice(['generator', 'file', 'list'])}/{draw.choice([0, 1, 5000, 3_000_000])}"
            body = bytes(draw.choice([0, 10, 400_000]))
            client.post(body, target)
            if draw.random() < 0.1:
                client.reset()
                client = RawClient(stage.server.port)
                continue
            response = client.read_response()
            if (len(response.body), response["X-Size"]) != (int(target.split("/")[2]), str(len(body))):
                wrong.append((target, len(body), response.status))
        client.close()

    with serving(stage, many_kinds, threads=3) as handler:
        visitors = [threading.Thread(target=visit, args=(seed,)) for seed in range(6)]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
    assert not wrong
    assert (Counted.count, handler.waiting_bytes, handler.pool.running) == (0, 0, 0)
