"""Messages of a websocket scope: accepting, refusing, both directions, and the end."""

from __future__ import annotations

from typing import Any

import pytest

from blastbeat.node import NodeUsageError, Session
from tests.helpers.asgi import call, ends, sends
from tests.helpers.node_link import FakeLink, handshake, names

ALL = ("accept", "binary")
ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close"}
REFUSE = {"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-a", b"1")]}


def refusal(data: bytes = b"", more_body: bool = False) -> dict[str, Any]:
    return {"type": "websocket.http.response.body", "body": data, "more_body": more_body}


def text(message: Any) -> dict[str, Any]:
    return {"type": "websocket.send", "text": message}


def test_accept_and_messages_both_ways() -> None:
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await receive())
        await send({**ACCEPT, "subprotocol": "b", "headers": [(b"x-a", b"1")]})
        await send(text("\u00e9"))
        await send({"type": "websocket.send", "bytes": b"\xff", "text": None})
        for _ in range(4):
            message = await receive()
            seen.append(message)

    async def step(session: Session) -> None:
        assert session.websocket is not None
        session.websocket.message_received("\u00e9".encode(), False)
        session.websocket.message_received(b"\xff", True)
        session.session_ended("4001 bye bye")

    link = FakeLink(*ALL)
    call(application, link, handshake("Sec-WebSocket-Protocol: a, b"), step=step)
    assert link.sent == [
        (b"headers", b"HTTP/1.1 101 Switching Protocols\r\nx-a: 1\r\nsec-websocket-protocol: b\r\n\r\n"),
        (b"websocket", "\u00e9".encode()),
        (b"websocket-binary", b"\xff"),
    ]
    gone = {"type": "websocket.disconnect", "code": 4001, "reason": "bye bye"}
    assert seen == [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "\u00e9"},
        {"type": "websocket.receive", "bytes": b"\xff"},
        gone,
        gone,
    ]


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (CLOSE, b"1000"),
        ({**CLOSE, "code": 4000, "reason": "bye"}, b"4000 bye"),
        ({**CLOSE, "code": None, "reason": None}, b"1000"),
        ({**CLOSE, "code": 1006}, b"1000"),
    ],
)
def test_the_application_closes(message: Any, sent: bytes) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await sends(ACCEPT, message, message)(scope, receive, send)
        gone = await receive()
        assert gone["type"] == "websocket.disconnect" and b"%d" % gone["code"] == sent[:4]
        with pytest.raises(OSError):
            await send(text("late"))

    link = FakeLink(*ALL)
    call(application, link, handshake())
    assert link.sent[1:] == [(b"end", sent)]


def test_refused_by_closing() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({**CLOSE, "code": 4000})
        assert await receive() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}

    link = FakeLink(*ALL)
    call(application, link, handshake())
    assert link.sent == [(b"headers", b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")]


@pytest.mark.parametrize(
    ("pieces", "sent"),
    [
        ([refusal(b"no")], ["headers", "body"]),
        ([refusal(b"n", True), refusal(b"o")], ["headers", "chunk", "chunk", "chunk"]),
        ([refusal()], ["headers"]),
    ],
)
def test_refused_with_a_response(pieces: Any, sent: list[str]) -> None:
    link = FakeLink(*ALL)
    call(sends(REFUSE, *pieces, refusal(b"late")), link, handshake())
    assert names(link.sent) == sent
    assert link.sent[0][1].startswith(b"HTTP/1.1 401 Unauthorized\r\nx-a: 1\r\n")


def test_without_accept_in_force_a_refusal_is_a_close() -> None:
    link = FakeLink()
    call(sends(CLOSE), link, handshake())
    assert link.sent == [(b"end", b"1008")]
    link = FakeLink()
    call(sends(REFUSE, refusal()), link, handshake())
    assert link.sent == [(b"end", b"1011")]


def test_a_client_that_leaves_before_it_is_accepted() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        assert await receive() == {"type": "websocket.disconnect", "code": 1006, "reason": "client-left"}
        with pytest.raises(OSError):
            await send(ACCEPT)

    link = FakeLink(*ALL)
    call(application, link, handshake(), step=ends)
    assert link.sent == []


def test_close_after_the_client_left_says_nothing() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        await receive()
        await receive()
        await send(CLOSE)

    link = FakeLink(*ALL)
    call(application, link, handshake(), step=ends)
    assert names(link.sent) == ["headers"]


# ---------------------------------------------------------------- applications that fail


@pytest.mark.parametrize(
    ("messages", "sent"),
    [
        ([ACCEPT], [(b"end", b"1000")]),
        ([ACCEPT, CLOSE], [(b"end", b"1000")]),
        ([], [(b"body", b"Internal Server Error")]),
        ([REFUSE], [(b"body", b"Internal Server Error")]),
        ([REFUSE, refusal(b"n", True)], [(b"chunk", b"n"), (b"abort", b"the application failed")]),
    ],
)
def test_the_application_returns(messages: Any, sent: Any) -> None:
    link = FakeLink(*ALL)
    call(sends(*messages), link, handshake())
    assert link.sent[1:] == sent


@pytest.mark.parametrize(
    ("messages", "sent"),
    [([ACCEPT], (b"end", b"1011")), ([], (b"body", b"Internal Server Error"))],
)
def test_the_application_raises(messages: Any, sent: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await sends(*messages)(scope, receive, send)
        raise ValueError

    link = FakeLink(*ALL)
    call(application, link, handshake())
    assert link.sent[1:] == [sent] and "Traceback" in caplog.text


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([text("early")], "`accept` comes first"),
        ([ACCEPT, ACCEPT], "answered already"),
        ([REFUSE, ACCEPT], "it is being refused"),
        ([REFUSE, REFUSE], "answered already"),
        ([ACCEPT, REFUSE], "answered already"),
        ([refusal()], "expected 'websocket.http.response.start' first"),
        ([{"type": "http.response.start"}], "'http.response.start' is no message"),
        ([ACCEPT, {"type": "websocket.send"}], "expected `text` or `bytes`, got neither"),
        ([ACCEPT, text(b"a")], "expected `text` as str, got bytes"),
        ([ACCEPT, {"type": "websocket.send", "bytes": "a"}], "as bytes, got str"),
        ([{**ACCEPT, "subprotocol": "c"}], "subprotocol 'c' is not offered, but 'a', 'b'"),
        ([{**ACCEPT, "headers": [(b"Sec-WebSocket-Protocol", b"a")]}], "goes into `subprotocol`"),
        ([{**ACCEPT, "headers": [(b"x-a", b"1\n")]}], "holds a line break"),
        ([{**REFUSE, "status": 101}], "101 is no status of a response"),
    ],
)
def test_messages_that_are_wrong(messages: Any, words: str) -> None:
    errors: list[NodeUsageError] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        try:
            await sends(*messages)(scope, receive, send)
        except NodeUsageError as error:
            errors.append(error)
            raise

    link = FakeLink(*ALL)
    call(application, link, handshake("Sec-WebSocket-Protocol: a, b"))
    assert len(errors) == 1 and words in str(errors[0])
    assert link.sent[-1] in [(b"end", b"1011"), (b"body", b"Internal Server Error")]
