"""Tests of `blastbeat.testing.node_request`: what a scripted node reads of a request, and what it sends."""

from __future__ import annotations

import threading

import pytest

from blastbeat.plugins.headers_encoder import HeadersEncoder
from blastbeat.plugins.uwsgi_encoder import UwsgiEncoder
from blastbeat.testing import HOLD, NodeRequest, make_request
from blastbeat.testing.node_request import HEAD_READERS, Answer, expects_more

Sent = list[tuple[bytes, str, bytes]]


def received(type: str = "uwsgi", patience: float = 0, **changes: object) -> tuple[NodeRequest, Sent]:
    encoder = UwsgiEncoder() if type == "uwsgi" else HeadersEncoder()
    raw = encoder.encode_request(make_request(**changes))
    sent: Sent = []
    request = NodeRequest(
        b"sid",
        type,
        raw,
        HEAD_READERS[type](raw),
        lambda *message: sent.append(message),
        threading.Condition(),
        patience,
    )
    return request, sent


@pytest.mark.parametrize("type", ["uwsgi", "headers"])
def test_a_head_is_read(type: str) -> None:
    request, _ = received(type, method=b"POST", target=b"/a%20b?c", headers=[(b"x-a", b"1")])
    assert (request.method, request.target, request.path) == ("POST", "/a%20b?c", "/a b")
    assert request.headers["x-a"] == "1"
    assert request.type == type and not request.is_websocket
    assert ("REQUEST_METHOD" in request.variables) == (type == "uwsgi")


def test_a_head_that_nothing_reads_is_told() -> None:
    request = NodeRequest(b"s", "json", b"{}", None, lambda *_: None, threading.Condition(), 0)
    assert request.raw_head == b"{}" and "json" in repr(request)
    with pytest.raises(AssertionError, match="json"):
        _ = request.method


@pytest.mark.parametrize(
    ("answer", "status", "body", "field"),
    [
        ("h\u00e9", b"200 OK", b"h\xc3\xa9", b""),
        (b"x", b"200 OK", b"x", b""),
        (404, b"404 Not Found", b"", b""),
        ((201, "y"), b"201 Created", b"y", b""),
        ((201, b"y", [("X-A", "1")]), b"201 Created", b"y", b"X-A: 1\r\n"),
    ],
)
def test_answers(answer: Answer, status: bytes, body: bytes, field: bytes) -> None:
    request, sent = received()
    request.answer(answer)
    sid, type, head = sent.pop(0)
    assert (sid, type) == (b"sid", "headers")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b"content-length: %d\r\n" % len(body) in head
    assert field in head
    assert sent == ([(b"sid", "body", body)] if body else [])


def test_held_is_not_answered_and_head_has_no_body() -> None:
    request, sent = received(method=b"HEAD")
    request.answer(HOLD)
    assert not sent
    request.answer("text")
    assert [type for _, type, _ in sent] == ["headers"]


def test_what_is_no_answer_is_told() -> None:
    for wrong in (None, ("text", 200), (200,), [200, "x"]):
        with pytest.raises(TypeError, match="is no answer"):
            received()[0].answer(wrong)  # type: ignore[arg-type]


def test_messages_by_hand() -> None:
    request, sent = received()
    request.send_chunk("a")
    request.send_message("text")
    request.send_message(b"\xff")
    request.send_end("1000 bye")
    request.abort("why")
    request.retry()
    request.send("group:msg", b"x")
    assert [(type, body) for _, type, body in sent] == [
        ("chunk", b"a"),
        ("websocket", b"text"),
        ("websocket-binary", b"\xff"),
        ("end", b"1000 bye"),
        ("abort", b"why"),
        ("retry", b""),
        ("group:msg", b"x"),
    ]


def test_waiting_ends_with_what_it_waits_for() -> None:
    request, _ = received()
    for wait in (request.wait_end, request.wait_message, request.wait_body):
        with pytest.raises(AssertionError):
            wait()
    request.end, request.messages, request.is_whole = b"why", [b"1", b"2"], True
    request.body += b"body"
    assert (request.wait_end(), request.wait_message(), request.wait_message()) == (b"why", b"1", b"2")
    assert request.wait_body() == b"body"


def test_when_a_body_is_whole() -> None:
    fixed = received(content_length=5, headers=[(b"content-length", b"5")])[0].head
    open_ended = received(chunked=True, headers=[(b"transfer-encoding", b"chunked")])[0].head
    upgrade = received(upgrade=True, headers=[(b"upgrade", b"websocket")])[0].head
    assert expects_more(fixed, 4, False) and not expects_more(fixed, 5, False)
    assert expects_more(open_ended, 5, False) and not expects_more(open_ended, 5, True)
    for head in (received()[0].head, upgrade, None):
        assert not expects_more(head, 0, False)
