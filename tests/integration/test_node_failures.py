"""Handlers that do what they should not: whatever they raise fails their own session and nothing else, bodies
that nobody reads hold up nobody, and a thousand that are slow are served at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import pytest

from blastbeat.node import Handler, Node, Session
from blastbeat.node.asgi import Receive, Scope, Send, asgi_handler
from tests.helpers.client import RawClient
from tests.helpers.node_thread import NodeThread
from tests.helpers.server import PATIENCE
from tests.helpers.stage import Stage

FAILURES: dict[str, Callable[[], BaseException]] = {
    "an error": lambda: ValueError("x"),
    "a group of errors": lambda: BaseExceptionGroup("x", [ValueError("x"), GeneratorExit()]),
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "a cancellation of its own": asyncio.CancelledError,
    "a cancellation in a group": lambda: BaseExceptionGroup("x", [asyncio.CancelledError()]),
}


@contextmanager
def node_thread(stage: Stage, handler: Handler) -> Iterator[NodeThread]:
    """A node that must still answer, and keep nothing, when the test is over."""

    async def handle(session: Session) -> None:
        if session.request.path == "/alive":
            await session.respond(200, (), b"alive")
        else:
            await handler(session)

    server = stage.server
    with NodeThread(Node(server.endpoint, "app", handle)) as thread:
        thread.wait_up(server)
        yield thread
        client = stage.client()
        client.get("/alive")
        assert client.read_response().body == b"alive"
        client.close()
        thread.wait_forgotten()


@pytest.mark.parametrize("name", FAILURES)
def test_raised_before_the_response(stage: Stage, name: str) -> None:
    async def fail(session: Session) -> None:
        raise FAILURES[name]()

    stage.serve().allow_tracebacks = True
    with node_thread(stage, fail):
        client = stage.client()
        client.get()
        assert client.read_response().status == 502


@pytest.mark.parametrize("name", FAILURES)
def test_raised_within_the_response(stage: Stage, name: str) -> None:
    """The client notices that it was cut."""

    async def fail(session: Session) -> None:
        await session.start(200)
        await session.send(b"the beginning")
        raise FAILURES[name]()

    stage.serve().allow_tracebacks = True
    with node_thread(stage, fail):
        client = stage.client()
        client.get()
        assert client.read_head().status == 200
        assert client.read_chunk() == b"the beginning"
        client.expect_eof()


@pytest.mark.parametrize("name", FAILURES)
def test_raised_in_a_websocket(stage: Stage, name: str) -> None:
    async def fail(session: Session) -> None:
        assert session.websocket is not None
        await session.websocket.accept()
        raise FAILURES[name]()

    stage.serve().allow_tracebacks = True
    with node_thread(stage, fail):
        websocket = stage.websocket()
        websocket.handshake("/")
        websocket.expect_closed(1011)
        websocket.close()


@pytest.mark.parametrize("name", FAILURES)
def test_raised_by_an_application(stage: Stage, name: str) -> None:
    """500 before the response has begun (502 for what is no mere Exception); then it is cut."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/begun":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
        raise FAILURES[name]()

    stage.serve().allow_tracebacks = True
    with node_thread(stage, asgi_handler(application)):
        client = stage.client()
        client.get()
        assert client.read_response().status in (500, 502)
        client.close()
        client = stage.client()
        client.get("/begun")
        client.read_head()
        assert client.read_chunk() == b"part"
        client.expect_eof()


def test_a_group_of_departures_is_no_failure(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A handler that reads and writes in tasks of its own, whose client leaves."""
    over = threading.Event()

    async def both_ways(session: Session) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(session.read)
                tasks.start_soon(session.body)
        finally:
            over.set()

    stage.serve()
    with node_thread(stage, both_ways):
        client = stage.client()
        client.send_head(method="POST", headers=[("Content-Length", "10")])
        stage.server.wait_until(lambda: stage.server.server.session_count == 1, "the session is there")
        client.close()
        assert over.wait(PATIENCE)
    assert "Traceback" not in caplog.text and "failed" not in caplog.text


# ---------------------------------------------------------------- bodies that nobody reads


async def answer(session: Session) -> None:
    await session.respond(200, (), b"not interested")


@pytest.mark.parametrize("size", [1, 100_000, 250_000])
def test_an_unread_body_that_is_not_too_long(stage: Stage, size: int) -> None:
    """Its connection is of use for the next."""
    stage.serve()
    with node_thread(stage, answer):
        client = stage.client()
        for _ in range(5):
            client.post(b"x" * size)
            assert client.read_response().body == b"not interested"


def test_an_unread_body_that_is_longer_than_the_credit(stage: Stage) -> None:
    """What nobody reads is not owed for ever: the client is not made to wait for a timeout."""
    stage.serve(vhost={"linger": 2_000_000, "linger-time": 60})

    async def answer_early(session: Session) -> None:
        await session.respond(200, (), b"not interested")

    with node_thread(stage, answer_early):
        client = stage.client()
        for _ in range(3):
            client.post(b"x" * 1_500_000)
            assert client.read_response().body == b"not interested"


# ---------------------------------------------------------------- slow ones, and one that blocks


def ask_all(stage: Stage, number: int) -> list[RawClient]:
    clients = [stage.client() for _ in range(number)]
    for client in clients:
        client.get()
    return clients


def test_a_thousand_slow_requests_at_once(stage: Stage) -> None:
    number, inside = 1000, 0
    all_in: list[anyio.Event] = []

    async def slow(session: Session) -> None:
        nonlocal inside
        inside += 1
        if not all_in:
            all_in.append(anyio.Event())
        if inside == number:
            all_in[0].set()
        await all_in[0].wait()
        await session.respond(200, (), b"at last")

    stage.serve()
    with node_thread(stage, slow):
        for client in ask_all(stage, number):
            assert client.read_response().body == b"at last"
            client.close()


def test_a_handler_that_blocks(stage: Stage) -> None:
    """It answers no ping, so that new requests go elsewhere; the request it has is answered all the same."""
    server = stage.serve({"ping-freq": 0.1}, {"instances": 2, "response-timeout": 30})
    release = threading.Event()

    async def block(session: Session) -> None:
        release.wait(2 * PATIENCE)
        await session.respond(200, (), b"at last")

    with node_thread(stage, block):
        client = stage.client()
        client.get()
        server.wait_counter("nodes.silent")
        with NodeThread(Node(server.endpoint, "app", answer)) as other:
            other.wait_up(server)
            for _ in range(10):
                others = stage.client()
                others.get()
                assert others.read_response().body == b"not interested"
                others.close()
        release.set()
        assert client.read_response().body == b"at last"
