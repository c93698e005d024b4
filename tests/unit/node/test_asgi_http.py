"""Messages of an http scope: the request in pieces, the response, its framing, and what is not due."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from blastbeat.node import NodeUsageError, Session
from blastbeat.node.session import MAX_PIECE
from tests.helpers.asgi import body, call, ends, sends, start
from tests.helpers.node_link import FakeLink, names, request

PIECE = {"type": "http.request", "more_body": True}
LAST = {"type": "http.request", "more_body": False}
DISCONNECT = {"type": "http.disconnect"}


# ---------------------------------------------------------------- receive


def receiving(number: int, seen: list[Any]) -> Any:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(number):
            message = await receive()
            seen.append(message)
        await sends(start(), body())(scope, receive, send)
        seen.append(await receive())
        seen.append(await receive())

    return application


def test_a_request_without_body() -> None:
    seen: list[Any] = []
    call(receiving(1, seen), FakeLink())
    assert seen == [{**LAST, "body": b""}, DISCONNECT, DISCONNECT]


def test_a_body_of_known_length_comes_as_it_comes() -> None:
    seen: list[Any] = []

    async def step(session: Session) -> None:
        session.body_received(b"ab")
        await anyio.wait_all_tasks_blocked()
        assert seen == [{**PIECE, "body": b"ab"}]
        session.body_received(memoryview(b"cde"))

    link = FakeLink(own_window=4)
    call(receiving(2, seen), link, request("POST", "/", "Content-Length: 5"), step=step)
    assert seen[1:] == [{**LAST, "body": b"cde"}, DISCONNECT, DISCONNECT]
    assert link.sent[:2] == [(b"credit", b"2"), (b"credit", b"3")]


def test_a_body_of_unknown_length_ends_with_an_empty_piece() -> None:
    seen: list[Any] = []

    async def step(session: Session) -> None:
        for piece in (b"ab", b""):
            session.body_received(piece)
            await anyio.wait_all_tasks_blocked()

    call(receiving(2, seen), FakeLink(), request("POST", "/", "Transfer-Encoding: chunked"), step=step)
    assert seen[:2] == [{**PIECE, "body": b"ab"}, {**LAST, "body": b""}]


def test_what_came_before_the_client_left_is_still_read() -> None:
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await anyio.lowlevel.checkpoint()
        for _ in range(3):
            message = await receive()
            seen.append(message)

    async def step(session: Session) -> None:
        session.body_received(b"ab")
        await ends(session)

    call(application, FakeLink(), request("POST", "/", "Content-Length: 5"), step=step)
    assert seen == [{**PIECE, "body": b"ab"}, DISCONNECT, DISCONNECT]


def test_two_who_wait_for_the_end_both_learn_of_it() -> None:
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        async def wait() -> None:
            seen.append(await receive())

        await receive()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await sends(start(), body())(scope, receive, send)

    call(application, FakeLink())
    assert seen == [DISCONNECT, DISCONNECT]


def test_nothing_of_a_body_is_read_after_the_response() -> None:
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        async def read() -> None:
            seen.append(await receive())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            await sends(start(), body())(scope, receive, send)

    call(application, FakeLink(), request("POST", "/", "Content-Length: 5"))
    assert seen == [DISCONNECT]


# ---------------------------------------------------------------- send


def head_of(link: FakeLink) -> bytes:
    return link.sent[0][1]


@pytest.mark.parametrize("length", [(), ((b"content-length", b"5"),), ((b"Content-Length", b"5"),)])
def test_a_response_in_one_piece_is_one_message(length: Any) -> None:
    link = FakeLink()
    call(sends(start(200, (b"x-a", b"1"), *length), body(b"hello")), link)
    assert link.sent == [
        (b"headers", b"HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 5\r\n\r\n"),
        (b"body", b"hello"),
    ]
    assert link.messages == 1


def test_defaults_of_keys_that_are_missing() -> None:
    link = FakeLink()
    call(sends({"type": "http.response.start", "status": 200}, {"type": "http.response.body"}), link)
    assert link.sent == [(b"headers", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")]


def test_pieces_without_a_length_are_chunks() -> None:
    link = FakeLink()
    call(sends(start(), body(b"a", True), body(b"", True), body(b"b", True), body()), link)
    assert names(link.sent) == ["headers", "chunk", "chunk", "chunk"] and link.sent[-1] == (b"chunk", b"")
    assert b"content-length" not in head_of(link)


def test_pieces_with_a_length() -> None:
    link = FakeLink()
    call(sends(start(200, (b"content-length", b"2")), body(b"a", True), body(b"b", True), body()), link)
    assert link.sent[1:] == [(b"body", b"a"), (b"body", b"b")]


@pytest.mark.parametrize("length", [(), ((b"content-length", b"%d" % (2 * MAX_PIECE)),)])
def test_one_large_piece(length: Any) -> None:
    link = FakeLink()
    call(sends(start(200, *length), body(bytes(2 * MAX_PIECE))), link)
    assert b"content-length: %d\r\n" % (2 * MAX_PIECE) in head_of(link)
    assert [len(data) for type, data in link.sent if type == b"body"] == [MAX_PIECE, MAX_PIECE]


def test_a_buffer_is_copied_before_it_changes() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        buffer = bytearray(b"a")
        await send(start())
        await send(body(buffer, True))
        buffer[:] = b"b"
        await send(body(memoryview(buffer)))

    link = FakeLink()
    call(application, link)
    assert link.sent[1:] == [(b"chunk", b"a"), (b"chunk", b"b"), (b"chunk", b"")]


@pytest.mark.parametrize(
    ("method", "status", "length", "told"),
    [
        ("HEAD", 200, [], b"content-length: 5"),
        ("HEAD", 200, [(b"content-length", b"7")], b"content-length: 7"),
        ("GET", 304, [(b"content-length", b"7")], b"content-length: 7"),
        ("GET", 304, [], None),
        ("GET", 204, [], None),
    ],
)
@pytest.mark.parametrize("pieces", [[body(b"hello")], [body(b"he", True), body(b"llo")]])
def test_responses_without_body(method: str, status: int, length: Any, told: Any, pieces: Any) -> None:
    link = FakeLink()
    call(sends(start(status, *length), *pieces), link, request(method))
    assert names(link.sent) == ["headers"]
    if told is None:
        assert b"content-length" not in head_of(link)
    elif length or len(pieces) == 1:
        assert told in head_of(link)


def test_a_head_whose_body_takes_long_goes_alone() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await anyio.wait_all_tasks_blocked()
        assert names(link.sent) == ["headers"]
        await send(body(b"late"))

    link = FakeLink()
    call(application, link)
    assert names(link.sent) == ["headers", "chunk", "chunk"]


def test_send_waits_for_the_client() -> None:
    sent: list[int] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        for number in range(3):
            await send(body(b"ab", True))
            sent.append(number)
        await send(body())

    async def step(session: Session) -> None:
        for number in range(1, 3):
            assert sent == [*range(number)]
            session.credit_received(2)
            await anyio.wait_all_tasks_blocked()

    call(application, FakeLink(window=2), step=step)
    assert sent == [0, 1, 2]


def test_a_client_that_leaves_while_send_waits() -> None:
    caught: list[OSError] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(body(b"ab", True))
        for _ in range(2):
            try:
                await send(body(b"ab", True))
            except OSError as error:
                caught.append(error)

    link = FakeLink(window=2)
    call(application, link, step=ends)
    assert len(caught) == 2 and names(link.sent) == ["headers", "chunk"]


@pytest.mark.parametrize("message", [start(), body(), {"type": "http.response.early_hint", "links": []}])
def test_send_after_the_client_left(message: Any) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await receive()
        with pytest.raises(OSError, match="client-left"):
            await send(message)

    link = FakeLink()
    call(application, link, step=ends)
    assert link.sent == []


def test_what_follows_the_end_is_ignored() -> None:
    link = FakeLink()
    late = [start(), body(b"more"), {"type": "http.response.trailers", "headers": []}]
    hint = {"type": "http.response.early_hint", "links": [b"</a>"]}
    call(sends(start(200, trailers=True), body(b"a"), *late, hint), link)
    assert names(link.sent) == ["headers", "body"]


def test_early_hints() -> None:
    hint = {"type": "http.response.early_hint", "links": [b"</a>; rel=preload", b"</b>"]}
    link = FakeLink()
    call(sends(hint, start(), hint, body()), link)
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\nlink: </b>\r\n\r\n"
    assert [data for _, data in link.sent[:2]] == [interim, interim]
    link = FakeLink()
    call(sends(start(), body(b"a", True), hint, body()), link)
    assert names(link.sent) == ["headers", "chunk", "chunk"]


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([body()], "'http.response.body' when it was not due"),
        ([start(), start()], "'http.response.start' when it was not due"),
        ([start(200), body(b"a", True), start()], "the response has begun"),
        ([{"type": "http.response.pathsend", "path": "/"}], "'http.response.pathsend' is no message"),
        ([{"type": "websocket.accept"}], "'websocket.accept' is no message"),
        ([start(), body("text")], "the body as bytes, got str"),
        ([start(), body(None)], "the body as bytes, got NoneType"),
        ([start(200, ("x-a", b"1"))], "the name of a header as bytes, got 'x-a'"),
        ([start(200, (b"x-a", "1"))], "the value of a header as bytes"),
        ([start(200, (b"x-a", b"1\r\nx-b: 2"))], "holds a line break"),
        ([start(200, (b"content-length", b"x"))], "expected one Content-Length, and a number"),
        ([start(600)], "600 is no status"),
        ([start("200")], "'200' is no status"),
        ([start(103)], "103 is no status of a response"),
        ([start(200, (b"content-length", b"4")), body(b"hello")], "leaves 4 bytes, but the body has 5"),
        ([start(200, (b"content-length", b"6")), body(b"hello")], "leaves 6 bytes, but the body has 5"),
        (
            [start(200, (b"content-length", b"4")), body(b"hell", True), body(b"o")],
            "leaves 0 bytes, but the body has 1",
        ),
        ([start(200, (b"content-length", b"6")), body(b"hello", True), body()], "1 bytes shorter"),
    ],
)
def test_messages_that_are_wrong(messages: Any, words: str, caplog: pytest.LogCaptureFixture) -> None:
    errors: list[NodeUsageError] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        try:
            await sends(*messages)(scope, receive, send)
        except NodeUsageError as error:
            errors.append(error)
            raise

    link = FakeLink()
    call(application, link)
    assert len(errors) == 1 and words in str(errors[0]) and words in caplog.text
    if any(message.get("more_body") for message in messages):
        assert names(link.sent)[-1] == "abort"
    else:
        assert head_of(link).startswith(b"HTTP/1.1 500 ") and len(link.sent) == 2
