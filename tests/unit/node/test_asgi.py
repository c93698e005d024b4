"""ASGI applications as handlers: scopes, and applications that fail."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import anyio
import pytest

from blastbeat.node import Session
from blastbeat.node.asgi import Application, asgi_handler
from blastbeat.node.request import Request, parse_uwsgi
from tests.helpers.asgi import body, call, ends, sends, start
from tests.helpers.node_link import FakeLink, handshake, names, request, session_of
from tests.helpers.uwsgi import write_packet


def scope_of(head: Request, *words: str, **options: Any) -> dict[str, Any]:
    scopes: list[dict[str, Any]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    async def main() -> None:
        await asgi_handler(application, **options)(session_of(FakeLink(*words), head))

    anyio.run(main)
    return scopes[0]


def head_of(**variables: str) -> Request:
    told = {
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "/shop/a%20b?c=%20d",
        "PATH_INFO": "/a b",
        "SCRIPT_NAME": "/shop",
        "SERVER_NAME": "app.test",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "2001:db8::1",
        "REMOTE_PORT": "4711",
        "REQUEST_SCHEME": "https",
        "HTTP_HOST": "app.test",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_EMPTY": "",
        **variables,
    }
    return parse_uwsgi(write_packet([(name.encode(), value.encode()) for name, value in told.items()]))


NO_TLS_FACTS = {"server_cert": None, "client_cert_error": None, "tls_version": None, "cipher_suite": None}


def test_the_scope_of_a_request() -> None:
    assert scope_of(head_of(), root_path="/ä", state={"pool": 1}) == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/ä/shop/a b",
        "raw_path": b"/%C3%A4/shop/a%20b",
        "query_string": b"c=%20d",
        "root_path": "/ä/shop",
        "headers": [(b"host", b"app.test"), (b"cookie", b"a=1; b=2"), (b"x-empty", b"")],
        "client": ("2001:db8::1", 4711),
        "server": ("app.test", 443),
        "state": {"pool": 1},
        "extensions": {
            "http.response.early_hint": {},
            "tls": {"client_cert_chain": (), "client_cert_name": None, **NO_TLS_FACTS},
        },
    }


def test_the_scope_of_a_websocket() -> None:
    head = head_of(HTTP_UPGRADE="websocket", HTTP_SEC_WEBSOCKET_PROTOCOL="a, b")
    scope = scope_of(head, "accept")
    assert scope["type"] == "websocket" and scope["asgi"]["spec_version"] == "2.5"
    assert scope["scheme"] == "wss" and scope["subprotocols"] == ["a", "b"] and "method" not in scope
    assert (scope["path"], scope["raw_path"], scope["root_path"]) == ("/shop/a b", b"/shop/a%20b", "/shop")
    assert "websocket.http.response" in scope["extensions"] and scope["state"] == {}
    assert "websocket.http.response" not in scope_of(head)["extensions"]
    assert scope_of(handshake())["scheme"] == "ws"


def test_what_depends_on_the_client() -> None:
    scope = scope_of(head_of(SERVER_PROTOCOL="HTTP/1.0", REMOTE_ADDR="", REQUEST_SCHEME="http"))
    assert scope["http_version"] == "1.0" and scope["client"] is None and scope["extensions"] == {}
    scope = scope_of(head_of(SSL_CLIENT_VERIFY="SUCCESS", SSL_CLIENT_S_DN="CN=a"))
    assert scope["extensions"]["tls"]["client_cert_name"] == "CN=a"


def test_each_scope_gets_its_own_copy_of_the_state() -> None:
    shared = {"pool": [1]}
    scope = scope_of(request(), state=shared)
    scope["state"]["user"] = 1
    assert shared == {"pool": [1]} and scope["state"]["pool"] is shared["pool"]


# ---------------------------------------------------------------- applications that fail


def failing(error: BaseException, *before: dict[str, Any]) -> Application:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await sends(*before)(scope, receive, send)
        raise error

    return application


ANY_ERROR = [ValueError("no"), SystemExit(1), asyncio.CancelledError()]


@pytest.mark.parametrize("error", ANY_ERROR)
@pytest.mark.parametrize("before", [(), (start(),)])
def test_failed_before_the_response(error: Any, before: Any, caplog: pytest.LogCaptureFixture) -> None:
    link = FakeLink()
    call(failing(error, *before), link)
    assert link.sent[0][1].startswith(b"HTTP/1.1 500 ")
    assert link.sent[1:] == [(b"body", b"Internal Server Error")]
    assert "the application failed: GET '/'" in caplog.text and type(error).__name__ in caplog.text


@pytest.mark.parametrize("error", ANY_ERROR)
def test_failed_within_the_response(error: Any, caplog: pytest.LogCaptureFixture) -> None:
    link = FakeLink()
    call(failing(error, start(), body(b"a", True)), link)
    assert names(link.sent) == ["headers", "chunk", "abort"] and "Traceback" in caplog.text


def test_failed_after_the_response(caplog: pytest.LogCaptureFixture) -> None:
    link = FakeLink()
    call(failing(ValueError("background"), start(), body(b"a")), link)
    assert names(link.sent) == ["headers", "body"] and "ValueError: background" in caplog.text


@pytest.mark.parametrize(
    ("messages", "sent"),
    [
        ((), ["headers", "body"]),
        ((start(),), ["headers", "body"]),
        ((start(), body(b"a", True)), ["headers", "chunk", "abort"]),
    ],
)
def test_returned_without_a_whole_response(
    messages: Any, sent: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    link = FakeLink()
    call(sends(*messages), link)
    assert names(link.sent) == sent and "without a whole response to GET '/'" in caplog.text


def test_cancelled_from_outside() -> None:
    """The worker stops: the task ends, and the node tells the client."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await anyio.sleep_forever()

    async def main() -> None:
        link = FakeLink()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asgi_handler(application), session_of(link))
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        assert link.sent == []

    anyio.run(main)


def test_one_that_cancels_itself_ends_nobody_else() -> None:
    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            handler = asgi_handler(failing(asyncio.CancelledError()))
            tasks.start_soon(handler, session_of(FakeLink()))
            await anyio.wait_all_tasks_blocked()
            assert not tasks.cancel_scope.cancel_called

    anyio.run(main)


# ---------------------------------------------------------------- clients that leave


class FrameworkError(Exception):
    """What a framework raises when it was told that the client left."""


async def plain(error: OSError) -> None:
    raise error


async def wrapped(error: OSError) -> None:
    raise FrameworkError from error


async def grouped(error: OSError) -> None:
    raise ExceptionGroup("tasks", [error, ExceptionGroup("more", [error])])


async def forgotten(error: OSError) -> None:
    raise FrameworkError("of its own") from None


async def mixed(error: OSError) -> None:
    raise ExceptionGroup("tasks", [error, FrameworkError()])


@pytest.mark.parametrize(
    ("react", "level"),
    [(plain, "DEBUG"), (wrapped, "DEBUG"), (grouped, "DEBUG"), (forgotten, "DEBUG"), (mixed, "WARNING")],
)
def test_a_client_that_leaves_is_no_error(react: Any, level: str, caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await receive()
        assert await receive() == {"type": "http.disconnect"}
        try:
            await send(body(b"a", True))
        except OSError as error:
            await react(error)

    caplog.set_level(logging.DEBUG, "blastbeat")
    link = FakeLink()
    call(application, link, step=ends)
    assert [record.levelname for record in caplog.records if record.name.startswith("blastbeat")] == [level]
    assert names(link.sent) == ["headers"]


def test_a_framework_that_raises_on_disconnect(caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert message["type"] == "http.disconnect"
        raise FrameworkError

    call(application, FakeLink(), request("POST", "/", "Content-Length: 5"), step=ends)
    assert [record.getMessage() for record in caplog.records] == [
        "the application failed after the client of POST '/' had left: FrameworkError()"
    ]


def test_one_that_hangs_is_told_and_left_alone() -> None:
    told: list[Any] = []
    let_go: list[anyio.Event] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        told.append(await receive())
        let_go.append(anyio.Event())
        await let_go[0].wait()
        told.append("let go")

    async def step(session: Session) -> None:
        await ends(session)
        await anyio.wait_all_tasks_blocked()
        assert told == [{"type": "http.disconnect"}]
        let_go[0].set()

    call(application, FakeLink(), step=step)
    assert told[1:] == ["let go"]
