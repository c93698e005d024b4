"""Applications as handlers: whole exchanges, without a server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import Any

import anyio
import pytest

from blastbeat.node.wsgi import wsgi_handler
from blastbeat.node.wsgi.handler import RETRIABLE
from tests.helpers.node_link import FakeLink, handshake, names, request, session_of


def hello(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 Fine", [("X-A", "1")])
    return [b"hello"]


def test_a_small_response_is_one_message() -> None:
    link = FakeLink()
    anyio.run(wsgi_handler(hello), session_of(link))
    assert link.sent == [
        (b"headers", b"HTTP/1.1 200 Fine\r\nX-A: 1\r\ncontent-length: 5\r\n\r\n"),
        (b"body", b"hello"),
    ]
    assert link.completed == 1


def test_a_long_response_is_cut_into_messages() -> None:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [bytes(300_000)]

    link = FakeLink()
    anyio.run(wsgi_handler(application), session_of(link))
    assert names(link.sent)[:3] == ["headers", "body", "body"]
    assert b"content-length: 300000\r\n" in link.sent[0][1]
    assert sum(len(body) for type, body in link.sent if type == b"body") == 300_000


def test_the_environ_is_complete() -> None:
    seen: dict[str, Any] = {}

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        seen.update(environ)
        return hello(environ, start_response)

    anyio.run(wsgi_handler(application, threads=1, root_path="/shop/"), session_of(FakeLink()))
    assert seen["wsgi.version"] == (1, 0) and seen["wsgi.url_scheme"] == "http"
    assert (seen["wsgi.multithread"], seen["wsgi.multiprocess"], seen["wsgi.run_once"]) == (
        False,
        True,
        False,
    )
    assert seen["wsgi.input_terminated"] and seen["wsgi.file_wrapper"]
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/shop", "/")
    assert seen["wsgi.input"].read() == b""


@pytest.mark.parametrize("has_begun", [False, True])
def test_an_application_that_fails(has_begun: bool, caplog: pytest.LogCaptureFixture) -> None:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        if has_begun:
            start_response("200 OK", [])(b"a")
        raise SystemExit("mine")

    link = FakeLink()
    anyio.run(wsgi_handler(application), session_of(link))
    assert names(link.sent) == (["headers", "chunk", "abort"] if has_begun else ["headers", "body"])
    assert has_begun or link.sent[0][1].startswith(b"HTTP/1.1 500 ")
    assert "the application failed: GET /" in caplog.text and "mine" in caplog.text


def test_what_it_writes_to_wsgi_errors_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        environ["wsgi.errors"].write("oh")
        return hello(environ, start_response)

    handler = wsgi_handler(application)
    with caplog.at_level(logging.ERROR):
        anyio.run(handler, session_of(FakeLink()))
        assert handler.close(5.0) == 0
    assert "GET /: oh" in caplog.text


@pytest.mark.parametrize("words, expected", [(["accept"], ["headers", "body"]), ([], ["end"])])
def test_a_websocket_is_rejected(words: list[str], expected: list[str]) -> None:
    link = FakeLink(*words)
    anyio.run(wsgi_handler(hello), session_of(link, handshake()))
    assert names(link.sent) == expected
    assert link.sent[0][1].startswith(b"HTTP/1.1 400 " if words else b"1008")


@pytest.mark.parametrize(
    "fields, expected",
    [
        ([], b"retry"),
        ([f"Content-Length: {RETRIABLE}"], b"retry"),
        ([f"Content-Length: {RETRIABLE + 1}"], b"headers"),
        (["Transfer-Encoding: chunked"], b"headers"),
    ],
)
def test_requests_that_find_no_room(fields: list[str], expected: bytes) -> None:
    go = threading.Event()

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        go.wait(5)
        return hello(environ, start_response)

    async def main() -> None:
        handler = wsgi_handler(application, threads=1, backlog=0)
        first, second = FakeLink(), FakeLink()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(handler, session_of(first))
            await anyio.lowlevel.checkpoint()
            await handler(session_of(second, request("POST", "/", *fields)))
            go.set()
        assert second.sent[0][0] == expected and names(first.sent) == ["headers", "body"]
        if expected == b"headers":
            assert second.sent[0][1].startswith(b"HTTP/1.1 503 ") and b"Retry-After: 1" in second.sent[0][1]

    anyio.run(main)


def test_who_left_while_waiting_is_not_served() -> None:
    go, called = threading.Event(), []

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        called.append(environ["PATH_INFO"])
        go.wait(5)
        return hello(environ, start_response)

    async def main() -> None:
        handler = wsgi_handler(application, threads=1)
        session = session_of(FakeLink(), request("GET", "/second"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(handler, session_of(FakeLink(), request("GET", "/first")))
            await anyio.lowlevel.checkpoint()
            tasks.start_soon(handler, session)
            await anyio.lowlevel.checkpoint()
            session.session_ended("client-left")
            go.set()
            assert await anyio.to_thread.run_sync(handler.close, 5.0) == 0
            tasks.cancel_scope.cancel()

    anyio.run(main)
    assert called == ["/first"]


def test_the_handler_lasts_until_its_thread_is_done() -> None:
    link, go = FakeLink(), threading.Event()

    class Body(list[bytes]):
        def close(self) -> None:
            go.wait(5)
            closed.append(link.completed)

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Body([b"a"])

    closed: list[int] = []

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wsgi_handler(application), session_of(link))
            while not link.completed:
                await anyio.lowlevel.checkpoint()
            go.set()
        assert closed == [1]  # behind the response, and before the handler's end

    anyio.run(main)
